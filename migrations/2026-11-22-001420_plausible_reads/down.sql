ALTER TABLE tradesync_reads DROP COLUMN plausible;
