DROP TABLE tradesync_hooks;
