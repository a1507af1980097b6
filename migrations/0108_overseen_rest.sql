-- What a contact that is to be out of reach showed in fields that no side has agreed on, as it was last seen (a digest); NULL: it
-- was not looked at yet. The lock is sent again when it changes.
ALTER TABLE links ADD COLUMN overseen_rest BLOB;
