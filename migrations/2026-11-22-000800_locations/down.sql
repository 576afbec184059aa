ALTER TABLE tradesync_idempotency MODIFY location VARCHAR(500) NULL;
