-- Lists of runs by state, of one owner or connection: without these all runs of that owner, or all in that state, are read for one page.
ALTER TABLE tradesync_runs
  ADD KEY by_owner_state (owner, state, id),
  ADD KEY by_connection_state (connection_id, state, id);

-- What retention looks for.
ALTER TABLE tradesync_events ADD KEY age (at);
ALTER TABLE tradesync_schedule_skips ADD KEY age (last_due_at);
