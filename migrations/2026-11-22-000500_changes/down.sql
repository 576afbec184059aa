DROP TABLE tradesync_retries;
DROP TABLE tradesync_changes;
