-- Whether a record was asked for already is looked up for each record of a full pass or of a list of deletions: by the
-- route alone each of them walked all the others, and twenty thousand missing records held the writer for seconds.
CREATE INDEX hints_of_record ON hints (route, record_id, source) WHERE taken_at IS NULL;
