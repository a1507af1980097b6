-- The numbers that a record bore when its route's block_if last blocked it: while one of its bearers says no, a number
-- stays blocked, also where that bearer was never in the dialler and so has no link whose numbers could tell.
CREATE TABLE said_numbers (
    block_id INTEGER NOT NULL REFERENCES blocks (id),
    number   TEXT NOT NULL,             -- E.164
    PRIMARY KEY (block_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX said_numbers_by_number ON said_numbers (number);

-- What is known of older blocks: the numbers of the link, and those that the record was the first to block.
INSERT OR IGNORE INTO said_numbers (block_id, number)
SELECT b.id, n.number FROM blocks b
JOIN routes r ON r.crm = b.crm AND r.object = b.object AND b.source = 'crm:' || r.route
JOIN links l ON l.route = r.route AND l.record_id = b.record_id
JOIN link_numbers n ON n.link_id = l.id
WHERE b.kind = 'record' AND b.lifted_at IS NULL;
INSERT OR IGNORE INTO said_numbers (block_id, number)
SELECT b.id, n.number FROM blocks n
JOIN blocks b ON b.kind = 'record' AND b.client = n.client AND b.source = n.source
             AND b.record_id = json_extract(n.params, '$.record')
WHERE n.kind = 'number' AND n.lifted_at IS NULL AND b.lifted_at IS NULL AND n.source LIKE 'crm:%';

-- Of the others the next full pass decides anew, and so notes them.
UPDATE records SET hash = x'' WHERE state = 'blocked' AND link_id IS NULL;
