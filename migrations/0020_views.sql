-- More of the ledger in plain words: who is left out on purpose, what was changed, and whose calls are read again when.

CREATE VIEW v_skipped AS
SELECT route,
       record_id AS record,
       user_data,
       CASE state WHEN 'skipped' THEN 'not eligible' WHEN 'blocked' THEN 'blocked' ELSE 'put aside' END AS state,
       coalesce(code, 'discarded') AS why,
       params AS why_details,
       since
FROM records WHERE state IN ('skipped', 'blocked', 'discarded');

CREATE VIEW v_changes AS
SELECT c.id AS change,
       c.at,
       c.side AS changed_in,
       l.route,
       l.record_id AS record,
       l.user_data,
       coalesce(o.contact_id, l.contact_id) AS contact,
       c.operation_id AS operation,
       o.kind AS operation_kind,
       c.field,
       c.before,
       CASE c.before_from WHEN 'base' THEN 'what both sides last agreed on' WHEN 'answer' THEN 'a read of the dialler'
            ELSE 'nothing is known' END AS before_from,
       c.after,
       c.cause
FROM changes c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN operations o ON o.id = c.operation_id;

CREATE VIEW v_due AS
SELECT d.contact_id AS contact,
       c.campaign_id AS campaign,
       c.user_data,
       l.route,
       l.record_id AS record,
       d.at AS due,
       CASE d.reason
            WHEN 'changed' THEN 'it changed'
            WHEN 'ladder'  THEN 'it changed a while ago'
            WHEN 'waiting' THEN 'a call waits for its result or its end'
            WHEN 'ours'    THEN 'we reset or imported it'
            WHEN 'hint'    THEN 'somebody named it'
            WHEN 'sum'     THEN 'its tries and its calls do not add up'
            WHEN 'missing' THEN 'a complete list did not name it' END AS why,
       d.since,
       d.failed AS failed_reads
FROM harvest_due d
LEFT JOIN contacts c ON c.contact_id = d.contact_id
LEFT JOIN links l ON l.contact_id = d.contact_id AND l.route IS NOT NULL;
