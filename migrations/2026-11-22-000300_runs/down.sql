DROP TABLE tradesync_leases;
DROP TABLE tradesync_runs;
