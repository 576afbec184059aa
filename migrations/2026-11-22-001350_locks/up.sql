CREATE TABLE tradesync_locks (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  target_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  -- A JSON list; an empty one locks the whole item.
  fields TEXT NOT NULL,
  note TEXT NOT NULL,
  set_by VARCHAR(255) NOT NULL,
  set_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY by_connection (connection_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
