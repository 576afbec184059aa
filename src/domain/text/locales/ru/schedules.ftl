# What a schedule's rule means, and why a due time was not run.
schedule_every_seconds = { $count ->
    [1] каждую секунду
    [one] каждую { $count } секунду
    [few] каждые { $count } секунды
   *[other] каждые { $count } секунд
}
schedule_every_minutes = { $count ->
    [1] каждую минуту
    [one] каждую { $count } минуту
    [few] каждые { $count } минуты
   *[other] каждые { $count } минут
}
schedule_every_hours = { $count ->
    [1] каждый час
    [one] каждый { $count } час
    [few] каждые { $count } часа
   *[other] каждые { $count } часов
}
schedule_every_days = { $count ->
    [1] каждый день
    [one] каждый { $count } день
    [few] каждые { $count } дня
   *[other] каждые { $count } дней
}
schedule_at = в { $time }
schedule_cron = по правилу cron «{ $cron }»
schedule_window = { $rule } с { $from } до { $to }
schedule_days = { $rule }, { $days }
schedule_zone = { $rule } ({ $zone })
schedule_workdays = по будням
schedule_weekend = по выходным
schedule_daily = ежедневно
schedule_day_1 = пн
schedule_day_2 = вт
schedule_day_3 = ср
schedule_day_4 = чт
schedule_day_5 = пт
schedule_day_6 = сб
schedule_day_7 = вс
schedule_overlap = Предыдущая синхронизация этого магазина ещё не закончилась, поэтому новая не начата.
schedule_missed = В это время сервис не работал или отстал больше чем на минуту.
schedule_disabled = Подключение или магазин выключены.
