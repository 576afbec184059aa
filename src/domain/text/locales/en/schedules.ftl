# What a schedule's rule means, and why a due time was not run.
schedule_every_seconds = { $count ->
    [1] every second
   *[other] every { $count } seconds
}
schedule_every_minutes = { $count ->
    [1] every minute
   *[other] every { $count } minutes
}
schedule_every_hours = { $count ->
    [1] every hour
   *[other] every { $count } hours
}
schedule_every_days = { $count ->
    [1] every day
   *[other] every { $count } days
}
schedule_at = at { $time }
schedule_cron = by the cron rule "{ $cron }"
schedule_window = { $rule } from { $from } to { $to }
schedule_days = { $rule }, on { $days }
schedule_zone = { $rule } ({ $zone })
schedule_workdays = working days
schedule_weekend = weekends
schedule_daily = every day
schedule_day_1 = Monday
schedule_day_2 = Tuesday
schedule_day_3 = Wednesday
schedule_day_4 = Thursday
schedule_day_5 = Friday
schedule_day_6 = Saturday
schedule_day_7 = Sunday
schedule_overlap = The stream's run before had not ended yet, so no new one was started.
schedule_missed = The service was not running at that time, or more than a minute behind.
schedule_disabled = The connection or the stream is disabled.
