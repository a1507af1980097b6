-- What a harvest saw beside its balance, for status and people.
ALTER TABLE sweeps ADD COLUMN requests_elsewhere INTEGER NOT NULL DEFAULT 0; -- history requests for contacts of ours in
                                                                           -- campaigns that are not listed
ALTER TABLE sweeps ADD COLUMN read_elsewhere INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweeps ADD COLUMN held INTEGER NOT NULL DEFAULT 0;    -- missing contacts, too many at once to be asked about
ALTER TABLE sweeps ADD COLUMN in_gap INTEGER NOT NULL DEFAULT 0;  -- rows read with a time that the zone does not have
CREATE INDEX sweeps_began ON sweeps (began_at);

-- A person said that this contact really is missing: it is asked about, however many are missing with it.
ALTER TABLE harvest_due ADD COLUMN believed INTEGER NOT NULL DEFAULT 0 CHECK (believed IN (0, 1));

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
       s.requests_likely,
       s.requests_elsewhere,
       s.requests_single,
       s.found_by_audit,
       s.not_adding_up,
       s.missing,
       s.held,
       r.error,
       coalesce(r.remark, s.remark) AS remark
FROM runs r
LEFT JOIN sweeps s ON s.run_id = r.id;

-- Nobody names a contact by hand: what is so entered is a contact that was found in another campaign.
DROP VIEW v_due;
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
            WHEN 'hint'    THEN 'it was moved to another campaign'
            WHEN 'sum'     THEN 'its tries and its calls do not add up'
            WHEN 'missing' THEN 'a complete list did not name it' END AS why,
       d.since,
       d.failed AS failed_reads
FROM harvest_due d
LEFT JOIN contacts c ON c.contact_id = d.contact_id
LEFT JOIN links l ON l.contact_id = d.contact_id AND l.route IS NOT NULL;
