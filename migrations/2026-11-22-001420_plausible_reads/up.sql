-- Whether a read counts when the usual size of the source is asked for.
ALTER TABLE tradesync_reads ADD COLUMN plausible TINYINT(1) NOT NULL DEFAULT 1;
