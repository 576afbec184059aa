//! Metrics: names, help texts and one function per event. No listener of its own: `/metrics` renders the recorder.
//!
//! Labels never hold what a remote or a caller can choose freely, so the number of series stays bounded.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::fault::{Fault, Result};

/// Runs that ended. Labels flow, trigger, outcome.
pub const RUNS_TOTAL: &str = "tradesync_runs_total";
/// How long a run took. Label flow.
pub const RUN_DURATION_SECONDS: &str = "tradesync_run_duration_seconds";
/// Items by their end. Labels flow, outcome.
pub const ITEMS_TOTAL: &str = "tradesync_items_total";
/// When a real run last ended well. Labels flow, connection.
pub const LAST_SUCCESS_TIMESTAMP_SECONDS: &str = "tradesync_last_success_timestamp_seconds";
/// How far schedules are behind.
pub const SCHEDULE_LAG_SECONDS: &str = "tradesync_schedule_lag_seconds";
/// Runs that wait for a worker, as this process last saw them.
pub const QUEUE_RUNS: &str = "tradesync_queue_runs";
/// How long runs waited until a worker took them. Label flow.
pub const QUEUE_WAIT_SECONDS: &str = "tradesync_queue_wait_seconds";
/// Requests to remote systems. Labels system, class of the answer.
pub const REMOTE_REQUESTS_TOTAL: &str = "tradesync_remote_requests_total";
/// Times a remote asked us to slow down. Label system.
pub const REMOTE_THROTTLED_TOTAL: &str = "tradesync_remote_throttled_total";
/// Brakes that held a run. Labels flow, rule.
pub const BRAKE_TRIPS_TOTAL: &str = "tradesync_brake_trips_total";
/// Failed items waiting to be offered again. Label flow.
pub const RETRY_LIST_ITEMS: &str = "tradesync_retry_list_items";
/// Old rows taken away. Label kind.
pub const PRUNED_ROWS_TOTAL: &str = "tradesync_pruned_rows_total";
/// Alerts that were raised, repeated or ended. Labels rule, phase.
pub const ALERTS_TOTAL: &str = "tradesync_alerts_total";
/// Attempts to deliver alerts. Label outcome.
pub const ALERT_DELIVERIES_TOTAL: &str = "tradesync_alert_deliveries_total";
/// Requests to our API. Labels method, route, status.
pub const API_REQUESTS_TOTAL: &str = "tradesync_api_requests_total";
/// How long our API took to answer. Label route.
pub const API_REQUEST_DURATION_SECONDS: &str = "tradesync_api_request_duration_seconds";

/// Every name, for documents and tests.
pub const ALL: &[&str] = &[
    RUNS_TOTAL,
    RUN_DURATION_SECONDS,
    ITEMS_TOTAL,
    LAST_SUCCESS_TIMESTAMP_SECONDS,
    SCHEDULE_LAG_SECONDS,
    QUEUE_RUNS,
    QUEUE_WAIT_SECONDS,
    REMOTE_REQUESTS_TOTAL,
    REMOTE_THROTTLED_TOTAL,
    BRAKE_TRIPS_TOTAL,
    RETRY_LIST_ITEMS,
    PRUNED_ROWS_TOTAL,
    ALERTS_TOTAL,
    ALERT_DELIVERIES_TOTAL,
    API_REQUESTS_TOTAL,
    API_REQUEST_DURATION_SECONDS,
];

/// Bounds for runs: from a quiet minute run to a first sync of 100,000 products. Too few hide a slow shop, too many cost series.
const RUN_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];
/// Bounds for waiting in the queue: a button should be felt at once, a schedule may wait for its turn.
const WAIT_BUCKETS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0];
/// Bounds for answers of our API.
const API_BUCKETS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];
/// How often old samples are folded. Rarer costs memory between scrapes, more often costs nothing worth having.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Renders what was recorded.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder. Once per process.
    pub fn install() -> Result<Self> {
        let handle = builder()?
            .install_recorder()
            .map_err(|error| Fault::internal("the metrics recorder could not be installed").caused_by(error))?;
        describe();
        Ok(Self(handle))
    }

    /// A recorder that nothing writes to: for tests, and for commands that answer no `/metrics`.
    pub fn detached() -> Self {
        Self(PrometheusBuilder::new().build_recorder().handle())
    }

    /// The text form of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds old samples, for ever. Spawn it beside the server; dropping the task ends it.
    pub async fn upkeep(self) {
        let mut timer = tokio::time::interval(UPKEEP_EVERY);
        loop {
            timer.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn builder() -> Result<PrometheusBuilder> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(RUN_DURATION_SECONDS.to_owned()), RUN_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(QUEUE_WAIT_SECONDS.to_owned()), WAIT_BUCKETS))
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(API_REQUEST_DURATION_SECONDS.to_owned()), API_BUCKETS))
        .map_err(|error| Fault::internal("the metrics recorder could not be built").caused_by(error))
}

