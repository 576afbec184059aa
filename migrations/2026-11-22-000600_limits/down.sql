DROP TABLE tradesync_limits;
