DROP TABLE tradesync_offered_streams;
