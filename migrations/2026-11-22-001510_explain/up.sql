-- The last changes of one item, over all runs.
ALTER TABLE tradesync_changes ADD KEY by_source (source_key, id);

-- Which run saw an item last.
ALTER TABLE tradesync_records ADD COLUMN run_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL;

-- Since when a link has had its target.
ALTER TABLE tradesync_links ADD COLUMN linked_at DATETIME(6) NULL;
