# Titles and words of a run's report as a table.
report_key = Manbadagi kod
report_name = Nomi
report_target = Saytdagi kod
report_outcome = Natija
report_reason_code = Sabab kodi
report_reason = Sabab
report_field = Maydon
report_old = Edi
report_new = Boʻladi
report_rule_code = Qoida kodi
report_rule = Qoida
report_created = yaratildi
report_updated = yangilandi
report_unchanged = oʻzgarmadi
report_skipped = oʻtkazib yuborildi
report_failed = xato
report_held = kutmoqda
