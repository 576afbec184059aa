# What a check of a connection says (POST /connections/{id}/check).
check_billz1_accepted = Billz 1 foydalanuvchi nomi va kalitni qabul qildi.
check_billz2_company = Kalit { $company } kompaniyasini ochadi.
check_billz2_accepted = Kalit qabul qilindi.
check_billz2_shops = { $count ->
   *[other] { $count } ta doʻkonni sinxronlash mumkin.
}
check_billz2_currency = Kompaniya narxlari { $currency } da.
check_billz2_currency_untold = Billz kompaniya valyutasini aytmaydi; valyutasiz narxlar sayt valyutasida deb olinadi.
check_shop = OpenCart javob bermoqda: tillar — { $languages }, xaridorlar guruhlari — { $groups }, valyuta { $currency }.
check_shop_without_currency = OpenCart javob bermoqda: tillar — { $languages }, xaridorlar guruhlari — { $groups }; valyuta belgilanmagan.
check_shop_time_zone = Doʻkonning { $zone } vaqt mintaqasi bu serverga ham, bazaga ham nomaʼlum: UTC ishlatiladi.
check_shop_no_emoji = Doʻkon jadvallari emoji kabi belgilarni saqlay olmaydi: ular nom va tavsiflarda tashlab ketiladi.
check_pictures = Rasmlar yozilmoqda: { $place }.
check_pictures_none = Yangi tovarlar rasmsiz boʻladi: images.dir ni yoki xizmat doʻkon diskini koʻrmasa, opencart.bridge_url ni belgilang.
check_pictures_fault = Rasmlar yozilmayapti: { $detail }
check_fault_remote_unavailable = Billz javob bermayapti, bir necha daqiqadan soʻng urinib koʻring. { $detail }
check_fault_remote_rate_limited = Billz kutishni soʻradi, bir necha daqiqadan soʻng urinib koʻring. { $detail }
check_fault_remote_auth = Billz maxfiy kalitni (Billz 1 da USERNAME ni ham) qabul qilmadi: ularni Billz berganidek qayta kiriting. { $detail }
check_fault_remote_forbidden = Maxfiy kalitda Billzda kerakli huquq yoʻq, Billzdan soʻrang. { $detail }
check_fault_remote_protocol = Billz javobini oʻqib boʻlmadi: Billz manzilini tekshirib, qayta urinib koʻring. { $detail }
check_fault_remote_rejected = Billz soʻrovni rad etdi, javobi: { $detail }
check_fault_config_invalid = Sozlamalardan biri bunga yoʻl qoʻymaydi, aytilganini tuzating: { $detail }
check_fault_target_unavailable = Doʻkon bazasi javob bermayapti: manzilini va ishlayotganini tekshiring. { $detail }
check_fault_target_schema = Doʻkon bazasida kerakli jadval yoki ustun yoʻq: jadvallar prefiksini (table_prefix) va tovar egaligini tekshiring. { $detail }
check_fault_other = Boʻlmadi: { $detail }
