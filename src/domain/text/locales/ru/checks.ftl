# What a check of a connection says (POST /connections/{id}/check).
check_billz1_accepted = Billz 1 принимает имя пользователя и ключ.
check_billz2_company = Ключ открывает компанию { $company }.
check_billz2_accepted = Ключ принят.
check_billz2_shops = { $count ->
    [one] Можно синхронизировать { $count } магазин.
    [few] Можно синхронизировать { $count } магазина.
   *[other] Можно синхронизировать { $count } магазинов.
}
check_billz2_currency = Цены компании — в { $currency }.
check_billz2_currency_untold = Billz не сообщает валюту компании; цены без валюты считаются ценами в валюте сайта.
check_shop = OpenCart отвечает: языков — { $languages }, групп покупателей — { $groups }, валюта { $currency }.
check_shop_without_currency = OpenCart отвечает: языков — { $languages }, групп покупателей — { $groups }; валюта не задана.
check_shop_time_zone = Часовой пояс магазина { $zone } не известен ни этому серверу, ни базе: используется UTC.
check_shop_no_emoji = Таблицы магазина не хранят эмодзи и подобные знаки: в названиях и описаниях они пропускаются.
check_pictures = Картинки записываются: { $place }.
check_pictures_none = Новые товары будут без картинок: задайте images.dir или, если сервису не виден диск магазина, opencart.bridge_url.
check_pictures_fault = Картинки не записываются: { $detail }
check_fault_remote_unavailable = Billz не отвечает, попробуйте через несколько минут. { $detail }
check_fault_remote_rate_limited = Billz просит подождать, попробуйте через несколько минут. { $detail }
check_fault_remote_auth = Billz не принимает секретный ключ (у Billz 1 — или USERNAME): введите их заново, как их дал Billz. { $detail }
check_fault_remote_forbidden = У секретного ключа нет нужного права в Billz, попросите Billz его дать. { $detail }
check_fault_remote_protocol = Ответ Billz не удалось прочитать: проверьте адрес Billz и попробуйте ещё раз. { $detail }
check_fault_remote_rejected = Billz отклонил запрос, вот его ответ: { $detail }
check_fault_config_invalid = Одна из настроек этого не позволяет, исправьте названное: { $detail }
check_fault_target_unavailable = База магазина не отвечает: проверьте её адрес и работает ли она. { $detail }
check_fault_target_schema = В базе магазина нет нужной таблицы или столбца: проверьте префикс таблиц (table_prefix) и принадлежность товаров продавцам. { $detail }
check_fault_other = Не получилось: { $detail }
