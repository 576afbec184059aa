ALTER TABLE tradesync_changes DROP COLUMN risks, DROP COLUMN held_reason;
