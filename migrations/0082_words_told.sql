-- The server's words about what it did not take from us go with the bodies here, too: only what is not erased yet stands in these.
CREATE INDEX write_backs_words ON write_backs (changed_at)
    WHERE code = 'rejected' AND json_extract(params, '$.text') <> '(erased)';
CREATE INDEX edits_words ON edits (since) WHERE code = 'rejected' AND json_extract(params, '$.text') <> '(erased)';
