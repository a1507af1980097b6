-- Whoever a number keeps out without ever having had a link is found by what they are blocked by: lifting a list asks so for each of
-- its numbers, and walked all blocked records each time.
CREATE INDEX records_blocked_unlinked ON records (json_extract(params, '$.subject')) WHERE state = 'blocked' AND link_id IS NULL;
