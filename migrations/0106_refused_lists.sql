-- The list of a campaign that no route names, and that the dialler does not give (it may be gone), is not asked for again before.
ALTER TABLE sweeps ADD COLUMN refused_until TEXT;
