DROP TABLE tradesync_events;
