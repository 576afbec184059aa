ALTER TABLE tradesync_links DROP COLUMN linked_at;

ALTER TABLE tradesync_records DROP COLUMN run_id;

ALTER TABLE tradesync_changes DROP KEY by_source;
