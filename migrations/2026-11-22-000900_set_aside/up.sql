-- NULL: the link is set aside and holds nothing in the target. Its connection has gone over to another system of the source, whose own
-- links may have the target meanwhile.
ALTER TABLE tradesync_links MODIFY target_space CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL;
