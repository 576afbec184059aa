//! Runs: start, look at, cancel, approve, reject.

use super::{MAX_KEY_CHARS, Scope, Service, is_flow_name, is_key, no_items, no_such};
use crate::{
    engine::{
        model::{Mode, NewRun, Run, State, Trigger},
        ports::{Acted, Idempotency, ItemFilter, ItemRow, Listing, PageRequest, RenderBox, RunFilter},
    },
    fault::{Code, Fault, FieldError, Result},
};

/// Most items of one run: more is what a full run is for.
pub const MAX_ITEMS: usize = 1_000;

/// What a person asks for.
pub struct SyncRequest {
    /// Id of the connection.
    pub connection: String,
    /// Key of the stream.
    pub stream: String,
    /// How much is asked of the source.
    pub mode: Mode,
    /// Whether it only shows what it would do.
    pub dry_run: bool,
    /// Only these source keys.
    pub items: Option<Vec<String>>,
}

impl Service {
    /// Puts a run into the queue.
    pub async fn start_sync(
        &self,
        scope: &Scope,
        flow: &str,
        request: SyncRequest,
        trigger: Trigger,
        key: Option<Idempotency>,
        render: RenderBox<Run>,
    ) -> Result<Acted<Run>> {
        let flow = self.visible_flow(scope, flow)?;
        let mut errors = Vec::new();
        check_items(request.items.as_deref(), &mut errors);
        let connection = match self.connection(scope, &request.connection).await {
            Err(fault) if fault.code == Code::NotFound => return Err(no_such("/connection", "there is no such connection")),
            found => found?,
        };
        if connection.flow != flow.name() {
            errors.push(FieldError::new("/connection", format!("this connection is of the flow `{}`", connection.flow)));
            return Err(Fault::fields(errors));
        }
        let stream = match self.stream(&connection, &request.stream).await {
            Err(fault) if fault.code == Code::NotFound => return Err(no_such("/stream", "there is no such stream in this connection")),
            found => found?,
        };
        if !connection.enabled {
            errors.push(FieldError::new("/connection", "is disabled"));
        }
        if !stream.enabled {
            errors.push(FieldError::new("/stream", "is disabled"));
        }
        if !errors.is_empty() {
            return Err(Fault::fields(errors));
        }
        let run = NewRun {
            flow: connection.flow,
            connection: connection.id,
            stream: stream.stream,
            owner: connection.owner,
            trigger,
            mode: request.mode,
            dry_run: request.dry_run,
            items: request.items,
            undo_of: None,
        };
        self.runs.enqueue(run, key, render).await
    }

    /// Visible runs, newest first.
    pub async fn list_runs(&self, scope: &Scope, mut filter: RunFilter, page: PageRequest) -> Result<Listing<Run>> {
        let asked = filter.flows.take();
        let visible = asked.as_ref().is_none_or(|flows| flows.iter().any(|flow| is_flow_name(flow) && scope.sees_flow(flow)));
        let owned = filter.owner.as_deref().is_none_or(|owner| scope.sees_owner(Some(owner)));
        let possible =
            filter.connection.as_deref().is_none_or(crate::domain::ids::plausible) && filter.stream.as_deref().is_none_or(is_key);
        if scope.is_empty() || !visible || !owned || !possible {
            return Ok(no_items());
        }
        filter.flows = match asked {
            Some(flows) => Some(flows.into_iter().filter(|flow| scope.sees_flow(flow)).collect()),
            None => scope.flows.clone(),
        };
        filter.owner = filter.owner.or_else(|| scope.owner.clone());
        let mut listing = self.runs.list(filter, page).await?;
        if listing.items.iter().any(|run| run.state == State::Queued) {
            listing.items = self.runs.stand(listing.items, self.caps).await?;
        }
        Ok(listing)
    }

    /// A visible run; a queued one with where it stands in the queue.
    pub async fn run_in_queue(&self, scope: &Scope, id: &str) -> Result<Run> {
        let run = self.run(scope, id).await?;
        if run.state != State::Queued {
            return Ok(run);
        }
        let stood = self.runs.stand(vec![run.clone()], self.caps).await?;
        Ok(stood.into_iter().next().unwrap_or(run))
    }

    /// A visible run.
    pub async fn run(&self, scope: &Scope, id: &str) -> Result<Run> {
        let absent = || Fault::new(Code::NotFound, "there is no such run");
        if !crate::domain::ids::plausible(id) {
            return Err(absent());
        }
        self.runs.get(id).await?.filter(|run| scope.sees_flow(&run.flow) && scope.sees_owner(run.owner.as_deref())).ok_or_else(absent)
    }

    /// Items of a visible run, in the order of its plan.
    pub async fn run_items(&self, scope: &Scope, id: &str, filter: ItemFilter, page: PageRequest) -> Result<Listing<ItemRow>> {
        let run = self.run(scope, id).await?;
        self.changes.items(&run.id, filter, page).await
    }

    /// Asks for the end of a run. A replayed request is answered by the store before it looks at the run's state.
    pub async fn cancel_run(&self, scope: &Scope, id: &str, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>> {
        let run = self.run(scope, id).await?;
        self.runs.request_cancel(&run.id, key, render).await
    }

    /// Approves or rejects a run that waits for a person.
    pub async fn settle_run(
        &self,
        scope: &Scope,
        id: &str,
        approve: bool,
        key: Option<Idempotency>,
        render: RenderBox<Run>,
    ) -> Result<Acted<Run>> {
        let run = self.run(scope, id).await?;
        self.runs.settle(&run.id, approve, key, render).await
    }
}

fn check_items(items: Option<&[String]>, errors: &mut Vec<FieldError>) {
    let Some(items) = items else { return };
    if items.is_empty() || items.len() > MAX_ITEMS {
        errors.push(FieldError::new("/items", format!("must hold 1 to {MAX_ITEMS} source keys; leave it out for all")));
        return;
    }
    for (place, _) in items.iter().enumerate().filter(|(_, item)| !is_key(item)) {
        errors.push(FieldError::new(
            format!("/items/{place}"),
            format!("must be a text of 1 to {MAX_KEY_CHARS} characters without blanks at its ends"),
        ));
    }
}