fn describe() {
    describe_counter!(RUNS_TOTAL, "Runs that ended, by flow, trigger and outcome");
    describe_histogram!(RUN_DURATION_SECONDS, Unit::Seconds, "How long runs took, by flow");
    describe_counter!(ITEMS_TOTAL, "Items of runs, by flow and outcome");
    describe_gauge!(LAST_SUCCESS_TIMESTAMP_SECONDS, Unit::Seconds, "When a real run last ended well, by flow and connection");
    describe_gauge!(SCHEDULE_LAG_SECONDS, Unit::Seconds, "How far the most late schedule is behind");
    describe_gauge!(QUEUE_RUNS, "Runs that wait for a worker and may be taken now");
    describe_histogram!(QUEUE_WAIT_SECONDS, Unit::Seconds, "How long runs waited until a worker took them, by flow");
    describe_counter!(REMOTE_REQUESTS_TOTAL, "Requests to remote systems, by system and class of the answer");
    describe_counter!(REMOTE_THROTTLED_TOTAL, "Times a remote system asked us to slow down");
    describe_counter!(BRAKE_TRIPS_TOTAL, "Brakes that held a run, by flow and rule");
    describe_gauge!(RETRY_LIST_ITEMS, "Failed items waiting to be offered again, by flow");
    describe_counter!(PRUNED_ROWS_TOTAL, "Old rows taken away, by kind");
    describe_counter!(ALERTS_TOTAL, "Alerts that were raised, repeated or ended, by rule and phase");
    describe_counter!(ALERT_DELIVERIES_TOTAL, "Attempts to deliver alerts, by outcome");
    describe_counter!(API_REQUESTS_TOTAL, "Requests to the API, by method, route and status");
    describe_histogram!(API_REQUEST_DURATION_SECONDS, Unit::Seconds, "How long the API took to answer, by route");
}

/// A run ended.
pub fn run_ended(flow: &str, trigger: &str, outcome: &str, took: Duration) {
    counter!(RUNS_TOTAL, "flow" => flow.to_owned(), "trigger" => trigger.to_owned(), "outcome" => outcome.to_owned()).increment(1);
    histogram!(RUN_DURATION_SECONDS, "flow" => flow.to_owned()).record(took.as_secs_f64());
}

/// A real run ended well.
pub fn run_succeeded(flow: &str, connection: &str, at: DateTime<Utc>) {
    // Unix seconds fit a double exactly for the next hundred million years.
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let seconds = at.timestamp() as f64;
    gauge!(LAST_SUCCESS_TIMESTAMP_SECONDS, "flow" => flow.to_owned(), "connection" => connection.to_owned()).set(seconds);
}

/// Items came to one end.
pub fn items(flow: &str, outcome: &str, count: u64) {
    if count > 0 {
        counter!(ITEMS_TOTAL, "flow" => flow.to_owned(), "outcome" => outcome.to_owned()).increment(count);
    }
}

/// A remote answered, or did not; `class` is one of ours, such as `ok`, `unavailable`, `auth`.
pub fn remote_request(system: &str, class: &str) {
    counter!(REMOTE_REQUESTS_TOTAL, "system" => system.to_owned(), "class" => class.to_owned()).increment(1);
}

/// A remote asked us to slow down.
pub fn remote_throttled(system: &str) {
    counter!(REMOTE_THROTTLED_TOTAL, "system" => system.to_owned()).increment(1);
}

/// A brake held a run.
pub fn brake_tripped(flow: &str, rule: &str) {
    counter!(BRAKE_TRIPS_TOTAL, "flow" => flow.to_owned(), "rule" => rule.to_owned()).increment(1);
}

/// How long a count of the retry list is good while this process does nothing to it. Too low: counted for each quiet run; too high: what
/// other processes settled is still shown.
const RETRY_LIST_GOOD_FOR: Duration = Duration::from_secs(2);

static RETRY_LIST_COUNTED: LazyLock<Mutex<HashMap<String, Instant>>> = LazyLock::new(Mutex::default);

/// Whether [`retry_list`] was last told so long ago that it should be counted anew.
pub fn retry_list_is_old(flow: &str) -> bool {
    let counted = RETRY_LIST_COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    counted.get(flow).is_none_or(|counted| counted.elapsed() > RETRY_LIST_GOOD_FOR)
}

