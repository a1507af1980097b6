-- Of what block_if reads, a digest as of the first look at our own no: once it is another one and the record still says no, somebody
-- over there has said so, too.
ALTER TABLE write_backs ADD COLUMN no_rests_on BLOB;
