-- The ledger for people: plain words, one view per question. Times are UTC.

CREATE VIEW v_calls AS
SELECT k.history_id AS call,
       k.revision,
       k.contact_id AS contact,
       l.route,
       l.record_id AS record,
       coalesce(l.user_data, json_extract(k.row, '$.UserData')) AS user_data,
       k.campaign_id AS campaign,
       CASE k.outbound WHEN 1 THEN 'out' WHEN 0 THEN 'in' END AS direction,
       CASE k.test WHEN 1 THEN 'yes' ELSE 'no' END AS test_call,
       k.number,
       k.started_at AS started,
       k.ended_at AS ended,
       json_extract(k.row, '$.dtCallConnect') IS NOT NULL AS answered,
       json_extract(k.row, '$.CauseCodesID') AS cause_code,
       json_extract(k.row, '$.UsersID') AS agent,
       k.result_code,
       r.name AS result,
       r.export_key AS result_key,
       CASE WHEN k.result_code IS NOT NULL THEN 'given'
            WHEN k.no_result_given = 1 THEN 'no result given'
            WHEN k.open = 1 THEN 'waiting'
            ELSE 'none' END AS result_state,
       k.started_text AS started_as_received,
       k.resolved AS time_read,
       k.first_seen_at AS first_seen,
       k.changed_at AS changed,
       k.run_id AS run
FROM calls k
LEFT JOIN links l ON l.id = k.link_id
LEFT JOIN result_codes r ON r.campaign_id = k.campaign_id AND r.code = k.result_code;

CREATE VIEW v_contacts AS
SELECT c.contact_id AS contact,
       c.campaign_id AS campaign,
       c.user_data,
       l.route,
       l.record_id AS record,
       CASE WHEN l.id IS NULL THEN 'foreign' ELSE 'ours' END AS whose,
       CASE WHEN c.gone_at IS NOT NULL THEN 'gone' WHEN c.asked_at IS NOT NULL THEN 'missing' ELSE 'there' END AS state,
       l.lock_state,
       c.tries,
       c.result_code,
       r.name AS result,
       (SELECT count(*) FROM calls k WHERE k.contact_id = c.contact_id) AS calls,
       c.active_at AS last_active,
       c.read_at AS history_read,
       (SELECT min(d.at) FROM harvest_due d WHERE d.contact_id = c.contact_id) AS next_read,
       (SELECT group_concat(d.reason, ' ') FROM harvest_due d WHERE d.contact_id = c.contact_id) AS next_read_why,
       c.audit_at AS next_audit,
       c.gone_at AS gone_since
FROM contacts c
LEFT JOIN links l ON l.contact_id = c.contact_id AND l.route IS NOT NULL
LEFT JOIN result_codes r ON r.campaign_id = c.campaign_id AND r.code = c.result_code;

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
       o.attempts,
       o.created_at AS created,
       o.not_before AS next_attempt,
       o.settle_at AS asked_about_from,
       o.finished_at AS finished,
       o.outcome,
       o.outcome_params AS outcome_details,
       o.run_id AS run
FROM operations o
JOIN links l ON l.id = o.link_id;

CREATE VIEW v_parked AS
SELECT 'record' AS kind, NULL AS operation, route, record_id AS record, user_data, code AS why,
       params AS why_details, since
FROM records WHERE state = 'parked'
UNION ALL
SELECT 'operation', o.id, l.route, l.record_id, l.user_data, coalesce(o.outcome, o.code),
       CASE WHEN o.outcome IS NULL THEN o.params ELSE o.outcome_params END, coalesce(o.finished_at, o.created_at)
FROM operations o JOIN links l ON l.id = o.link_id WHERE o.state = 'parked'
UNION ALL
SELECT 'record without id', NULL, route, NULL, NULL, code, params, first_seen
FROM unidentified;

CREATE VIEW v_blocks AS
SELECT id AS block,
       kind,
       client,
       crm,
       object,
       record_id AS record,
       number,
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

CREATE VIEW v_runs AS
SELECT r.id AS run,
       r.job,
       r.route,
       r.campaign_id AS campaign,
       r.cause,
       r.state,
       r.started_at AS started,
       r.finished_at AS finished,
       round((julianday(r.finished_at) - julianday(r.started_at)) * 86400, 1) AS seconds,
       CASE r.job WHEN 'pull' THEN r.records_read WHEN 'harvest' THEN r.listed WHEN 'push' THEN r.taken END AS read,
       r.unchanged,
       r.queued,
       r.adopted,
       r.skipped,
       r.blocked,
       r.parked,
       r.parked_new,
       r.due,
       r.foreign_contacts,
       r.calls_new,
       r.calls_changed,
       r.requests,
       s.requests_changed,
       s.requests_due,
       s.requests_audit,
       s.requests_single,
       s.found_by_audit,
       s.not_adding_up,
       s.missing,
       r.error,
       s.remark
FROM runs r
LEFT JOIN sweeps s ON s.run_id = r.id;
