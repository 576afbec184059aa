-- Streams that the source named while it was read: what is offered where the remote has no list of them (Billz 1's offices).
CREATE TABLE tradesync_offered_streams (
  connection_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  stream VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(191) NOT NULL,
  PRIMARY KEY (connection_id, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
