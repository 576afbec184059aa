ALTER TABLE tradesync_links DROP COLUMN undone;

ALTER TABLE tradesync_changes DROP COLUMN kept;

ALTER TABLE tradesync_runs DROP COLUMN undo_of;
