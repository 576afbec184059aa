CREATE TABLE tradesync_link_spaces (
  id CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_links (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  space CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(255) NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  target_space CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  target_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  witness VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  candidates MEDIUMTEXT NOT NULL,
  origin VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  written MEDIUMTEXT NOT NULL,
  source_seen_at DATETIME(6) NULL,
  run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY source (space, source_key),
  UNIQUE KEY target (target_space, target_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
