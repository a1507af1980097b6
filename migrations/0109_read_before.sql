-- What the CRM had before it is told is read, too.
DROP VIEW v_changes;
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
       c.write_back_id AS write_back,
       c.field,
       CASE WHEN c.before_digest IS NULL THEN c.before ELSE 'erased' END AS before,
       CASE c.before_from WHEN 'base' THEN 'what both sides last agreed on' WHEN 'answer' THEN 'a read of that side'
            ELSE 'nothing is known' END AS before_from,
       CASE WHEN c.after_digest IS NULL THEN c.after ELSE 'erased' END AS after,
       c.cause,
       lower(hex(c.chain)) AS chain
FROM changes c
LEFT JOIN links l ON l.id = c.link_id
LEFT JOIN operations o ON o.id = c.operation_id;
