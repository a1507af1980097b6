-- Which numbers were called: whose record or contact got another number since is known by the one on which they said no.
-- Gone with the call's other texts and numbers (keep_changes).
CREATE TABLE called_numbers (
    number     TEXT NOT NULL,               -- E.164
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    PRIMARY KEY (number, history_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX called_numbers_by_call ON called_numbers (history_id);

-- Of the calls that are there, what stands in the dialler's own form: digits with the country, + or 00 before them or
-- nothing. What a person typed into the portal without a country is not read here, because only the config says which one
-- is meant; and what a call without a number was about nobody noted.
INSERT INTO called_numbers (number, history_id)
SELECT '+' || digits, history_id
FROM (SELECT history_id, CASE WHEN text LIKE '00%' THEN substr(text, 3) ELSE ltrim(text, '+') END AS digits
      FROM (SELECT history_id, trim(number) AS text FROM calls WHERE number IS NOT NULL))
WHERE digits GLOB '[1-9]*' AND digits NOT GLOB '*[^0-9]*';
