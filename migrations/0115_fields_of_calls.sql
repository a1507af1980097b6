-- A record's row is there for many reasons (a no, where it stands, an agent's edit); what follows from calls is told only where
-- the CRM is to know of them: since its route's calls go back, or by a person's word on earlier ones (users 10).
ALTER TABLE write_backs ADD COLUMN of_calls INTEGER NOT NULL DEFAULT 0 CHECK (of_calls IN (0, 1));
UPDATE write_backs SET of_calls = 1 WHERE kind = 'fields'
    AND EXISTS (SELECT 1 FROM calls c WHERE c.link_id = write_backs.link_id AND c.test IS NOT 1);
