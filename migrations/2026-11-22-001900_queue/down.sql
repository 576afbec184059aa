ALTER TABLE tradesync_connections DROP COLUMN source_system;
DROP TABLE tradesync_turns;
DROP TABLE tradesync_queue;
