DROP TABLE tradesync_inbox;
DROP TABLE tradesync_group_trees;
DROP TABLE tradesync_mappings;
DROP TABLE tradesync_versions;