/// Failed items that wait.
pub fn retry_list(flow: &str, items: u64) {
    RETRY_LIST_COUNTED.lock().unwrap_or_else(PoisonError::into_inner).insert(flow.to_owned(), Instant::now());
    #[expect(clippy::cast_precision_loss, reason = "a count of rows is far below 2^52")]
    gauge!(RETRY_LIST_ITEMS, "flow" => flow.to_owned()).set(items as f64);
}

/// Old rows were taken away.
pub fn pruned(kind: &'static str, rows: u64) {
    if rows > 0 {
        counter!(PRUNED_ROWS_TOTAL, "kind" => kind).increment(rows);
    }
}

/// An alert was stored.
pub fn alert(rule: &'static str, phase: &'static str) {
    counter!(ALERTS_TOTAL, "rule" => rule, "phase" => phase).increment(1);
}

/// An alert was tried to be delivered.
pub fn alert_delivery(outcome: &'static str) {
    counter!(ALERT_DELIVERIES_TOTAL, "outcome" => outcome).increment(1);
}

/// How far the most late schedule is behind.
pub fn schedule_lag(lag: Duration) {
    gauge!(SCHEDULE_LAG_SECONDS).set(lag.as_secs_f64());
}

/// So many runs wait.
pub fn queue(runs: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a count of rows is far below 2^52")]
    gauge!(QUEUE_RUNS).set(runs as f64);
}

/// A run was taken after it had waited so long.
pub fn queue_waited(flow: &str, waited: Duration) {
    histogram!(QUEUE_WAIT_SECONDS, "flow" => flow.to_owned()).record(waited.as_secs_f64());
}

/// Our API answered. `route` is the pattern, never the path.
pub fn api_request(method: &str, route: &str, status: u16, took: Duration) {
    counter!(API_REQUESTS_TOTAL, "method" => method.to_owned(), "route" => route.to_owned(), "status" => status.to_string()).increment(1);
    histogram!(API_REQUEST_DURATION_SECONDS, "route" => route.to_owned()).record(took.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_shows_under_its_name() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            describe();
            run_ended("billz-opencart", "manual", "succeeded", Duration::from_secs(2));
            run_succeeded("billz-opencart", "c", Utc::now());
            items("billz-opencart", "updated", 3);
            remote_request("billz2", "ok");
            remote_throttled("billz2");
            brake_tripped("billz-opencart", "price_fall");
            retry_list("billz-opencart", 4);
            pruned("changes", 2);
            alert("stale", "raised");
            alert_delivery("delivered");
            schedule_lag(Duration::from_secs(1));
            queue(3);
            queue_waited("billz-opencart", Duration::from_millis(40));
            api_request("GET", "/connections/{id}", 200, Duration::from_millis(3));
        });
        let text = handle.render();
        for name in ALL {
            assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help text or no value:\n{text}");
        }
        assert!(text.contains("tradesync_items_total{flow=\"billz-opencart\",outcome=\"updated\"} 3"), "{text}");
        assert!(text.contains("tradesync_run_duration_seconds_bucket"), "{text}");
    }

    /// Names of metrics that a text of Prometheus' language holds.
    fn named(text: &str) -> Vec<String> {
        let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        text.split(|letter| !word(letter)).filter(|name| name.starts_with("tradesync_")).map(str::to_owned).collect()
    }

    #[test]
    fn the_alert_rules_for_prometheus_speak_of_metrics_that_there_are() {
        let text = include_str!("../../docs/prometheus-alerts.yml");
        let file: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        let rules = file["groups"][0]["rules"].as_array().unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for rule in rules {
            let name = rule["alert"].as_str().unwrap();
            assert!(seen.insert(name.to_owned()), "{name} stands twice");
            let expression = rule["expr"].as_str().unwrap();
            assert!(!named(expression).is_empty(), "{name} looks at nothing of ours");
            for metric in named(expression) {
                assert!(ALL.contains(&metric.as_str()), "{name}: there is no metric {metric}");
            }
            for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
                assert_eq!(expression.matches(open).count(), expression.matches(close).count(), "{name}: {expression}");
            }
            for field in [&rule["labels"]["severity"], &rule["annotations"]["summary"], &rule["annotations"]["description"]] {
                assert!(field.as_str().is_some_and(|text| !text.is_empty()), "{name}: {rule}");
            }
        }
        let used: String = rules.iter().map(|rule| rule["expr"].as_str().unwrap()).collect();
        for metric in [LAST_SUCCESS_TIMESTAMP_SECONDS, SCHEDULE_LAG_SECONDS, RETRY_LIST_ITEMS, BRAKE_TRIPS_TOTAL, ALERT_DELIVERIES_TOTAL] {
            assert!(used.contains(metric), "nobody is told by {metric}");
        }
    }
}
