-- "Asked" and "asked, and nobody has it" are two things: only the second lets an import go.
ALTER TABLE links ADD COLUMN absent_at TEXT; -- when the dialler was last asked for the UserData and had no contact
