-- What a sweep costs the dialler, and how a list that takes long is read less often.
ALTER TABLE sweeps ADD COLUMN kind TEXT NOT NULL DEFAULT 'list' CHECK (kind IN ('list', 'likely'));
                                            -- 'likely': the list rested, only contacts likely to move were read
ALTER TABLE sweeps ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;           -- of the list's body
ALTER TABLE sweeps ADD COLUMN list_ms INTEGER NOT NULL DEFAULT 0;         -- from asking for it to its last byte
ALTER TABLE sweeps ADD COLUMN rests_until TEXT;                           -- the list is not read again before; NULL: when due
ALTER TABLE sweeps ADD COLUMN requests_likely INTEGER NOT NULL DEFAULT 0; -- history requests for contacts likely to move
ALTER TABLE sweeps ADD COLUMN read_likely INTEGER NOT NULL DEFAULT 0;

-- From when on the dialler or an agent is likely to touch a contact: its next try or follow-up; reserved: since seen.
ALTER TABLE contacts ADD COLUMN likely_at TEXT;
CREATE INDEX contacts_likely ON contacts (campaign_id, likely_at) WHERE likely_at IS NOT NULL AND gone_at IS NULL;
CREATE INDEX contacts_active ON contacts (campaign_id, active_at) WHERE active_at IS NOT NULL AND gone_at IS NULL;
