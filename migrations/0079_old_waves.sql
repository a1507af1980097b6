-- A wave goes once it is old and over. Which operations it brought is asked before, and without an index over them each night would
-- walk all there ever were, once for each wave. What it let go is taken out of it again then, so that the index stays as long as the waves.
CREATE INDEX operations_by_wave ON operations (wave_id) WHERE wave_id IS NOT NULL;
