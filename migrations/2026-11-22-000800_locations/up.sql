-- A stream's key of 191 characters of any script is up to 2,292 bytes when percent-encoded.
ALTER TABLE tradesync_idempotency MODIFY location TEXT NULL;
