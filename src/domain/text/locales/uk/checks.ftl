# What a check of a connection says (POST /connections/{id}/check).
check_billz1_accepted = Billz 1 приймає ім’я користувача і ключ.
check_billz2_company = Ключ відкриває компанію { $company }.
check_billz2_accepted = Ключ прийнято.
check_billz2_shops = { $count ->
    [one] Можна синхронізувати { $count } магазин.
    [few] Можна синхронізувати { $count } магазини.
   *[other] Можна синхронізувати { $count } магазинів.
}
check_billz2_currency = Ціни компанії — у { $currency }.
check_billz2_currency_untold = Billz не повідомляє валюту компанії; ціни без валюти вважаються цінами у валюті сайту.
check_shop = OpenCart відповідає: мов — { $languages }, груп покупців — { $groups }, валюта { $currency }.
check_shop_without_currency = OpenCart відповідає: мов — { $languages }, груп покупців — { $groups }; валюту не задано.
check_shop_time_zone = Часовий пояс магазину { $zone } не відомий ні цьому серверу, ні базі: використовується UTC.
check_shop_no_emoji = Таблиці магазину не зберігають емодзі та подібних знаків: у назвах і описах їх пропущено.
check_pictures = Картинки записуються: { $place }.
check_pictures_none = Нові товари будуть без картинок: задайте images.dir або, якщо сервісу не видно диск магазину, opencart.bridge_url.
check_pictures_fault = Картинки не записуються: { $detail }
check_fault_remote_unavailable = Billz не відповідає, спробуйте за кілька хвилин. { $detail }
check_fault_remote_rate_limited = Billz просить зачекати, спробуйте за кілька хвилин. { $detail }
check_fault_remote_auth = Billz не приймає секретний ключ (у Billz 1 — або USERNAME): введіть їх наново, як їх дав Billz. { $detail }
check_fault_remote_forbidden = Секретному ключу бракує права в Billz, попросіть Billz його дати. { $detail }
check_fault_remote_protocol = Відповідь Billz не вдалося прочитати: перевірте адресу Billz і спробуйте ще раз. { $detail }
check_fault_remote_rejected = Billz відхилив запит, ось його відповідь: { $detail }
check_fault_config_invalid = Одне з налаштувань цього не дозволяє, виправте назване: { $detail }
check_fault_target_unavailable = База магазину не відповідає: перевірте її адресу і чи вона працює. { $detail }
check_fault_target_schema = У базі магазину немає потрібної таблиці або стовпця: перевірте префікс таблиць (table_prefix) і належність товарів продавцям. { $detail }
check_fault_other = Не вдалося: { $detail }
