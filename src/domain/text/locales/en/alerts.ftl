# Alerts, as a shop owner understands them: what happened, since when, what to do.
alert_title_failures = Synchronisation fails
alert_title_held = Changes wait for your decision
alert_title_stale = No synchronisation for a long time
alert_title_retry_list = Many products with errors
alert_title_skipped = Scheduled runs are skipped
alert_title_attention = Something needs your attention
alert_title_no_worker = Synchronisation has stopped
alert_title_test = Test of alerts
alert_title_reminder = Still so: { $title }
alert_title_grown = Worse now: { $title }
alert_title_over = Well again: { $title }
alert_where = “{ $connection }”, { $stream }
alert_failures = { $count ->
    [one] It failed { $count } time in a row, since { $since }.
   *[other] It failed { $count } times in a row, since { $since }.
}
alert_held = Some changes have been held back since { $since }: they are too large to be made without you. The rest was made.
alert_stale_since = The last successful synchronisation was { $since }. Stock and prices on the site may be out of date.
alert_stale_never = By its schedule, synchronisation was expected since { $since }, but has never succeeded.
alert_retry_list = { $count ->
    [one] { $count } product cannot be processed.
   *[other] { $count } products cannot be processed.
}
alert_skipped_overlap = { $count ->
    [one] Since { $since } { $count } run was skipped: the one before had not ended yet.
   *[other] Since { $since } { $count } runs were skipped: the one before had not ended yet.
}
alert_skipped_missed = { $count ->
    [one] Since { $since } { $count } run was missed: the service was down then.
   *[other] Since { $since } { $count } runs were missed: the service was down then.
}
alert_no_worker = Since { $since } nobody takes up runs: no worker process answers.
alert_attention_not_kept = The other system does not keep values that are sent to it ({ $items }, { $count } in all).
alert_attention_bad_ttn = A waybill number that came is none: order { $items }. It was not passed on.
alert_over_failures = Synchronisation has succeeded again. It had failed since { $since }.
alert_over_held = It was decided; nothing waits any more.
alert_over_stale = Synchronisation has succeeded again. Before, there was none since { $since }.
alert_over_retry_list = There are few products with errors again.
alert_over_skipped = Runs keep to their schedule again.
alert_over_attention = Nothing new needs your attention.
alert_over_no_worker = Runs are executed again. There were none since { $since }.
alert_do_unavailable = An outside system or the shop's database does not answer. Nothing is lost: it is tried again by itself. If it lasts, check whether they open.
alert_do_rate_limited = An outside system asks for fewer requests. It is tried again by itself; if it lasts, make the schedule's period longer.
alert_do_auth = An outside system refuses the key or password. Check the key in the connection's settings.
alert_do_bad_item = A product cannot be used. Correct it in the source.
alert_do_config = Something is missing in the settings or rights. Open the run's report: it says what to correct.
alert_do_protocol = An outside system gave an answer that cannot be read. If it happens again, give the run's number to whoever runs the service.
alert_do_internal = This is a mistake of ours. Give the run's number to whoever runs the service.
alert_do_held = Open the run, look at the changes, and approve or reject them.
alert_do_stale = Check that connection and schedule are on, and what the last run says.
alert_do_retry_list = Open the retry list: errors often have one common cause.
alert_do_skipped = If it goes on like this, make the schedule's period longer.
alert_do_attention_not_kept = Look at these items in the other system: somebody or something there may change them back. Each is sent again on later runs.
alert_do_attention_bad_ttn = Correct the number in OneBox; the next message passes it on.
alert_do_no_worker = Tell whoever runs the service: a worker process must be started.
alert_run = Run: { $run }
alert_error = Error code: { $code }
alert_more = { $count ->
    [one] And { $count } more.
   *[other] And { $count } more.
}
alert_test = If you read this, alerts arrive here. There is nothing to do.
