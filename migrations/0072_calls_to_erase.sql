-- The nightly erasure finds what is old enough without a walk over all calls; what is erased leaves the index.
CREATE INDEX calls_to_erase ON calls (changed_at) WHERE erased_at IS NULL AND open = 0;
