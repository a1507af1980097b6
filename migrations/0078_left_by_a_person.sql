-- What a person did not want is known to be so, and is not brought up again by what was said before the word.

-- Records that the CRM does not name any more, and of whom a person did not believe that they are gone: a list of deletions that still
-- names them asks for nobody. Until the record is found, or found gone.
CREATE TABLE absences_left (
    route     TEXT NOT NULL REFERENCES routes (route),
    record_id TEXT NOT NULL,
    at        TEXT NOT NULL,
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;

DROP VIEW v_conflicts;
CREATE VIEW v_conflicts AS
SELECT e.id AS conflict,
       l.route,
       l.record_id AS record,
       l.user_data,
       l.contact_id AS contact,
       e.field,
       CASE WHEN e.code = 'discarded'   THEN 'a person did not want it told'
            WHEN e.state = 'conflict'   THEN 'both sides changed it'
            WHEN e.state = 'refused'    THEN 'the CRM does not take the dialler''s value' END AS what,
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
