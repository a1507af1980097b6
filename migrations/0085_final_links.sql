-- Whose contact stays locked because of a call is found by the call, once that says another thing.
CREATE INDEX links_final ON links (json_extract(wish_params, '$.call')) WHERE wish_code = 'final_result';
