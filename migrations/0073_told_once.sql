-- Within an upsert SQLite takes the upsert's own answer to a conflict for that of a trigger, too: `OR IGNORE` counted for nothing
-- there, and the second move of a contact that was due already failed. So each is asked for before it is entered.
DROP TRIGGER links_status_moved;
CREATE TRIGGER links_status_moved AFTER UPDATE OF contact_id, wish, wish_code, wish_params, vanished_at, base ON links
WHEN (OLD.contact_id IS NOT NEW.contact_id OR OLD.wish IS NOT NEW.wish OR OLD.wish_code IS NOT NEW.wish_code
      OR OLD.wish_params IS NOT NEW.wish_params OR OLD.vanished_at IS NOT NEW.vanished_at
      -- Another number may stand where the marked one stood.
      OR OLD.base IS NOT NEW.base AND EXISTS (SELECT 1 FROM invalid_numbers i WHERE i.link_id = NEW.id))
     AND EXISTS (SELECT 1 FROM routes r WHERE r.route = NEW.route AND r.status_told = 'told')
     AND NOT EXISTS (SELECT 1 FROM status_due d WHERE d.link_id = NEW.id)
BEGIN
    INSERT INTO status_due (link_id) VALUES (NEW.id);
END;
DROP TRIGGER contacts_next_try_moved;
CREATE TRIGGER contacts_next_try_moved AFTER UPDATE OF next_try ON contacts
WHEN OLD.next_try IS NOT NEW.next_try
BEGIN
    INSERT INTO status_due (link_id)
    SELECT l.id FROM links l JOIN routes r ON r.route = l.route
    WHERE l.contact_id = NEW.contact_id AND r.status_told = 'told'
      AND NOT EXISTS (SELECT 1 FROM status_due d WHERE d.link_id = l.id);
END;

-- A no that waited in the row of its record's fields when it got a way of its own.
UPDATE write_backs SET objection = 'waits'
WHERE kind = 'fields' AND objection IS NULL AND state NOT IN ('done', 'never', 'gone')
  AND link_id IN (SELECT l.id FROM links l JOIN routes r ON r.route = l.route WHERE r.blocks_told = 'told');

-- Once it arrived, the row is looked at again for what could not go along. What is refused ends there, and is not sent for ever.
ALTER TABLE write_backs ADD COLUMN then_again INTEGER NOT NULL DEFAULT 0 CHECK (then_again IN (0, 1));
