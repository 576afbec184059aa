DROP TABLE tradesync_standing;
