//! The watch: looks at what is stored, in every process, one at a time (a lease).
//!
//! It is a second clock: it asks neither the scheduler nor a worker, and it does not trust the database's clock alone. The scheduler goes by that
//! clock; were it put back by a day, nothing would come due for a day and nothing would look late. So time goes on here by the process's own steady
//! clock from the first look on, whenever the database's is behind.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{deadline::Deadlines, quiet, rules};
use crate::{
    domain::{clock, ids},
    engine::{
        alerts::{
            Alerts, Condition, Kept,
            facts::{Facts, FactsSource},
            scope_key,
        },
        ports::Leases,
        run::hold::lease_length,
    },
    fault::Fault,
    telemetry::metrics,
};

/// How often it looks. Too low: queries at rest; too high: people learn late, and what comes and goes in between is not told.
const LOOK: Duration = Duration::from_secs(15);
/// How often the metrics are fed that no single run can tell.
const MEASURE: Duration = Duration::from_secs(60);
/// How long a process that died keeps the others from looking.
const LEASE: Duration = Duration::from_secs(60);
/// Name of the lease.
const LEASE_KEY: &str = "alerts";

/// How long our own clock is believed against the database's. Too low: a clock that was put back stops the watch with the scheduler; too high: a
/// clock that had been ahead and was put right is taken for a stopped one.
const DISAGREE: Duration = Duration::from_secs(3_600);

/// The database's time, or our own steady one where that is ahead.
#[derive(Default)]
struct SteadyClock {
    anchor: Option<(DateTime<Utc>, Instant)>,
    disagree_since: Option<Instant>,
}

impl SteadyClock {
    fn now(&mut self, database: DateTime<Utc>, here: Instant) -> DateTime<Utc> {
        let own = self.anchor.map(|(began, instant)| began + clock::chrono_duration(here.saturating_duration_since(instant)));
        // A second is the difference of two looks at clocks, not a clock that was put back.
        if let Some(own) = own.filter(|own| *own > database + chrono::TimeDelta::seconds(1)) {
            let since = *self.disagree_since.get_or_insert(here);
            if here.saturating_duration_since(since) < clock::scaled(DISAGREE) {
                return own;
            }
        }
        *self = Self { anchor: Some((database, here)), disagree_since: None };
        database
    }
}

/// The watch of this process.
pub struct Watch {
    facts: Arc<dyn FactsSource>,
    alerts: Arc<dyn Alerts>,
    leases: Arc<dyn Leases>,
    name: String,
    fence: Option<u64>,
    clock: SteadyClock,
    deadlines: Deadlines,
}

impl Watch {
    /// One under a name of its own.
    pub fn new(facts: Arc<dyn FactsSource>, alerts: Arc<dyn Alerts>, leases: Arc<dyn Leases>) -> Self {
        let (clock, deadlines) = (SteadyClock::default(), Deadlines::default());
        Self { facts, alerts, leases, name: ids::fresh(), fence: None, clock, deadlines }
    }

    /// Looks until `stop`. A failure is logged, and the next look comes at its time.
    pub async fn run(mut self, stop: CancellationToken) {
        let pause = clock::scaled(LOOK).max(Duration::from_millis(200));
        let mut measured: Option<Instant> = None;
        let mut failing = false;
        while !stop.is_cancelled() {
            let due = measured.is_none_or(|at| at.elapsed() >= clock::scaled(MEASURE));
            let looked = self.look(due).await;
            if due {
                measured = Some(Instant::now());
            }
            match looked {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("the watch can look again");
                    }
                }
                Err(fault) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(error = %fault, "the watch of alerts could not look; it is tried again until it works");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Some(fence) = self.fence
            && let Err(fault) = self.leases.release(LEASE_KEY, &self.name, fence).await
        {
            tracing::debug!(error = %fault, "the watch's lease could not be given back; it expires by itself");
        }
    }

