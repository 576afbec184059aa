CREATE TABLE tradesync_records (
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(255) NOT NULL,
  payload MEDIUMTEXT NOT NULL,
  hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source_changed_at DATETIME(6) NULL,
  seen_at DATETIME(6) NOT NULL,
  read_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  gone_at DATETIME(6) NULL,
  PRIMARY KEY (connection_id, source_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_reads (
  id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  since DATETIME(6) NULL,
  summary TEXT NOT NULL,
  finished_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY by_connection (connection_id, finished_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_read_uses (
  read_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (read_id, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
