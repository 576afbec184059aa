-- Failed items get an id of their own, a class, a time for the next attempt, and may be dismissed by a person.
ALTER TABLE tradesync_retries
  ADD COLUMN id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL FIRST,
  ADD COLUMN code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER reason,
  ADD COLUMN class VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'bad_item' AFTER code,
  -- Refused by a rule, before anything was tried in the target.
  ADD COLUMN by_rule TINYINT(1) NOT NULL DEFAULT 1 AFTER class,
  -- State of the source item when it failed last.
  ADD COLUMN source_hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN next_at DATETIME(6) NULL,
  -- The run that took it up last, whatever came of it.
  ADD COLUMN tried_run CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN dismissed_at DATETIME(6) NULL;

UPDATE tradesync_retries SET
  id = CONCAT(LOWER(LPAD(HEX(CAST(UNIX_TIMESTAMP(first_at) * 1000 AS UNSIGNED)), 12, '0')), LEFT(MD5(CONCAT_WS('|', connection_id, stream, source_key)), 20)),
  code = LEFT(SUBSTRING_INDEX(SUBSTRING_INDEX(reason, '"code":"', -1), '"', 1), 64),
  next_at = last_at;

ALTER TABLE tradesync_retries
  MODIFY COLUMN id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  MODIFY COLUMN next_at DATETIME(6) NOT NULL,
  ADD UNIQUE KEY id (id),
  ADD KEY by_connection (connection_id, id);
