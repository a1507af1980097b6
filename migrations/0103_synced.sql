-- When a contact was last brought up to date by us: the CRM is told so where a route wants that, and operations are forgotten in time.
ALTER TABLE links ADD COLUMN synced_at TEXT;
DROP TRIGGER links_status_moved;
CREATE TRIGGER links_status_moved AFTER UPDATE OF contact_id, wish, wish_code, wish_params, vanished_at, base, lock_state, synced_at ON links
WHEN (OLD.contact_id IS NOT NEW.contact_id OR OLD.wish IS NOT NEW.wish OR OLD.wish_code IS NOT NEW.wish_code
      OR OLD.wish_params IS NOT NEW.wish_params OR OLD.vanished_at IS NOT NEW.vanished_at
      OR NEW.wish = 'callable' AND OLD.lock_state IS NOT NEW.lock_state OR OLD.synced_at IS NOT NEW.synced_at
      -- Another number may stand where the marked one stood.
      OR OLD.base IS NOT NEW.base AND EXISTS (SELECT 1 FROM invalid_numbers i WHERE i.link_id = NEW.id))
     AND EXISTS (SELECT 1 FROM routes r WHERE r.route = NEW.route AND r.status_told = 'told')
     AND NOT EXISTS (SELECT 1 FROM status_due d WHERE d.link_id = NEW.id)
BEGIN
    INSERT INTO status_due (link_id) VALUES (NEW.id);
END;
