ALTER TABLE tradesync_schedule_skips DROP KEY age;
ALTER TABLE tradesync_events DROP KEY age;
ALTER TABLE tradesync_runs DROP KEY by_connection_state, DROP KEY by_owner_state;
