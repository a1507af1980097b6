-- Questions that are asked again and again, and read whole tables: more with every month of operation.

-- Whether a run queued anything, asked after each push that found nothing to do.
CREATE INDEX operations_run ON operations (run_id) WHERE run_id IS NOT NULL;

-- Who is not to be called and was never looked for, asked by each push. Whoever is to be called never gets in here.
CREATE INDEX links_unmet ON links (id) WHERE contact_id IS NULL AND met_at IS NULL AND wish <> 'callable';
