CREATE TABLE tradesync_audit (
  id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at DATETIME(6) NOT NULL,
  key_id VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  key_name VARCHAR(191) NOT NULL,
  on_behalf_of VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  action VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  resource TEXT NOT NULL,
  flow VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  owner VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  -- What stood before and after, as far as it differs; secrets are masked.
  old_values MEDIUMTEXT NULL,
  new_values MEDIUMTEXT NULL,
  request_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  PRIMARY KEY (id),
  KEY by_connection (connection_id, id),
  KEY by_owner (owner, id),
  KEY by_run (run_id, id),
  KEY by_key (key_id, id),
  KEY by_action (action, id),
  KEY age (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
