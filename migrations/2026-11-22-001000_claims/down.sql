DROP TABLE tradesync_claims;
