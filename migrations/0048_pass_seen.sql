-- The ids that a full pass was shown, until it comes to its end: whoever is known and not among them is asked for.
CREATE TABLE pass_seen (
    pass_id   INTEGER NOT NULL REFERENCES full_passes (id),
    record_id TEXT NOT NULL,
    PRIMARY KEY (pass_id, record_id)
) STRICT, WITHOUT ROWID;
-- Whether a complete walk did not name it; else an answer by id.
ALTER TABLE record_absences ADD COLUMN by_pass INTEGER NOT NULL DEFAULT 0 CHECK (by_pass IN (0, 1));
-- What a pass under way was shown before is not known.
UPDATE full_passes SET token = NULL, heard = NULL WHERE state = 'open';
