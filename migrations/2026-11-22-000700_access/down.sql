DROP TABLE tradesync_idempotency;
DROP TABLE tradesync_api_keys;
