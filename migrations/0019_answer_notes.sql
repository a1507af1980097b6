-- What an answer holds otherwise than it was sent (cut, normalised), told once: the pair is stored as answered, so
-- nothing would ever speak of it again.
CREATE TABLE answer_notes (
    id           INTEGER PRIMARY KEY,
    link_id      INTEGER NOT NULL REFERENCES links (id),
    field        TEXT NOT NULL,
    code         TEXT NOT NULL,
    params       TEXT NOT NULL DEFAULT '{}',  -- lengths, never the values
    since        TEXT NOT NULL,
    ended_at     TEXT,                         -- a later value was answered as sent, or otherwise
    operation_id INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX answer_notes_standing ON answer_notes (link_id, field) WHERE ended_at IS NULL;
CREATE INDEX answer_notes_by_link ON answer_notes (link_id);

-- Whom an import found where nobody should have been: few, and asked for at every look at the state.
CREATE INDEX links_overwritten ON links (id) WHERE overwritten = 1;

DROP VIEW v_notes;
CREATE VIEW v_notes AS
SELECT n.route,
       n.record_id AS record,
       n.code AS note,
       n.params AS details,
       n.since,
       n.ended_at AS ended,
       n.run_id AS run
FROM record_notes n
UNION ALL
SELECT l.route,
       l.record_id,
       a.code,
       a.params,
       a.since,
       a.ended_at,
       o.run_id
FROM answer_notes a
JOIN links l ON l.id = a.link_id
LEFT JOIN operations o ON o.id = a.operation_id;
