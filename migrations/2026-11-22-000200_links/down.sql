DROP TABLE tradesync_links;
DROP TABLE tradesync_link_spaces;
