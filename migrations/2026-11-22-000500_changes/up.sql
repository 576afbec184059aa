CREATE TABLE tradesync_changes (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(255) NOT NULL,
  target_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  witness VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  op VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  fields MEDIUMTEXT NOT NULL,
  reason TEXT NOT NULL,
  outcome VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  undo_rule VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  link_origin VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
  source_seen_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY by_state (run_id, state, id),
  KEY by_outcome (run_id, outcome, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_retries (
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  source_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(255) NOT NULL,
  reason TEXT NOT NULL,
  attempts INT UNSIGNED NOT NULL,
  first_run CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  last_run CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  first_at DATETIME(6) NOT NULL,
  last_at DATETIME(6) NOT NULL,
  PRIMARY KEY (connection_id, stream, source_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
