# What a schedule's rule means, and why a due time was not run.
schedule_every_seconds = { $count ->
    [1] har soniyada
   *[other] har { $count } soniyada
}
schedule_every_minutes = { $count ->
    [1] har daqiqada
   *[other] har { $count } daqiqada
}
schedule_every_hours = { $count ->
    [1] har soatda
   *[other] har { $count } soatda
}
schedule_every_days = { $count ->
    [1] har kuni
   *[other] har { $count } kunda
}
schedule_at = soat { $time } da
schedule_cron = cron qoidasi bo‘yicha: «{ $cron }»
schedule_window = { $rule } soat { $from } dan { $to } gacha
schedule_days = { $rule }, { $days }
schedule_zone = { $rule } ({ $zone })
schedule_workdays = ish kunlari
schedule_weekend = dam olish kunlari
schedule_daily = har kuni
schedule_day_1 = dushanba
schedule_day_2 = seshanba
schedule_day_3 = chorshanba
schedule_day_4 = payshanba
schedule_day_5 = juma
schedule_day_6 = shanba
schedule_day_7 = yakshanba
schedule_overlap = Bu do‘konning oldingi sinxronlanishi hali tugamagan, shuning uchun yangisi boshlanmadi.
schedule_missed = Bu vaqtda xizmat ishlamagan yoki bir daqiqadan ko‘p kechikkan.
schedule_disabled = Ulanish yoki do‘kon o‘chirilgan.
