-- What a decided run waits for: until when it may be approved, when it was, and how far it was from its connection's brakes.
CREATE TABLE tradesync_plans (
  run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  decided_at DATETIME(6) NOT NULL,
  expires_at DATETIME(6) NULL,
  approved_at DATETIME(6) NULL,
  readings TEXT NOT NULL,
  PRIMARY KEY (run_id),
  KEY by_stream (connection_id, stream, decided_at),
  CONSTRAINT tradesync_plans_run FOREIGN KEY (run_id) REFERENCES tradesync_runs (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
