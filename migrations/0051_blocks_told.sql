-- Whether a route tells the CRM who must not be called, by the config last seen.
ALTER TABLE routes ADD COLUMN blocks_told TEXT NOT NULL DEFAULT 'kept' CHECK (blocks_told IN ('told', 'kept'));
