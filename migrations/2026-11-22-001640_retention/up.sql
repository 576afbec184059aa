-- Lists that are read by id, and what retention looks for.
ALTER TABLE tradesync_runs
  ADD KEY by_flow (flow, id),
  ADD KEY by_state (state, id),
  ADD KEY by_connection (connection_id, id),
  ADD KEY by_phase (connection_id, phase, finished_at);

ALTER TABLE tradesync_changes ADD KEY by_run (run_id, id);

ALTER TABLE tradesync_reads ADD KEY age (finished_at);

-- A run that left intents behind says so by its phase, so that nobody has to look through the changes of all runs for them.
UPDATE tradesync_runs r SET phase = 'apply'
  WHERE phase = 'done' AND EXISTS (SELECT 1 FROM tradesync_changes c WHERE c.run_id = r.id AND c.state = 'applying');
