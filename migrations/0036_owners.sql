-- The mapped fields of a route that belong to the dialler after the import: the CRM's later changes are not sent.
ALTER TABLE routes ADD COLUMN kept TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(kept));
