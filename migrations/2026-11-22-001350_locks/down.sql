DROP TABLE tradesync_locks;
