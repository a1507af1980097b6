-- The nightly walk over the trail passes each row once; those that it passed with their values are looked at again.
CREATE TABLE changes_kept (
    id INTEGER PRIMARY KEY                  -- of `changes`
) STRICT;
-- What persons gave for updates by hand, as far as it is not erased: few.
CREATE INDEX operations_given ON operations (finished_at) WHERE given <> '{}';
