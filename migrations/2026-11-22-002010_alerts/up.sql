-- Channels and rules of alerts, one row for each part of the connections that somebody wants to be told of.
CREATE TABLE tradesync_alert_settings (
  -- Fingerprint of flows and owner.
  scope CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  flows TEXT NULL,
  owner VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  settings MEDIUMTEXT NOT NULL,
  version BIGINT UNSIGNED NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (scope)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- What is not as it should be now. One without told_at was seen, but it is too early to tell.
CREATE TABLE tradesync_alert_conditions (
  id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  rule VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Both empty for what is about the whole service.
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  finding TEXT NOT NULL,
  seen_at DATETIME(6) NOT NULL,
  told_at DATETIME(6) NULL,
  told_level BIGINT UNSIGNED NOT NULL,
  told_times INT UNSIGNED NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY subject (scope, rule, connection_id, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_alerts (
  id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- Condition and how many times it was told: the same news is never stored twice.
  news VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  body MEDIUMTEXT NOT NULL,
  at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY news (scope, news),
  KEY age (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE tradesync_alert_deliveries (
  alert_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempts INT UNSIGNED NOT NULL DEFAULT 0,
  -- When it may be tried; while somebody tries it, when another may.
  next_at DATETIME(6) NULL,
  trying TINYINT(1) NOT NULL DEFAULT 0,
  made_at DATETIME(6) NOT NULL,
  failed_at DATETIME(6) NULL,
  last_error TEXT NULL,
  delivered_at DATETIME(6) NULL,
  PRIMARY KEY (alert_id, channel),
  KEY due (state, next_at),
  KEY by_channel (scope, channel, state, alert_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
