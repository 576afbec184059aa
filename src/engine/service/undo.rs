//! Undo a run: what can be refused at once is refused here, with the reason.

use super::{Scope, Service};
use crate::{
    engine::{
        model::{Mode, NewRun, Run, State, Trigger},
        ports::{Acted, Idempotency, RenderBox},
    },
    fault::{Code, Fault, Result},
};

impl Service {
    /// Puts a run into the queue that takes back what `id` applied.
    ///
    /// Errors: `StreamBusy` while a run of the stream is live (perhaps this one), `NothingToUndo` of a plan or of a run that changed
    /// nothing, `UndoExpired` when its old values are no longer kept.
    pub async fn undo_run(&self, scope: &Scope, id: &str, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>> {
        let run = self.run(scope, id).await?;
        if matches!(run.state, State::Queued | State::Running) {
            let busy = Fault::new(Code::StreamBusy, "the run is still at work; cancel it or wait for its end, then undo it");
            return Err(busy.at(format!("/sync/runs/{}", run.id)));
        }
        if run.applied == 0 {
            let why = if run.dry_run { "the run is a plan that was not applied" } else { "the run changed nothing" };
            return Err(Fault::new(Code::NothingToUndo, format!("{why}, so there is nothing to take back")));
        }
        // What is old goes in steps: a part of it is not what the run did.
        if self.changes.kept(&run.id).await? < run.applied {
            return Err(Fault::new(
                Code::UndoExpired,
                "the old values of this run are no longer kept: the setting keep_changes says for how long they are",
            ));
        }
        let undo = NewRun {
            flow: run.flow,
            connection: run.connection,
            stream: run.stream,
            owner: run.owner,
            trigger: Trigger::Undo,
            mode: Mode::Incremental,
            dry_run: false,
            items: None,
            undo_of: Some(run.id),
        };
        self.runs.enqueue(undo, key, render).await
    }
}
