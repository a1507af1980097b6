-- A block may name a contact: what a person locked by hand is a fact that outlives the contact's being taken over
-- by a record, and that no automatic rule undoes. A contact is one row of one dialler, so such a block holds
-- whoever's client it is.
DROP VIEW v_blocks;
CREATE TABLE blocks_with_contacts (
    id         INTEGER PRIMARY KEY,
    client     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('record', 'number', 'contact')),
    crm        TEXT,
    object     TEXT,
    record_id  TEXT,
    number     TEXT,                        -- E.164
    contact_id INTEGER,
    code       TEXT NOT NULL,
    params     TEXT NOT NULL DEFAULT '{}',
    source     TEXT NOT NULL,               -- crm:ROUTE | companion:ROUTE/NAME | operator | file:NAME
    since      TEXT NOT NULL,
    until      TEXT,
    who        TEXT,
    lifted_at  TEXT,
    lifted_by  TEXT,
    lifted_why TEXT,
    withdrawn_seen INTEGER NOT NULL DEFAULT 0, -- complete answers in which its source had withdrawn it
    CHECK ((kind = 'number') = (number IS NOT NULL)),
    CHECK ((kind = 'contact') = (contact_id IS NOT NULL)),
    CHECK ((kind = 'record') = (record_id IS NOT NULL AND crm IS NOT NULL AND object IS NOT NULL))
) STRICT;
INSERT INTO blocks_with_contacts (id, client, kind, crm, object, record_id, number, code, params, source, since, until,
                                  who, lifted_at, lifted_by, lifted_why, withdrawn_seen)
SELECT id, client, kind, crm, object, record_id, number, code, params, source, since, until, who, lifted_at, lifted_by,
       lifted_why, withdrawn_seen
FROM blocks;
DROP TABLE blocks;
ALTER TABLE blocks_with_contacts RENAME TO blocks;
CREATE UNIQUE INDEX blocks_number ON blocks (number, client, source) WHERE lifted_at IS NULL AND kind = 'number';
CREATE UNIQUE INDEX blocks_record ON blocks (record_id, crm, object, client, source)
    WHERE lifted_at IS NULL AND kind = 'record';
CREATE UNIQUE INDEX blocks_contact ON blocks (contact_id, client, source) WHERE lifted_at IS NULL AND kind = 'contact';

-- What was locked by hand before was only a wish of its lane.
INSERT INTO blocks (client, kind, contact_id, code, params, source, since)
SELECT client, 'contact', contact_id, 'locked_by_hand', wish_params, 'operator', coalesce(locked_at, created_at)
FROM links WHERE wish = 'locked' AND wish_code = 'locked_by_hand' AND contact_id IS NOT NULL
GROUP BY contact_id;

CREATE VIEW v_blocks AS
SELECT id AS block,
       kind,
       client,
       crm,
       object,
       record_id AS record,
       number,
       contact_id AS contact,
       code AS why,
       params AS why_details,
       source,
       since,
       until,
       who,
       CASE WHEN lifted_at IS NOT NULL THEN 'lifted' ELSE 'in force' END AS state,
       lifted_at AS lifted,
       lifted_by,
       lifted_why
FROM blocks;

-- The numbers that a link's contact has by what we sent and what was answered, in E.164; while a write is in doubt
-- the old ones and the new ones. Beside these: what its record maps to (link_numbers), and what a sweep saw
-- (contact_numbers).
CREATE TABLE sent_numbers (
    number  TEXT NOT NULL,
    link_id INTEGER NOT NULL REFERENCES links (id),
    PRIMARY KEY (number, link_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sent_numbers_by_link ON sent_numbers (link_id);
INSERT OR IGNORE INTO sent_numbers (number, link_id)
SELECT CASE WHEN number LIKE '+%' THEN number ELSE '+' || number END, link_id
FROM (SELECT l.id AS link_id, json_extract(f.value, '$.dialler') AS number FROM links l, json_each(l.base) f
      WHERE f.key LIKE 'PhoneNumber_')
WHERE number GLOB '+[1-9]*' OR number GLOB '[1-9]*';

-- Contacts that are not ours and bear a blocked number: locked, unless [blocks] foreign = "report".
CREATE VIEW v_blocked_foreign AS
SELECT c.contact_id AS contact, c.campaign_id AS campaign, b.id AS block, b.client,
       coalesce((SELECT l.lock_state FROM links l WHERE l.contact_id = c.contact_id), 'open') AS lock_state
FROM blocks b
JOIN contact_numbers n ON n.number = b.number
JOIN contacts c ON c.contact_id = n.contact_id
WHERE b.kind = 'number' AND b.lifted_at IS NULL AND c.gone_at IS NULL
  AND EXISTS (SELECT 1 FROM routes r WHERE r.client = b.client AND r.campaign_id = c.campaign_id)
  AND NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = c.contact_id AND l.route IS NOT NULL);

-- Nobody takes anything out of the trail.
CREATE TRIGGER changes_are_not_deleted BEFORE DELETE ON changes
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;

-- What is erased after [ledger] keep_bodies is found without looking at everything.
CREATE INDEX operations_bodies ON operations (finished_at) WHERE body IS NOT NULL AND finished_at IS NOT NULL;
CREATE INDEX attempts_details ON attempts (answered_at) WHERE detail <> '';
