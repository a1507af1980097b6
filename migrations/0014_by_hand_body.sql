-- An update by hand sends what the person gave, whatever is decided about the record meanwhile: its body stands on the
-- operation from the beginning. NULL: an operation of another sort; '{}': erased after its time.
ALTER TABLE operations ADD COLUMN given TEXT CHECK (given IS NULL OR json_valid(given));
