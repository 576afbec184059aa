-- Which change wished for these pictures: it remembers what stood there before they were shown.
ALTER TABLE tradesync_picture_wishes ADD COLUMN change_id BIGINT UNSIGNED NULL;
