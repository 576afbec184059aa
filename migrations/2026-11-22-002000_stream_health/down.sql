DROP TABLE tradesync_stream_health;
