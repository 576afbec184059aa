DROP TABLE tradesync_alert_deliveries;
DROP TABLE tradesync_alerts;
DROP TABLE tradesync_alert_conditions;
DROP TABLE tradesync_alert_settings;
