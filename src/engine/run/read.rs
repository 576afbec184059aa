//! The read phase: pages into records, or an earlier read of the same connection used again.
//!
//! A read is whole only if totals, last page and distinct ids agree; absence counts only then. A read that cannot prove it is
//! tried once more before the run goes on with doubts.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Execution, full_every};
use crate::{
    domain::{clock, ids},
    engine::{
        flow::{EngineSettings, Page, PageSink, ReadEnd},
        model::{Mode, ReadSummary, Stream, Values},
        ports::{PastRead, ReadOf, Stored},
        queue::read_lease,
    },
    fault::{Code, Fault, FaultView, failpoint},
};

/// How often people are told how far a read has come, at most. Too low: a statement for each page of a quick read; too high: a long one
/// seems to stand still.
const TELL: Duration = Duration::from_millis(100);
/// How often an unproven read is done in one run.
const PASSES: u32 = 2;

impl Execution {
    /// Reads, or finds that another stream of the connection has read just now.
    pub(super) async fn read(&mut self, stream: &Stream, engine: EngineSettings) -> Result<ReadSummary, Fault> {
        let lease = read_lease(&self.connection.id);
        self.hold.take(&lease).await?;
        self.place_hooks().await?;
        let since = if full_every::is_due(self.run.mode, engine, stream, clock::now()) { None } else { stream.cursor };
        let within = clock::scaled(engine.read_reuse);
        let past = self.ports.records.usable_read(&self.connection.id, &self.run.stream, since, within).await?;
        let summary = if let Some(past) = past {
            self.ports.records.use_read(&past.id, &self.run.stream).await?;
            let summary = ReadSummary { reused: true, ..past.summary };
            self.ports.runs.read_done(self.read_of(self.run.read, self.run.total), &summary).await?;
            summary
        } else {
            self.read_remote(since).await?
        };
        self.hold.release(&lease).await?;
        Ok(summary)
    }

    async fn read_remote(&mut self, since: Option<DateTime<Utc>>) -> Result<ReadSummary, Fault> {
        let mut source = self.flow.source(&self.opened, self.hold.stopped()).await?;
        self.check_account(source.account().await?).await?;
        let facts: Values = source.facts().await?;
        self.refresh_groups(since.is_none()).await?;
        let absence = self.flow.tells_absence();
        let (mut pass, mut told) = (0, Stored::default());
        loop {
            pass += 1;
            let read = ids::fresh();
            let mut sink =
                Sink { execution: self, read: read.clone(), rows: 0, total: None, told: Stored::default(), shown: Instant::now() };
            let end: ReadEnd = source.read(since, &mut sink).await?;
            let (rows, total) = (sink.rows, sink.total);
            // What an unproven pass has stored already, the next one finds unchanged.
            told.changed += sink.told.changed;
            told.silent += sink.told.silent;
            (self.run.read, self.run.total) = (rows, total);
            if let Some(doubt) = &end.doubt
                && pass < PASSES
            {
                tracing::info!(run.id = %self.run.id, doubt = %doubt, "the read was not proven whole; it is done once more");
                continue;
            }
            if since.is_none() && rows == 0 && absence {
                self.refuse_sudden_emptiness().await?;
            }
            let mut missed = told.silent;
            if since.is_none() && end.doubt.is_none() && absence {
                missed += self.ports.records.mark_gone(&self.connection.id, "", &read, &self.run.id, self.hold.fence()).await?;
            }
            if !end.offered.is_empty() {
                self.ports.connections.remember_offered(&self.connection.id, &end.offered).await?;
            }
            let summary = ReadSummary {
                mode: if since.is_none() { Mode::Full } else { Mode::Incremental },
                reused: false,
                read: read.clone(),
                rows,
                started_at: end.started_at,
                whole: end.doubt.is_none(),
                empty: since.is_none() && rows == 0 && absence,
                doubt: end.doubt.as_ref().map(FaultView::from),
                changed: told.changed,
                missed_by_delta: missed,
                facts,
            };
            let past = PastRead { id: read, since, summary: summary.clone() };
            self.ports.records.remember_read(&self.connection.id, &self.run.stream, past, self.read_of(rows, total)).await?;
            return Ok(summary);
        }
    }

    fn read_of(&self, rows: u64, total: Option<u64>) -> ReadOf {
        ReadOf { run: self.run.id.clone(), fence: self.hold.fence(), rows, total }
    }

    /// A 200 with an empty list is not "all gone": keys that lost their rights look just like that.
    async fn refuse_sudden_emptiness(&self) -> Result<(), Fault> {
        match self.ports.records.count(&self.connection.id, "").await? {
            0 => Ok(()),
            held => Err(Fault::new(
                Code::SourceEmpty,
                format!("the source answered with an empty list, though it held {held} items at the last whole read"),
            )),
        }
    }

    /// Links belong to an account; a key of another account would link its goods to foreign products.
    async fn check_account(&self, account: Option<String>) -> Result<(), Fault> {
        let Some(account) = account else { return Ok(()) };
        let known = self.ports.connections.remember_account(&self.connection.link_space, &account).await?;
        if known == account {
            return Ok(());
        }
        Err(Fault::new(
            Code::SourceAccountChanged,
            format!("the key belongs to the account {account}, the links of this connection to {known}"),
        ))
    }
}

struct Sink<'a> {
    execution: &'a mut Execution,
    read: String,
    rows: u64,
    total: Option<u64>,
    told: Stored,
    /// When people were last told how far it has come.
    shown: Instant,
}

#[async_trait]
impl PageSink for Sink<'_> {
    async fn page(&mut self, page: Page) -> Result<(), Fault> {
        let execution = &*self.execution;
        execution.hold.go_on()?;
        self.rows += u64::try_from(page.records.len()).unwrap_or_default();
        self.total = page.total.or(self.total);
        let stored =
            execution.ports.records.store(&execution.connection.id, &self.read, &execution.run.id, page.started_at, page.records).await?;
        self.told.changed += stored.changed;
        self.told.silent += stored.silent;
        if self.shown.elapsed() >= TELL {
            self.shown = Instant::now();
            execution.ports.runs.progress(&execution.run.id, execution.hold.fence(), self.rows, self.total).await?;
        }
        failpoint::hit("after-page-read");
        Ok(())
    }
}
