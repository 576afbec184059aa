DROP TABLE tradesync_plans;
