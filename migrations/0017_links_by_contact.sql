-- Who has this contact: asked at every answer, every sweep and every block. The two unique indexes are partial in the
-- route and cannot serve a question that leaves the route open, so each of these read the whole table.
CREATE INDEX links_by_contact ON links (contact_id) WHERE contact_id IS NOT NULL;
