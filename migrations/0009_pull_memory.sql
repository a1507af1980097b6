-- What a pull must remember from run to run.

-- A known id that an answer did not name: a question, until a second look at least ten minutes later.
CREATE TABLE record_absences (
    route     TEXT NOT NULL,
    record_id TEXT NOT NULL,
    asked_at  TEXT NOT NULL,                -- first not found
    gone_at   TEXT,                         -- found gone by the second look
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;

-- A hint that could not be answered waits, and keeps nobody else waiting.
ALTER TABLE hints ADD COLUMN not_before TEXT;
ALTER TABLE hints ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hints ADD COLUMN failure TEXT;  -- why, for people; no personal data

-- What is told of a record beside its state (a text that was cut, a number left out), once.
CREATE TABLE record_notes (
    id        INTEGER PRIMARY KEY,
    route     TEXT NOT NULL,
    record_id TEXT NOT NULL,
    code      TEXT NOT NULL,
    params    TEXT NOT NULL DEFAULT '{}',
    since     TEXT NOT NULL,
    ended_at  TEXT,                         -- a later version of the record gave no reason for it
    run_id    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_notes_standing ON record_notes (route, record_id, code, params) WHERE ended_at IS NULL;
CREATE INDEX record_notes_by_record ON record_notes (route, record_id);

-- The first run that pulled under the revision it pulls under now: what failed before was another mapping's doing.
ALTER TABLE routes ADD COLUMN pulling_revision TEXT;
ALTER TABLE routes ADD COLUMN pulling_run INTEGER;

-- The day on which dated conditions turn out otherwise, of a record whose values are no longer kept.
ALTER TABLE records ADD COLUMN again_on TEXT;

ALTER TABLE runs ADD COLUMN noted INTEGER NOT NULL DEFAULT 0; -- new notes; beside the balance
ALTER TABLE runs ADD COLUMN remark TEXT;    -- what went on beside it (a companion that was not taken)

DROP VIEW v_runs;
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
       r.noted,
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
       coalesce(r.remark, s.remark) AS remark
FROM runs r
LEFT JOIN sweeps s ON s.run_id = r.id;

CREATE VIEW v_notes AS
SELECT n.route,
       n.record_id AS record,
       n.code AS note,
       n.params AS details,
       n.since,
       n.ended_at AS ended,
       n.run_id AS run
FROM record_notes n;
