-- What the last real runs of each stream came to: alerts and metrics are told from it, without looking through runs.
CREATE TABLE tradesync_stream_health (
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- Failed runs in a row, the first of them, and the last.
  failures INT UNSIGNED NOT NULL DEFAULT 0,
  failing_since DATETIME(6) NULL,
  failed_run CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  failed_error TEXT NULL,
  -- End of the last run that synchronised the stream.
  last_success_at DATETIME(6) NULL,
  -- Enabled anew: silence before it counts for nothing.
  watched_from DATETIME(6) NULL,
  PRIMARY KEY (connection_id, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

INSERT INTO tradesync_stream_health (connection_id, stream, last_success_at)
  SELECT connection_id, stream, MAX(finished_at) FROM tradesync_runs
  WHERE dry_run = 0 AND items IS NULL AND started_by <> 'undo' AND state IN ('succeeded', 'partial', 'awaiting_approval') AND finished_at IS NOT NULL
  GROUP BY connection_id, stream;
