-- What the target told of a run's looking and writing: how it was read, what that cost, what writing will cost.
ALTER TABLE tradesync_plans ADD COLUMN told TEXT NULL;
