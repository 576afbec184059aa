# Alerts, as a shop owner understands them: what happened, since when, what to do.
alert_title_failures = Sinxronlash amalga oshmayapti
alert_title_held = Oʻzgarishlar qaroringizni kutmoqda
alert_title_stale = Anchadan beri sinxronlash boʻlmadi
alert_title_retry_list = Xatoli mahsulotlar koʻp
alert_title_skipped = Jadval boʻyicha ishga tushirishlar oʻtkazib yuborilmoqda
alert_title_attention = E’tiboringiz kerak
alert_title_no_worker = Sinxronlash toʻxtab qoldi
alert_title_test = Xabarnomalarni tekshirish
alert_title_reminder = Hali ham: { $title }
alert_title_grown = Yomonlashdi: { $title }
alert_title_over = Yana joyida: { $title }
alert_where = “{ $connection }”, { $stream }
alert_failures = { $count ->
   *[other] { $since } dan beri ketma-ket { $count } marta amalga oshmadi.
}
alert_held = Oʻzgarishlarning bir qismi { $since } dan beri ushlab turilibdi: ular sizsiz bajarish uchun juda katta. Qolganlari bajarildi.
alert_stale_since = Oxirgi muvaffaqiyatli sinxronlash { $since } da boʻlgan. Saytdagi qoldiq va narxlar eskirgan boʻlishi mumkin.
alert_stale_never = Jadvalga koʻra sinxronlash { $since } dan beri kutilgan, lekin hali bir marta ham amalga oshmagan.
alert_retry_list = { $count ->
   *[other] { $count } ta mahsulotni qayta ishlab boʻlmayapti.
}
alert_skipped_overlap = { $count ->
   *[other] { $since } dan beri { $count } ta ishga tushirish oʻtkazib yuborildi: oldingisi hali tugamagan.
}
alert_skipped_missed = { $count ->
   *[other] { $since } dan beri { $count } ta ishga tushirish oʻtkazib yuborildi: oʻsha paytda xizmat ishlamagan.
}
alert_no_worker = { $since } dan beri ishga tushirishlarni hech kim bajarmayapti: birorta ishchi jarayon javob bermayapti.
alert_attention_not_kept = Boshqa tizim yuborilgan qiymatlarni saqlamayapti ({ $items }, jami { $count }).
alert_attention_bad_ttn = Noto‘g‘ri TTN raqami keldi: buyurtma { $items }. U uzatilmadi.
alert_over_failures = Sinxronlash yana amalga oshdi. { $since } dan beri amalga oshmagan edi.
alert_over_held = Qaror qabul qilindi, boshqa hech narsa kutmayapti.
alert_over_stale = Sinxronlash yana oʻtdi. Undan oldin { $since } dan beri boʻlmagan edi.
alert_over_retry_list = Xatoli mahsulotlar yana kam.
alert_over_skipped = Ishga tushirishlar yana jadval boʻyicha ketmoqda.
alert_over_attention = E’tibor talab qiladigan yangi narsa yo‘q.
alert_over_no_worker = Ishga tushirishlar yana bajarilmoqda. { $since } dan beri bajarilmagan edi.
alert_do_unavailable = Tashqi tizim yoki sayt bazasi javob bermayapti. Hech narsa yoʻqolmadi: urinishlar oʻzi davom etadi. Uzoq choʻzilsa, ular ochilishini tekshiring.
alert_do_rate_limited = Tashqi tizim soʻrovlarni kamaytirishni soʻramoqda. Urinishlar oʻzi davom etadi; uzoq choʻzilsa, jadvaldagi davrni uzaytiring.
alert_do_auth = Tashqi tizim kalit yoki parolni qabul qilmayapti. Ulanish sozlamalaridagi kalitni tekshiring.
alert_do_bad_item = Mahsulotdan foydalanib boʻlmayapti. Uni manbada tuzating.
alert_do_config = Sozlamalarda yoki huquqlarda nimadir yetishmayapti. Ishga tushirish hisobotini oching: nimani tuzatish kerakligi oʻsha yerda aytilgan.
alert_do_protocol = Tashqi tizim tushunarsiz javob berdi. Takrorlansa, ishga tushirish raqamini xizmatni yurituvchiga bering.
alert_do_internal = Bu bizning xatomiz. Ishga tushirish raqamini xizmatni yurituvchiga bering.
alert_do_held = Ishga tushirishni oching, oʻzgarishlarni koʻrib, tasdiqlang yoki rad eting.
alert_do_stale = Ulanish va jadval yoqilganini va oxirgi ishga tushirishda nima deyilganini tekshiring.
alert_do_retry_list = Takrorlash roʻyxatini oching: xatolarning sababi koʻpincha bitta boʻladi.
alert_do_skipped = Shunday davom etsa, jadvaldagi davrni uzaytiring.
alert_do_attention_not_kept = Bu mahsulotlarni boshqa tizimda ko‘ring: u yerda kimdir yoki nimadir ularni qaytarayotgan bo‘lishi mumkin. Keyingi ishga tushirishlarda ular yana yuboriladi.
alert_do_attention_bad_ttn = Raqamni OneBox’da to‘g‘rilang: keyingi xabar uni uzatadi.
alert_do_no_worker = Xizmatni yurituvchiga ayting: ishchi jarayonni ishga tushirish kerak.
alert_run = Ishga tushirish: { $run }
alert_error = Xato kodi: { $code }
alert_more = { $count ->
   *[other] Va yana { $count } ta.
}
alert_test = Buni oʻqiyotgan boʻlsangiz, xabarnomalar bu yerga yetib kelmoqda. Hech narsa qilish shart emas.
