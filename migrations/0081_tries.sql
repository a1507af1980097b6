-- How often an operation was tried is stored with it when its sending ends; until then its tries stand in their own table only.
DROP VIEW v_operations;
CREATE VIEW v_operations AS
SELECT o.id AS operation,
       o.kind,
       o.state,
       o.code AS why,
       o.params AS why_details,
       o.cause,
       l.route,
       l.record_id AS record,
       l.user_data,
       coalesce(o.contact_id, l.contact_id) AS contact,
       o.generation,
       max(o.attempts, (SELECT count(*) FROM attempts a WHERE a.operation_id = o.id)) AS attempts,
       o.created_at AS created,
       o.not_before AS next_attempt,
       o.settle_at AS asked_about_from,
       o.finished_at AS finished,
       o.outcome,
       o.outcome_params AS outcome_details,
       o.run_id AS run
FROM operations o
JOIN links l ON l.id = o.link_id;
