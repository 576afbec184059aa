ALTER TABLE tradesync_picture_wishes DROP COLUMN change_id;
