DROP TABLE tradesync_picture_wishes;
DROP TABLE tradesync_pictures;
