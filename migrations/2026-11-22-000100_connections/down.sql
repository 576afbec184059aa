DROP TABLE tradesync_streams;
DROP TABLE tradesync_connections;
