# What a schedule's rule means, and why a due time was not run.
schedule_every_seconds = { $count ->
    [1] кожну секунду
    [one] кожну { $count } секунду
    [few] кожні { $count } секунди
   *[other] кожні { $count } секунд
}
schedule_every_minutes = { $count ->
    [1] щохвилини
    [one] кожну { $count } хвилину
    [few] кожні { $count } хвилини
   *[other] кожні { $count } хвилин
}
schedule_every_hours = { $count ->
    [1] щогодини
    [one] кожну { $count } годину
    [few] кожні { $count } години
   *[other] кожні { $count } годин
}
schedule_every_days = { $count ->
    [1] щодня
    [one] кожен { $count } день
    [few] кожні { $count } дні
   *[other] кожні { $count } днів
}
schedule_at = о { $time }
schedule_cron = за правилом cron «{ $cron }»
schedule_window = { $rule } з { $from } до { $to }
schedule_days = { $rule }, { $days }
schedule_zone = { $rule } ({ $zone })
schedule_workdays = у будні
schedule_weekend = у вихідні
schedule_daily = щодня
schedule_day_1 = пн
schedule_day_2 = вт
schedule_day_3 = ср
schedule_day_4 = чт
schedule_day_5 = пт
schedule_day_6 = сб
schedule_day_7 = нд
schedule_overlap = Попередня синхронізація цього магазину ще не закінчилася, тому нову не розпочато.
schedule_missed = У цей час сервіс не працював або відстав більш ніж на хвилину.
schedule_disabled = Підключення або магазин вимкнено.
