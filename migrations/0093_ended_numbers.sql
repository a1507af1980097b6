-- Whose contact is locked because its record got a number on which somebody else was called to an end is found by that call, like
-- whoever is kept out or stays locked because of one.
DROP INDEX records_final;
CREATE INDEX records_final ON records (json_extract(params, '$.call')) WHERE code IN ('final_result', 'number_ended');
DROP INDEX links_final;
CREATE INDEX links_final ON links (json_extract(wish_params, '$.call')) WHERE wish_code IN ('final_result', 'number_ended');
