-- Contacts of a route that the dialler does not name any more: many at once are a wave that waits for a person, as records that
-- the CRM does not name are.
CREATE TABLE contact_absences (
    contact_id  INTEGER PRIMARY KEY,
    route       TEXT NOT NULL,
    campaign_id INTEGER,                        -- where it was last
    asked_at    TEXT NOT NULL,                  -- missed for the first time
    wave_id     INTEGER REFERENCES waves (id),
    left_at     TEXT,                           -- a person does not believe that it is gone
    gone_at     TEXT                            -- and it was
) STRICT;
CREATE INDEX contact_absences_route ON contact_absences (route);
CREATE INDEX contact_absences_wave ON contact_absences (wave_id) WHERE wave_id IS NOT NULL;
