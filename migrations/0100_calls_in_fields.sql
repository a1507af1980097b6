-- A route whose fields tell of objections and of where records stand, and of no call, was noted as one whose calls become fields: the
-- balance of a day could not say of which of the two a call is. Which of them a route is says the config at the next start.
ALTER TABLE routes ADD COLUMN shapes TEXT CHECK (shapes IN ('activities', 'fields', 'both', 'nothing')); -- what a call becomes, by the config last seen
UPDATE routes SET shapes = write_back_shapes;
ALTER TABLE routes DROP COLUMN write_back_shapes;
ALTER TABLE routes RENAME COLUMN shapes TO write_back_shapes;
