CREATE TABLE tradesync_schedules (
  id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  rule TEXT NOT NULL,
  mode VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  enabled TINYINT(1) NOT NULL,
  -- What the rule says, and the same with its jitter; both empty while stopped or deleted.
  due_at DATETIME(6) NULL,
  next_at DATETIME(6) NULL,
  last_run CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  last_skip BIGINT UNSIGNED NULL,
  -- Whether the last due time was skipped: further ones for the same reason are counted in the same row.
  skipping TINYINT(1) NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  deleted_at DATETIME(6) NULL,
  PRIMARY KEY (id),
  KEY due (next_at),
  KEY by_stream (connection_id, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_schedule_skips (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  schedule_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  first_due_at DATETIME(6) NOT NULL,
  last_due_at DATETIME(6) NOT NULL,
  due_times BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (id),
  KEY by_schedule (schedule_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_schedule_runs (
  run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  schedule_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  due_at DATETIME(6) NOT NULL,
  PRIMARY KEY (run_id),
  -- A due time is run once, whoever claims it: held by the database.
  UNIQUE KEY due (schedule_id, due_at),
  KEY by_schedule (schedule_id, run_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
