# Titles and words of a run's report as a table.
report_key = Source id
report_name = Name
report_target = Target id
report_outcome = Outcome
report_reason_code = Reason code
report_reason = Reason
report_field = Field
report_old = Was
report_new = Becomes
report_rule_code = Rule code
report_rule = Rule
report_created = created
report_updated = updated
report_unchanged = unchanged
report_skipped = skipped
report_failed = failed
report_held = waits
