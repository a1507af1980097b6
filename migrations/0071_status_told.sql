-- Where a record stands in the dialler, as the CRM is told of it.
ALTER TABLE routes ADD COLUMN status_told TEXT NOT NULL DEFAULT 'kept' CHECK (status_told IN ('told', 'kept'));

-- Links of which something moved that is told. Whatever moves it, the row that holds it says so: nobody can forget to.
CREATE TABLE status_due (
    link_id INTEGER PRIMARY KEY REFERENCES links (id) ON DELETE CASCADE
) STRICT;
CREATE TRIGGER links_status_moved AFTER UPDATE OF contact_id, wish, wish_code, wish_params, vanished_at, base ON links
WHEN (OLD.contact_id IS NOT NEW.contact_id OR OLD.wish IS NOT NEW.wish OR OLD.wish_code IS NOT NEW.wish_code
      OR OLD.wish_params IS NOT NEW.wish_params OR OLD.vanished_at IS NOT NEW.vanished_at
      -- Another number may stand where the marked one stood.
      OR OLD.base IS NOT NEW.base AND EXISTS (SELECT 1 FROM invalid_numbers i WHERE i.link_id = NEW.id))
     AND EXISTS (SELECT 1 FROM routes r WHERE r.route = NEW.route AND r.status_told = 'told')
BEGIN
    INSERT OR IGNORE INTO status_due (link_id) VALUES (NEW.id);
END;
CREATE TRIGGER contacts_next_try_moved AFTER UPDATE OF next_try ON contacts
WHEN OLD.next_try IS NOT NEW.next_try
BEGIN
    INSERT OR IGNORE INTO status_due (link_id)
    SELECT l.id FROM links l JOIN routes r ON r.route = l.route
    WHERE l.contact_id = NEW.contact_id AND r.status_told = 'told';
END;

-- The slots that the dialler marked as invalid when the contact was last seen; and the numbers that stood in a slot when its
-- mark came. The mark stays on the slot when the number is corrected, so it says nothing about the next one.
ALTER TABLE contacts ADD COLUMN invalid TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(invalid));
CREATE TABLE invalid_numbers (
    link_id INTEGER NOT NULL REFERENCES links (id) ON DELETE CASCADE,
    number  TEXT NOT NULL,                   -- E.164, or as the dialler writes it
    at      TEXT NOT NULL,                   -- when the mark was first seen
    cause   INTEGER,                         -- the slot's last cause code
    PRIMARY KEY (link_id, number)
) STRICT, WITHOUT ROWID;
