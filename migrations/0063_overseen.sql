-- Of a contact that is to be out of reach: what somebody else wrote into the CRM's fields, as it was last seen (a digest).
-- NULL: nothing. The lock is sent again when it changes, and not at each list that shows it.
ALTER TABLE links ADD COLUMN overseen BLOB;
