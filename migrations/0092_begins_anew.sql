-- Whose contact is to begin anew when its record is back: the reset is sent then, not while the record is away, because it may unlock,
-- and wipe a result that nobody has read. Those that wait since their records left wait for the return as well.
ALTER TABLE links ADD COLUMN begins_anew INTEGER NOT NULL DEFAULT 0;
UPDATE links SET begins_anew = 1 WHERE wish = 'locked' AND id IN
    (SELECT link_id FROM operations WHERE kind = 'reset' AND state = 'waiting' AND code <> 'by_hand');
UPDATE operations SET state = 'superseded', finished_at = created_at, outcome = 'newer'
WHERE kind = 'reset' AND state = 'waiting' AND code <> 'by_hand';
