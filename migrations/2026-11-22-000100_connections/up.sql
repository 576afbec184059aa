CREATE TABLE tradesync_connections (
  id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  flow VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(191) NOT NULL,
  owner VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  enabled TINYINT(1) NOT NULL,
  settings MEDIUMTEXT NOT NULL,
  secrets MEDIUMTEXT NOT NULL,
  link_space CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  deleted_at DATETIME(6) NULL,
  PRIMARY KEY (id),
  KEY owner (owner)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_streams (
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(191) NOT NULL,
  enabled TINYINT(1) NOT NULL,
  settings MEDIUMTEXT NOT NULL,
  sync_cursor DATETIME(6) NULL,
  last_synced_at DATETIME(6) NULL,
  last_whole_read_at DATETIME(6) NULL,
  full_every_seconds BIGINT UNSIGNED NULL,
  last_run CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  version BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (connection_id, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
