-- An objection that the CRM is told of goes by itself, before whatever else of its record waits (users 2, 5).
ALTER TABLE write_backs ADD COLUMN objection TEXT -- `again`: under way, and another has come
    CHECK (objection IN ('waits', 'under_way', 'again'));
ALTER TABLE write_backs ADD COLUMN objection_told BLOB;   -- digest of the one last told
