//! Brakes in a run: at the end of the decide phase, over what it has planned.

use super::Execution;
use crate::{
    domain::clock,
    engine::{
        brakes::{self, Crowd, History, Limits, Parted, Reading, Rule, Scale, part},
        model::{Change, Counts, Mode, Phase, ReadSummary, Values},
        pictures::Tally,
        plans::Verdict,
    },
    fault::{Fault, failpoint},
};

/// Changes parted together. Each is written in one statement with the others, so more makes statements large, fewer makes them many.
const PAGE: u32 = 500;

impl Execution {
    /// The scale of this run; `first` is a run of a stream that was never synchronised.
    pub(super) fn scale(&self, first: bool) -> Scale {
        Scale::new(self.limits(first))
    }

    fn limits(&self, first: bool) -> Limits {
        let brakes = self.opened.settings.get("brakes").unwrap_or(&serde_json::Value::Null);
        Limits::in_force(brakes, &self.run.stream, first)
    }

    /// Reads the scale, holds what is over a limit (never in a dry run: the person sees all of it before anything is done), and
    /// stores what was found beside what the target told. The decide phase is over with it. Returns the counts, with those that wait.
    pub(super) async fn brake(&self, scale: Scale, told: Values, counts: Counts) -> Result<Counts, Fault> {
        // Where nothing is linked yet everything is new, however often it was tried.
        let scale = if scale.nothing_linked() { scale.under(self.limits(true)) } else { scale };
        let summary = self.run.read_summary.as_ref();
        let readings = scale.read(self.history(summary).await?);
        let _ = self.readings.set(readings.clone());
        let mut held = 0;
        if !self.run.dry_run {
            held = self.hold_risky(&readings, scale.crowd()).await?;
        }
        let shrunk = readings.iter().any(|reading| reading.rule == Rule::SourceShrunk && reading.tripped);
        let doubtful = summary.filter(|_| shrunk).map(|summary| summary.read.as_str());
        let doubtful = doubtful.map(str::to_owned);
        let counts = Counts { held: counts.held + held, ..counts };
        let next = if self.run.dry_run { Phase::Decide } else { Phase::Apply };
        failpoint::hit("after-brakes");
        let waiting = self.traces.left().waiting;
        self.ports.plans.decided(&self.run, self.hold.fence(), Verdict { readings, told, doubtful, counts, next, waiting }).await?;
        Ok(counts)
    }

    async fn history(&self, summary: Option<&ReadSummary>) -> Result<History, Fault> {
        match summary {
            Some(read) if read.whole && !read.empty && read.mode == Mode::Full && !read.read.is_empty() => Ok(History {
                items: Some(read.rows),
                usual: self.ports.plans.usual_size(&self.connection.id, &self.run.stream, &read.read).await?,
            }),
            _ => Ok(History::default()),
        }
    }

    async fn hold_risky(&self, readings: &[Reading], crowd: &Crowd) -> Result<u64, Fault> {
        let risks = brakes::risks(readings);
        if risks == 0 {
            return Ok(0);
        }
        let (mut held, mut after) = (0, 0);
        loop {
            self.hold.go_on()?;
            let page = self.ports.plans.flagged(&self.run.id, risks, after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(held) };
            after = last.id;
            let parted: Vec<(Change, Parted)> = page
                .into_iter()
                .filter_map(|(change, risks)| part(&change.body, risks, readings, crowd).map(|parted| (change, parted)))
                .collect();
            held += self.ports.plans.hold(&self.run.id, self.hold.fence(), parted).await?;
        }
    }

    /// The limits for this run's pictures; `None` where no brake holds them: a person has agreed to what was held.
    pub(super) async fn picture_limits(&self) -> Result<Option<Limits>, Fault> {
        if self.run.plan.approved() {
            return Ok(None);
        }
        // The stream counts as synchronised since its prices stand.
        let synced = self.stream().await?.last_synced_at;
        Ok(Some(self.limits(synced.is_none() || synced == self.run.started_at)))
    }

    /// Stores what the brake on pictures found in what this run has called for, among the run's other readings.
    pub(super) async fn note_pictures(&self, limits: Option<&Limits>, tally: Tally) -> Result<(), Fault> {
        match limits.and_then(|limits| brakes::pictures(limits, tally)) {
            Some(reading) => self.ports.plans.note(&self.run.id, self.hold.fence(), reading).await,
            None => Ok(()),
        }
    }

    /// How long what waits may be approved: the setting `plan_expiry`, 24 hours unless set.
    pub(super) fn plan_expiry(&self) -> std::time::Duration {
        let set = self.opened.settings.get("plan_expiry").and_then(serde_json::Value::as_str);
        clock::scaled(set.and_then(|text| clock::parse_duration(text).ok()).unwrap_or(PLAN_EXPIRY))
    }

    /// Tells the log and the metrics what tripped.
    pub(super) fn tell_of_brakes(&self, readings: &[Reading], held: u64) {
        for reading in readings.iter().filter(|reading| reading.tripped) {
            crate::telemetry::metrics::brake_tripped(&self.run.flow, reading.rule.name());
            tracing::warn!(
                run.id = %self.run.id, connection.id = %self.connection.id, stream = %self.run.stream, rule = reading.rule.name(),
                count = reading.count, of = reading.of, held, "a brake tripped"
            );
        }
    }
}

/// How long a plan may be approved unless the connection says otherwise. Too low: nobody sees it in time; too high: what is approved
/// has little to do with the shop any more.
const PLAN_EXPIRY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
