CREATE TABLE tradesync_limits (
  limit_key VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- Theoretical arrival time of the next call, in microseconds since 1970 by the database's clock.
  tat_us BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (limit_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
