-- risks: which brakes a change speaks to, one bit each. held_reason: the brake that holds it, while it does.
ALTER TABLE tradesync_changes
  ADD COLUMN risks SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN held_reason TEXT NULL;
