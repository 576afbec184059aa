UPDATE tradesync_runs SET phase = 'done' WHERE phase = 'pruned';

ALTER TABLE tradesync_reads DROP KEY age;

ALTER TABLE tradesync_changes DROP KEY by_run;

ALTER TABLE tradesync_runs
  DROP KEY by_phase,
  DROP KEY by_connection,
  DROP KEY by_state,
  DROP KEY by_flow;
