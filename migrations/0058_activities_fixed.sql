-- Whether the CRM lets an activity that is there be changed: what cannot be is not asked for again.
ALTER TABLE routes ADD COLUMN activities TEXT NOT NULL DEFAULT 'change' CHECK (activities IN ('change', 'fixed'));