    async fn look(&mut self, measure: bool) -> Result<(), Fault> {
        if measure {
            let measured = self.facts.measured().await?;
            for (flow, connection, at) in &measured.successes {
                metrics::run_succeeded(flow, connection, *at);
            }
            for (flow, items) in &measured.waiting_items {
                metrics::retry_list(flow, *items);
            }
            metrics::schedule_lag(measured.lag);
        }
        if !self.is_mine().await? {
            return Ok(());
        }
        let all = self.alerts.all_settings().await?;
        if all.is_empty() {
            return Ok(());
        }
        let facts = self.facts.facts().await?;
        let unread = self.deadlines.unread(&facts.streams);
        if !unread.is_empty() {
            let rules = self.facts.rules(&unread).await?;
            self.deadlines.learn(&facts.streams, rules);
        }
        let now = self.clock.now(facts.now, Instant::now());
        let mut standing = self.alerts.all_conditions().await?;
        standing.sort_by(|one, other| one.0.cmp(&other.0));
        for kept in &all {
            let scope = scope_key(&kept.scope);
            let own = standing.iter().filter(|(of, _)| *of == scope).map(|(_, condition)| condition.clone());
            self.judge(kept, &scope, &facts, own.collect(), now).await?;
        }
        Ok(())
    }

    /// Keeps the lease of the watch, or takes it where it is free.
    async fn is_mine(&mut self) -> Result<bool, Fault> {
        let length = lease_length(LEASE);
        if let Some(fence) = self.fence
            && self.leases.renew(LEASE_KEY, &self.name, fence, length).await?
        {
            return Ok(true);
        }
        self.fence = self.leases.acquire(LEASE_KEY, &self.name, length).await?;
        Ok(self.fence.is_some())
    }

    async fn judge(&mut self, kept: &Kept, scope: &str, facts: &Facts, standing: Vec<Condition>, now: DateTime<Utc>) -> Result<(), Fault> {
        let verdicts = rules::judge(facts, &kept.scope, &kept.settings.rules, &mut self.deadlines, now);
        if quiet::plan(&standing, &verdicts, &kept.settings, now).is_empty() {
            return Ok(());
        }
        // Decided again over what stands under the lock: another process may have told it meanwhile.
        let settings = kept.settings.clone();
        let decide = Box::new(move |standing: Vec<Condition>| quiet::plan(&standing, &verdicts, &settings, now));
        let done = self.alerts.settle(scope, kept.version, decide).await?;
        for (alert, channels) in &done.alerts {
            let rule = alert.rule.map_or("test", |rule| rule.name());
            metrics::alert(rule, alert.phase.name());
            let first = alert.news.first();
            tracing::warn!(
                alert.id = %alert.id, alert.rule = rule, alert.phase = alert.phase.name(), alert.about = alert.total, channels = channels.len(),
                connection.id = first.map(|news| news.subject.connection.as_str()), stream = first.map(|news| news.subject.stream.as_str()),
                "alert"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_databases_clock_that_was_put_back_does_not_stop_time() {
        let (mut clock, here) = (SteadyClock::default(), Instant::now());
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(clock.now(at("2026-03-01T10:00:00Z"), here), at("2026-03-01T10:00:00Z"));
        let minutes = |minutes: u64| here + Duration::from_secs(60 * minutes);
        assert_eq!(clock.now(at("2026-02-28T10:10:00Z"), minutes(10)), at("2026-03-01T10:10:00Z"), "a day back");
        assert_eq!(clock.now(at("2026-02-28T10:50:00Z"), minutes(50)), at("2026-03-01T10:50:00Z"));
        assert_eq!(clock.now(at("2026-02-28T11:15:00Z"), minutes(75)), at("2026-02-28T11:15:00Z"), "but not for ever");
        assert_eq!(
            clock.now(at("2026-03-01T12:00:00Z"), minutes(80)),
            at("2026-03-01T12:00:00Z"),
            "it goes on where the database's is ahead"
        );
        assert_eq!(clock.now(at("2026-03-01T11:59:59.9Z"), minutes(80)), at("2026-03-01T11:59:59.9Z"));
    }
}
