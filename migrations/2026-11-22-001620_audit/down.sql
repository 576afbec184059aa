DROP TABLE tradesync_audit;
