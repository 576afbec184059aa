-- Links that are set aside mean nothing without it, and their targets may be taken.
DELETE FROM tradesync_links WHERE target_space IS NULL;
ALTER TABLE tradesync_links MODIFY target_space CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL;
