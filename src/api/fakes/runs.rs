//! Runs in memory: asked for, looked at, ended by a person. Nothing takes them.

use super::*;
use crate::engine::queue::{Ask, Caps, Taken, Waiting};

#[async_trait]
impl Runs for Memory {
    async fn enqueue(&self, new: NewRun, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>> {
        if let Some(replayed) = self.replay(&key)? {
            return Ok(replayed);
        }
        let mut runs = self.runs.lock().unwrap();
        if let Some(live) = runs.iter().find(|run| {
            !run.dry_run && !new.dry_run && run.stream == new.stream && run.connection == new.connection && !run.state.is_final()
        }) {
            return Err(Fault::new(Code::StreamBusy, "this stream has a live run").at(format!("/sync/runs/{}", live.id)));
        }
        let run = Run {
            id: ids::fresh(),
            flow: new.flow,
            connection: new.connection,
            stream: new.stream,
            owner: new.owner,
            trigger: new.trigger,
            mode: new.mode,
            dry_run: new.dry_run,
            items: new.items,
            undo_of: new.undo_of,
            state: State::Queued,
            phase: Phase::Read,
            created_at: clock::now(),
            started_at: None,
            finished_at: None,
            not_before: None,
            read: 0,
            total: None,
            applied: 0,
            counts: Counts::default(),
            cursor_before: None,
            cursor_after: None,
            read_summary: None,
            error: None::<FaultView>,
            settings: None,
            cancel_requested: false,
            version: 1,
            attempts: 0,
            fence: 0,
            plan: Default::default(),
            passage: Default::default(),
        };
        runs.push(run.clone());
        Ok(self.acted(key, &render, run))
    }
    async fn get(&self, id: &str) -> Result<Option<Run>> {
        assert!(ids::plausible(id), "the store was asked for {id}");
        Ok(self.runs.lock().unwrap().iter().find(|row| row.id == id).cloned())
    }
    async fn versions(&self, ids: &[String]) -> Result<Vec<(String, u64)>> {
        let runs = self.runs.lock().unwrap();
        Ok(runs.iter().filter(|run| ids.contains(&run.id)).map(|run| (run.id.clone(), run.version)).collect())
    }
    async fn list(&self, filter: RunFilter, page: PageRequest) -> Result<Listing<Run>> {
        let rows = self.runs.lock().unwrap().clone();
        listing(
            rows.into_iter().filter(|row| {
                seen((&filter.flows, &filter.owner), &row.flow, &row.owner) && filter.state.is_none_or(|state| state == row.state)
            }),
            &page,
        )
    }
    async fn request_cancel(&self, run: &str, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>> {
        self.change_run(run, key, &render, |run| {
            if run.state.is_final() {
                return Err(Fault::new(Code::NotAwaiting, "the run has ended"));
            }
            run.state = State::Cancelled;
            Ok(())
        })
    }
    async fn settle(&self, run: &str, approve: bool, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>> {
        self.change_run(run, key, &render, |run| {
            if run.state != State::AwaitingApproval {
                return Err(Fault::new(Code::NotAwaiting, "the run waits for nobody"));
            }
            run.state = if approve { State::Queued } else { State::Cancelled };
            Ok(())
        })
    }
    async fn waiting(&self) -> Result<Vec<Waiting>> {
        unused()
    }
    async fn claim(&self, _: Arc<Vec<Waiting>>, _: Ask) -> Result<Taken> {
        unused()
    }
    async fn stand(&self, queued: Vec<Run>, _: Caps) -> Result<Vec<Run>> {
        Ok(queued)
    }
    async fn showing(&self, _: &str, _: u64) -> Result<()> {
        unused()
    }
    async fn show_rest(&self, _: &str) -> Result<bool> {
        unused()
    }
    async fn beat(&self, _: &str, _: u64, _: Duration) -> Result<Beat> {
        unused()
    }
    async fn progress(&self, _: &str, _: u64, _: u64, _: Option<u64>) -> Result<()> {
        unused()
    }
    async fn begin(&self, _: &str, _: u64, _: &Value, _: Option<DateTime<Utc>>) -> Result<()> {
        unused()
    }
    async fn read_done(&self, _: ReadOf, _: &ReadSummary) -> Result<()> {
        unused()
    }
    async fn decided(&self, _: &str, _: u64, _: Counts, _: Phase) -> Result<()> {
        unused()
    }
    async fn applied(&self, _: &str, _: u64) -> Result<()> {
        unused()
    }
    async fn finish(&self, _: &str, _: u64, _: Finish) -> Result<()> {
        unused()
    }
    async fn requeue(&self, _: &str, _: u64, _: Option<DateTime<Utc>>, _: bool) -> Result<()> {
        unused()
    }
}
