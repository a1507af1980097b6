-- How far a full pass listened for objections while a fault of many records holds its place.
ALTER TABLE full_passes ADD COLUMN heard TEXT;
