# Titles and words of a run's report as a table.
report_key = Код у джерелі
report_name = Назва
report_target = Код на сайті
report_outcome = Підсумок
report_reason_code = Код причини
report_reason = Причина
report_field = Поле
report_old = Було
report_new = Стане
report_rule_code = Код правила
report_rule = Правило
report_created = створено
report_updated = оновлено
report_unchanged = без змін
report_skipped = пропущено
report_failed = помилка
report_held = чекає
