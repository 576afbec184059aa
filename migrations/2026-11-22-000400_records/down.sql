DROP TABLE tradesync_read_uses;
DROP TABLE tradesync_reads;
DROP TABLE tradesync_records;
