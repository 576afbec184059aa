ALTER TABLE tradesync_plans DROP COLUMN told;
