-- A small invented marketplace in Tashkent for demo and tests: shop settings, dictionaries and ten categories, no
-- products. Written by hand and ours: nothing of OpenCart's demo data is in it. It follows schema.sql, and the same
-- rules hold: statements split on a semicolon at the end of a line, table names stand in backticks.
-- Every column without a default is given, and there are no zero dates, so it loads in strict mode as well.
-- Texts are HTML-escaped once, as the shop stores them. Names that tests may rely on:
--   languages   1 ru-ru (the shop's own), 2 uz-uz, 3 en-gb (disabled: products need a row for it all the same)
--   categories  20 Одежда > 24 Футболки, 26 Платья, 27 Обувь · 25 Электроника > 28 Смартфоны > 31 Чехлы & аксессуары · 29 Дом и сад > 30 Посуда ·
--               33 Новинки продавцов (where products without a mapped category go)
SET NAMES utf8mb4;
INSERT INTO `oc_language` (`language_id`, `name`, `code`, `locale`, `image`, `directory`, `sort_order`, `status`) VALUES
(1, 'Русский', 'ru-ru', 'ru_RU.UTF-8,ru_RU,ru-ru,russian', '', '', 1, 1),
(2, 'O‘zbekcha', 'uz-uz', 'uz_UZ.UTF-8,uz_UZ,uz-uz,uzbek', '', '', 2, 1),
(3, 'English', 'en-gb', 'en_GB.UTF-8,en_GB,en-gb,english', '', '', 3, 0);
INSERT INTO `oc_currency` (`currency_id`, `title`, `code`, `symbol_left`, `symbol_right`, `decimal_place`, `value`, `status`, `date_modified`) VALUES
(1, 'Узбекский сум', 'UZS', '', ' сум', '0', 1.00000000, 1, '2024-03-01 09:00:00');
INSERT INTO `oc_country` (`country_id`, `name`, `iso_code_2`, `iso_code_3`, `address_format`, `postcode_required`, `status`) VALUES
(226, 'Узбекистан', 'UZ', 'UZB', '', 0, 1);
INSERT INTO `oc_zone` (`zone_id`, `country_id`, `name`, `code`, `status`) VALUES
(1, 226, 'Ташкент', 'TK', 1),
(2, 226, 'Самаркандская область', 'SA', 1),
(3, 226, 'Ферганская область', 'FA', 1);
INSERT INTO `oc_setting` (`setting_id`, `store_id`, `code`, `key`, `value`, `serialized`) VALUES
(1, 0, 'config', 'config_name', 'Бозор &quot;Чинор&quot;', 0),
(2, 0, 'config', 'config_owner', 'Бозор &quot;Чинор&quot;', 0),
(3, 0, 'config', 'config_url', 'http://shop.example/', 0),
(4, 0, 'config', 'config_email', 'shop@shop.example', 0),
(5, 0, 'config', 'config_telephone', '+998 71 000 00 00', 0),
(6, 0, 'config', 'config_address', 'Ташкент', 0),
(7, 0, 'config', 'config_meta_title', 'Бозор &quot;Чинор&quot;', 0),
(8, 0, 'config', 'config_meta_description', '', 0),
(9, 0, 'config', 'config_meta_keyword', '', 0),
(10, 0, 'config', 'config_theme', 'default', 0),
(11, 0, 'config', 'config_layout_id', '1', 0),
(12, 0, 'config', 'config_country_id', '226', 0),
(13, 0, 'config', 'config_zone_id', '1', 0),
(14, 0, 'config', 'config_timezone', 'Asia/Tashkent', 0),
(15, 0, 'config', 'config_language', 'ru-ru', 0),
(16, 0, 'config', 'config_admin_language', 'ru-ru', 0),
(17, 0, 'config', 'config_currency', 'UZS', 0),
(18, 0, 'config', 'config_currency_auto', '0', 0),
(19, 0, 'config', 'config_length_class_id', '1', 0),
(20, 0, 'config', 'config_weight_class_id', '1', 0),
(21, 0, 'config', 'config_product_count', '1', 0),
(22, 0, 'config', 'config_limit_admin', '20', 0),
(23, 0, 'config', 'config_tax', '0', 0),
(24, 0, 'config', 'config_tax_default', '', 0),
(25, 0, 'config', 'config_tax_customer', '', 0),
(26, 0, 'config', 'config_customer_group_id', '1', 0),
(27, 0, 'config', 'config_customer_group_display', '["1","2"]', 1),
(28, 0, 'config', 'config_customer_price', '0', 0),
(29, 0, 'config', 'config_stock_display', '0', 0),
(30, 0, 'config', 'config_stock_warning', '0', 0),
(31, 0, 'config', 'config_stock_checkout', '0', 0),
(32, 0, 'config', 'config_stock_status_id', '5', 0),
(33, 0, 'config', 'config_order_status_id', '1', 0),
(34, 0, 'config', 'config_processing_status', '["2"]', 1),
(35, 0, 'config', 'config_complete_status', '["3"]', 1),
(36, 0, 'config', 'config_checkout_guest', '1', 0),
(37, 0, 'config', 'config_seo_url', '1', 0),
(38, 0, 'config', 'config_secure', '0', 0),
(39, 0, 'config', 'config_maintenance', '0', 0),
(40, 0, 'config', 'config_compression', '0', 0),
(41, 0, 'config', 'config_error_display', '0', 0),
(42, 0, 'config', 'config_error_log', '1', 0),
(43, 0, 'config', 'config_error_filename', 'error.log', 0);
INSERT INTO `oc_customer_group` (`customer_group_id`, `approval`, `sort_order`) VALUES
(1, 0, 1),
(2, 1, 2);
INSERT INTO `oc_customer_group_description` (`customer_group_id`, `language_id`, `name`, `description`) VALUES
(1, 1, 'Розница', ''),
(1, 2, 'Chakana', ''),
(1, 3, 'Retail', ''),
(2, 1, 'Опт', 'Только после проверки'),
(2, 2, 'Ulgurji', 'Faqat tekshiruvdan so‘ng'),
(2, 3, 'Wholesale', 'On approval');
INSERT INTO `oc_stock_status` (`stock_status_id`, `language_id`, `name`) VALUES
(5, 1, 'Нет в наличии'),
(5, 2, 'Mavjud emas'),
(5, 3, 'Sold out'),
(6, 1, 'Под заказ 2–3 дня'),
(6, 2, 'Buyurtma 2–3 kun'),
(6, 3, 'To order, 2–3 days'),
(7, 1, 'Есть в наличии'),
(7, 2, 'Mavjud'),
(7, 3, 'Available');
INSERT INTO `oc_order_status` (`order_status_id`, `language_id`, `name`) VALUES
(1, 1, 'Новый'),
(1, 2, 'Yangi'),
(1, 3, 'New'),
(2, 1, 'Собирается'),
(2, 2, 'Yig‘ilmoqda'),
(2, 3, 'Being packed'),
(3, 1, 'Доставлен'),
(3, 2, 'Yetkazildi'),
(3, 3, 'Delivered'),
(4, 1, 'Отменён'),
(4, 2, 'Bekor qilindi'),
(4, 3, 'Cancelled');
INSERT INTO `oc_weight_class` (`weight_class_id`, `value`) VALUES
(1, 1.00000000),
(2, 1000.00000000);
INSERT INTO `oc_weight_class_description` (`weight_class_id`, `language_id`, `title`, `unit`) VALUES
(1, 1, 'Килограмм', 'кг'),
(1, 2, 'Kilogramm', 'kg'),
(1, 3, 'Kilogramme', 'kg'),
(2, 1, 'Грамм', 'г'),
(2, 2, 'Gramm', 'g'),
(2, 3, 'Gramme', 'g');
INSERT INTO `oc_length_class` (`length_class_id`, `value`) VALUES
(1, 1.00000000),
(2, 10.00000000);
INSERT INTO `oc_length_class_description` (`length_class_id`, `language_id`, `title`, `unit`) VALUES
(1, 1, 'Сантиметр', 'см'),
(1, 2, 'Santimetr', 'sm'),
(1, 3, 'Centimetre', 'cm'),
(2, 1, 'Миллиметр', 'мм'),
(2, 2, 'Millimetr', 'mm'),
(2, 3, 'Millimetre', 'mm');
INSERT INTO `oc_layout` (`layout_id`, `name`) VALUES
(1, 'Главная'),
(2, 'Товар'),
(3, 'Категория');
INSERT INTO `oc_layout_route` (`layout_route_id`, `layout_id`, `store_id`, `route`) VALUES
(1, 1, 0, 'common/home'),
(2, 2, 0, 'product/product'),
(3, 3, 0, 'product/category');
INSERT INTO `oc_user_group` (`user_group_id`, `name`, `permission`) VALUES
(1, 'Администратор', '{"access":[],"modify":[]}');
-- Nobody can log in as this one: the password is no hash, and the account is off.
INSERT INTO `oc_user` (`user_id`, `user_group_id`, `username`, `password`, `salt`, `firstname`, `lastname`, `email`, `image`, `code`, `ip`, `status`, `date_added`) VALUES
(1, 1, 'admin', '!', '', 'Админ', '', 'admin@shop.example', '', '', '', 0, '2024-03-01 09:00:00');
INSERT INTO `oc_category` (`category_id`, `image`, `parent_id`, `top`, `column`, `sort_order`, `status`, `date_added`, `date_modified`) VALUES
(20, NULL, 0, 1, 1, 1, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(24, NULL, 20, 0, 1, 1, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(26, NULL, 20, 0, 1, 2, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(27, NULL, 20, 0, 1, 3, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(25, NULL, 0, 1, 1, 2, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(28, NULL, 25, 0, 1, 1, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(31, NULL, 28, 0, 1, 1, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(29, NULL, 0, 1, 1, 3, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(30, NULL, 29, 0, 1, 1, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00'),
(33, NULL, 0, 0, 1, 9, 1, '2024-03-01 09:00:00', '2024-03-01 09:00:00');
INSERT INTO `oc_category_description` (`category_id`, `language_id`, `name`, `description`, `meta_title`, `meta_description`, `meta_keyword`) VALUES
(20, 1, 'Одежда', '', 'Одежда', '', ''),
(20, 2, 'Kiyim', '', 'Kiyim', '', ''),
(20, 3, 'Clothes', '', 'Clothes', '', ''),
(24, 1, 'Футболки', '', 'Футболки', '', ''),
(24, 2, 'Futbolkalar', '', 'Futbolkalar', '', ''),
(24, 3, 'T-shirts', '', 'T-shirts', '', ''),
(26, 1, 'Платья', '', 'Платья', '', ''),
(26, 2, 'Ko‘ylaklar', '', 'Ko‘ylaklar', '', ''),
(26, 3, 'Dresses', '', 'Dresses', '', ''),
(27, 1, 'Обувь', '', 'Обувь', '', ''),
(27, 2, 'Poyabzal', '', 'Poyabzal', '', ''),
(27, 3, 'Shoes', '', 'Shoes', '', ''),
(25, 1, 'Электроника', '', 'Электроника', '', ''),
(25, 2, 'Elektronika', '', 'Elektronika', '', ''),
(25, 3, 'Electronics', '', 'Electronics', '', ''),
(28, 1, 'Смартфоны', '', 'Смартфоны', '', ''),
(28, 2, 'Smartfonlar', '', 'Smartfonlar', '', ''),
(28, 3, 'Smartphones', '', 'Smartphones', '', ''),
(31, 1, 'Чехлы &amp; аксессуары', '', 'Чехлы &amp; аксессуары', '', ''),
(31, 2, 'G‘iloflar &amp; aksessuarlar', '', 'G‘iloflar &amp; aksessuarlar', '', ''),
(31, 3, 'Cases &amp; accessories', '', 'Cases &amp; accessories', '', ''),
(29, 1, 'Дом и сад', '', 'Дом и сад', '', ''),
(29, 2, 'Uy va bog‘', '', 'Uy va bog‘', '', ''),
(29, 3, 'Home and garden', '', 'Home and garden', '', ''),
(30, 1, 'Посуда', '', 'Посуда', '', ''),
(30, 2, 'Idish-tovoq', '', 'Idish-tovoq', '', ''),
(30, 3, 'Tableware', '', 'Tableware', '', ''),
(33, 1, 'Новинки продавцов', '', 'Новинки продавцов', '', ''),
(33, 2, 'Sotuvchilar yangiliklari', '', 'Sotuvchilar yangiliklari', '', ''),
(33, 3, 'New from sellers', '', 'New from sellers', '', '');
-- The closure of the tree: each category with every ancestor and itself, level 0 = the root.
INSERT INTO `oc_category_path` (`category_id`, `path_id`, `level`) VALUES
(20, 20, 0),
(24, 20, 0),
(24, 24, 1),
(26, 20, 0),
(26, 26, 1),
(27, 20, 0),
(27, 27, 1),
(25, 25, 0),
(28, 25, 0),
(28, 28, 1),
(31, 25, 0),
(31, 28, 1),
(31, 31, 2),
(29, 29, 0),
(30, 29, 0),
(30, 30, 1),
(33, 33, 0);
INSERT INTO `oc_category_to_store` (`category_id`, `store_id`) VALUES
(20, 0), (24, 0), (26, 0), (27, 0), (25, 0), (28, 0), (31, 0), (29, 0), (30, 0), (33, 0);
INSERT INTO `oc_category_to_layout` (`category_id`, `store_id`, `layout_id`) VALUES
(20, 0, 0), (24, 0, 0), (26, 0, 0), (27, 0, 0), (25, 0, 0), (28, 0, 0), (31, 0, 0), (29, 0, 0), (30, 0, 0), (33, 0, 0);
INSERT INTO `oc_seo_url` (`seo_url_id`, `store_id`, `language_id`, `query`, `keyword`) VALUES
(1, 0, 1, 'category_id=20', 'odezhda'),
(2, 0, 2, 'category_id=20', 'kiyim'),
(3, 0, 3, 'category_id=20', 'clothes'),
(4, 0, 1, 'category_id=24', 'futbolki'),
(5, 0, 2, 'category_id=24', 'futbolkalar'),
(6, 0, 3, 'category_id=24', 't-shirts'),
(7, 0, 1, 'category_id=26', 'platya'),
(8, 0, 2, 'category_id=26', 'koylaklar'),
(9, 0, 3, 'category_id=26', 'dresses'),
(10, 0, 1, 'category_id=27', 'obuv'),
(11, 0, 2, 'category_id=27', 'poyabzal'),
(12, 0, 3, 'category_id=27', 'shoes'),
(13, 0, 1, 'category_id=25', 'elektronika'),
(14, 0, 2, 'category_id=25', 'elektronika-uz'),
(15, 0, 3, 'category_id=25', 'electronics'),
(16, 0, 1, 'category_id=28', 'smartfony'),
(17, 0, 2, 'category_id=28', 'smartfonlar'),
(18, 0, 3, 'category_id=28', 'smartphones'),
(19, 0, 1, 'category_id=31', 'chehly-i-aksessuary'),
(20, 0, 2, 'category_id=31', 'giloflar-va-aksessuarlar'),
(21, 0, 3, 'category_id=31', 'cases-and-accessories'),
(22, 0, 1, 'category_id=29', 'dom-i-sad'),
(23, 0, 2, 'category_id=29', 'uy-va-bog'),
(24, 0, 3, 'category_id=29', 'home-and-garden'),
(25, 0, 1, 'category_id=30', 'posuda'),
(26, 0, 2, 'category_id=30', 'idish-tovoq'),
(27, 0, 3, 'category_id=30', 'tableware'),
(28, 0, 1, 'category_id=33', 'novinki-prodavcov'),
(29, 0, 2, 'category_id=33', 'sotuvchilar-yangiliklari'),
(30, 0, 3, 'category_id=33', 'new-from-sellers');
