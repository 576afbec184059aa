DROP TABLE tradesync_schedule_runs;
DROP TABLE tradesync_schedule_skips;
DROP TABLE tradesync_schedules;
