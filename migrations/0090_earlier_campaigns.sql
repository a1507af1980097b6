-- The campaigns that a route had before its present one: whoever was called to an end in one of them was so for the route.
CREATE TABLE earlier_campaigns (
    route       TEXT NOT NULL REFERENCES routes (route),
    campaign_id INTEGER NOT NULL,
    until       TEXT,                       -- NULL: it was so before this was noted
    PRIMARY KEY (route, campaign_id)
) STRICT, WITHOUT ROWID;

-- Those in which somebody stayed, as whoever was called to an end does. Of others nothing sure is known: that a call was made
-- in a campaign may be a portal user's doing.
INSERT INTO earlier_campaigns (route, campaign_id)
SELECT DISTINCT l.route, l.campaign_id FROM routes r JOIN links l ON l.route = r.route
WHERE l.campaign_id IS NOT NULL AND l.campaign_id <> r.campaign_id;
