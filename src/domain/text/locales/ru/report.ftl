# Titles and words of a run's report as a table.
report_key = Код в источнике
report_name = Название
report_target = Код на сайте
report_outcome = Итог
report_reason_code = Код причины
report_reason = Причина
report_field = Поле
report_old = Было
report_new = Станет
report_rule_code = Код правила
report_rule = Правило
report_created = создан
report_updated = обновлён
report_unchanged = без изменений
report_skipped = пропущен
report_failed = ошибка
report_held = ждёт
