-- What sending must remember of an operation, and find again quickly.

-- A reset: what the ledger knew of the contact when it was leased, {"tries", "result", "fingerprint"}. A
-- harvest between the reset and its settling must not turn "as before" into "as now".
ALTER TABLE operations ADD COLUMN before TEXT CHECK (before IS NULL OR json_valid(before));
-- An update that was rejected while it was to empty a field: the way of emptying it tries next. Known for
-- this operation only, until an answer shows that it was the way and not the rest of the update.
ALTER TABLE operations ADD COLUMN clearing TEXT;
-- What became of a route's last operations (the systemic brake).
CREATE INDEX operations_finished ON operations (finished_at) WHERE state IN ('done', 'parked');
