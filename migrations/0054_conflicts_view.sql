-- Conflicts in plain words: two-way fields whose value a person must choose, and values that the CRM does not take.
CREATE VIEW v_conflicts AS
SELECT e.id AS conflict,
       l.route,
       l.record_id AS record,
       l.user_data,
       l.contact_id AS contact,
       e.field,
       CASE e.state WHEN 'conflict' THEN 'both sides changed it'
                    WHEN 'refused'  THEN 'the CRM does not take the dialler''s value' END AS what,
       e.agreed AS agreed_on,
       e.crm AS crm_has,
       e.dialler AS dialler_has,
       e.rule,
       e.since,
       e.code AS why,
       e.params AS why_details
FROM edits e
JOIN links l ON l.id = e.link_id
WHERE e.state <> 'seen' AND l.route IS NOT NULL;
