-- The numbers that stood in a slot when its mark as invalid came, by contact: a contact that was seen with a mark may become a
-- record's later, or another's, and the next look at it finds nothing new.
CREATE TABLE contact_marks (
    contact_id INTEGER NOT NULL REFERENCES contacts (contact_id) ON DELETE CASCADE,
    number     TEXT NOT NULL,                -- E.164, or as the dialler writes it
    at         TEXT NOT NULL,                -- when the mark was first seen
    cause      INTEGER,                      -- the slot's last cause code
    PRIMARY KEY (contact_id, number)
) STRICT, WITHOUT ROWID;

-- Whatever gives a link its contact: a dozen places do, by plain updates, so that OR IGNORE holds. (To ask first whether the row is
-- there would make a temporary table for each import.)
CREATE TRIGGER links_take_marks AFTER UPDATE OF contact_id ON links
WHEN NEW.contact_id IS NOT NULL AND NEW.contact_id IS NOT OLD.contact_id AND NEW.route IS NOT NULL
BEGIN
    INSERT OR IGNORE INTO invalid_numbers (link_id, number, at, cause)
    SELECT NEW.id, m.number, m.at, m.cause FROM contact_marks m WHERE m.contact_id = NEW.contact_id;
END;

-- A mark that came before the contact was a record's was forgotten with its number: the next look counts as the first, and is one
-- at a change. Where a link knows of any mark, its contact's came while it was there, and may be a corrected number's by now.
-- Contacts that are nobody's are looked at when that is due anyway.
UPDATE contacts SET invalid = '[]',
    fingerprint = CASE WHEN contact_id IN (SELECT contact_id FROM links WHERE contact_id IS NOT NULL AND route IS NOT NULL)
                       THEN NULL ELSE fingerprint END
WHERE invalid <> '[]' AND contact_id NOT IN
    (SELECT l.contact_id FROM links l JOIN invalid_numbers i ON i.link_id = l.id WHERE l.contact_id IS NOT NULL);
