-- Fetched pictures by their source address, for each store of pictures.
CREATE TABLE tradesync_pictures (
  place CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  address_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  address TEXT NOT NULL,
  content_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  path VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  etag VARCHAR(255) NULL,
  last_modified VARCHAR(64) NULL,
  checked_at DATETIME(6) NULL,
  -- Of the last failure; null when the last fetch went well.
  reason TEXT NULL,
  attempts INT UNSIGNED NOT NULL DEFAULT 0,
  -- Null with a reason: given up.
  next_at DATETIME(6) NULL,
  PRIMARY KEY (place, address_hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Which pictures an item is to show. Kept when it shows them: `ours` tells our pictures from people's own.
CREATE TABLE tradesync_picture_wishes (
  space CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(255) NOT NULL,
  target_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  witness VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  addresses MEDIUMTEXT NOT NULL,
  ours MEDIUMTEXT NOT NULL,
  -- waiting, failed (some pictures; next_at null = given up), done
  state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  next_at DATETIME(6) NULL,
  PRIMARY KEY (space, source_key),
  KEY due (space, state, source_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
