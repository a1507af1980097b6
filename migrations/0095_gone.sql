-- Contacts that are gone, by when that was known: the nightly look for those that nothing needs walks past nobody else.
CREATE INDEX contacts_gone ON contacts (gone_at) WHERE gone_at IS NOT NULL;
-- Records that are gone from the CRM, likewise.
CREATE INDEX records_gone ON records (since) WHERE code IN ('record_deleted', 'record_gone');
