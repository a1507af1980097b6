-- What a daily limit counts: additions have one by default, so it is counted in every push.

CREATE INDEX operations_leased ON operations (kind, leased_at) WHERE leased_at IS NOT NULL;
