-- Records that complete walks do not name, too many at once: a wave that a person decides about, while the route goes on.
ALTER TABLE record_absences ADD COLUMN wave_id INTEGER REFERENCES waves (id);
CREATE INDEX record_absences_wave ON record_absences (wave_id) WHERE wave_id IS NOT NULL;
