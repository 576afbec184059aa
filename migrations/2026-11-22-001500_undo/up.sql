-- Which run an undo takes back.
ALTER TABLE tradesync_runs ADD COLUMN undo_of CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL;

-- What a change remembers beside old and new values, so that it can be undone; by field.
ALTER TABLE tradesync_changes ADD COLUMN kept MEDIUMTEXT NULL;

-- Source values that an undo took back, by field: left alone until the source's value moves.
ALTER TABLE tradesync_links ADD COLUMN undone MEDIUMTEXT NULL;
