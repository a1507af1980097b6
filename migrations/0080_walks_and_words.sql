-- What waits to be told is walked once by a run, page after page from where the last one ended, and not from the beginning for each
-- page: activities by their call, records' fields by their link. Objections are few, and are asked for before each page.
CREATE INDEX write_backs_objections ON write_backs (id) WHERE objection IS NOT NULL;
CREATE INDEX write_backs_calls_waiting ON write_backs (history_id) WHERE state = 'waiting' AND kind = 'activity';
CREATE INDEX write_backs_records_waiting ON write_backs (link_id) WHERE state = 'waiting' AND kind = 'fields';

-- The server's words about an operation that it rejected go with the bodies: only what is not erased yet stands here.
CREATE INDEX operations_words ON operations (finished_at)
    WHERE outcome = 'rejected' AND json_extract(outcome_params, '$.text') <> '(erased)';
