-- Campaigns that no route names and that are read because contacts of the route stand there. Noted, because a block asks for
-- them with every contact of others, and to find them takes a walk over all links.
CREATE TABLE campaigns_elsewhere (
    route       TEXT NOT NULL REFERENCES routes (route),
    campaign_id INTEGER NOT NULL,
    PRIMARY KEY (route, campaign_id)
) STRICT, WITHOUT ROWID;

-- Where a client's blocks lock contacts of others: in every campaign that is read for one of its routes. One that a route had
-- before may be another client's by now: then it is theirs alone.
CREATE VIEW client_campaigns AS
SELECT r.client, r.campaign_id FROM routes r WHERE r.campaign_id IS NOT NULL
UNION ALL
SELECT r.client, e.campaign_id FROM earlier_campaigns e JOIN routes r ON r.route = e.route
WHERE NOT EXISTS (SELECT 1 FROM routes own WHERE own.campaign_id = e.campaign_id AND own.client <> r.client)
UNION ALL
SELECT r.client, s.campaign_id FROM campaigns_elsewhere s JOIN routes r ON r.route = s.route;

DROP VIEW v_blocked_foreign;
CREATE VIEW v_blocked_foreign AS
SELECT c.contact_id AS contact, c.campaign_id AS campaign, b.id AS block, b.client,
       coalesce((SELECT l.lock_state FROM links l WHERE l.contact_id = c.contact_id), 'open') AS lock_state
FROM blocks b
JOIN contact_numbers n ON n.number = b.number
JOIN contacts c ON c.contact_id = n.contact_id
WHERE b.kind = 'number' AND b.lifted_at IS NULL AND c.gone_at IS NULL
  AND +c.campaign_id IN (SELECT m.campaign_id FROM client_campaigns m WHERE m.client = b.client)
  AND NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.contact_id AND l.route IS NOT NULL);
