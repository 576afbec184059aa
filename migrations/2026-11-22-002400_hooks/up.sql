-- What remotes have told us by webhook and no run has dealt with yet; dealt-with rows stay for the answer to "why".
CREATE TABLE tradesync_hooks (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  source_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  target_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  ask MEDIUMTEXT NOT NULL,
  received_at DATETIME(6) NOT NULL,
  fresh TINYINT(1) NOT NULL DEFAULT 1,
  settled_at DATETIME(6) NULL,
  outcome VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  PRIMARY KEY (id),
  KEY waiting (connection_id, stream, settled_at, id),
  KEY fresh (fresh, connection_id, stream),
  KEY of_item (connection_id, source_key, id),
  KEY old (settled_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
