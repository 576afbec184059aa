-- What a run's own row does not tell of its way through the queue. A row comes with the first setback and goes when the run ends.
CREATE TABLE tradesync_queue (
  run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  waiting_since DATETIME(6) NOT NULL,
  -- Times it was put back because a database or a remote did not answer.
  setbacks INT UNSIGNED NOT NULL DEFAULT 0,
  -- Times in a row that a worker which held it fell silent, and how far the run had come then.
  losses INT UNSIGNED NOT NULL DEFAULT 0,
  lost_at VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
  PRIMARY KEY (run_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- When a run of an owner (or of a connection without one) was last taken.
CREATE TABLE tradesync_turns (
  party VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  taken_at DATETIME(6) NOT NULL,
  PRIMARY KEY (party)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- The outside system that a connection's runs read from: runs are capped by it. Told by the flow from the settings.
ALTER TABLE tradesync_connections ADD COLUMN source_system VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';
UPDATE tradesync_connections SET source_system =
  IF(flow = 'billz-opencart', IF(settings LIKE '%"api":"billz1"%', 'billz1', 'billz2'), SUBSTRING_INDEX(flow, '-', 1));
