//! The retry list: failed items over all runs. They come back by themselves; a person may hurry them or dismiss them.

use super::{Scope, Service, is_flow_name, is_key, no_items, sync::MAX_ITEMS, sync::SyncRequest};
use crate::{
    domain::ids,
    engine::{
        model::{Mode, Run, Trigger},
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox},
        retry_list::{RetryFilter, RetryItem},
    },
    fault::{Code, Fault, Result},
};

impl Service {
    /// Visible failed items, newest first.
    pub async fn list_retries(&self, scope: &Scope, mut filter: RetryFilter, page: PageRequest) -> Result<Listing<RetryItem>> {
        let asked = filter.flows.take();
        let visible = asked.as_ref().is_none_or(|flows| flows.iter().all(|flow| is_flow_name(flow) && scope.sees_flow(flow)));
        let owned = filter.owner.as_deref().is_none_or(|owner| scope.sees_owner(Some(owner)));
        let possible = filter.connection.as_deref().is_none_or(ids::plausible)
            && filter.stream.as_deref().is_none_or(is_key)
            && filter.code.as_deref().is_none_or(str::is_ascii);
        if scope.is_empty() || !visible || !owned || !possible {
            return Ok(no_items());
        }
        filter.flows = asked.or_else(|| scope.flows.clone());
        filter.owner = filter.owner.or_else(|| scope.owner.clone());
        self.retries.list(filter, page).await
    }

    /// A visible failed item.
    pub async fn retry_list_item(&self, scope: &Scope, id: &str) -> Result<RetryItem> {
        let absent = || Fault::new(Code::NotFound, "there is no such item in the retry list");
        if !ids::plausible(id) {
            return Err(absent());
        }
        self.retries.get(id).await?.filter(|item| scope.sees_flow(&item.flow) && scope.sees_owner(item.owner.as_deref())).ok_or_else(absent)
    }

    /// Starts a run of this one item. While the stream is busy the item is made due, so that its next run takes it up all the same.
    pub async fn retry_item(&self, scope: &Scope, id: &str, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>> {
        let item = self.retry_list_item(scope, id).await?;
        let sources = vec![item.source];
        self.retry(scope, &item.flow, (item.connection, item.stream), Some(sources.clone()), false, key, render, sources).await
    }

    /// Starts a run of the items that failed in a run; a dry run is repeated as one. Of more than [`MAX_ITEMS`] all are made due, and the run is
    /// one over the whole stream.
    pub async fn retry_failed(&self, scope: &Scope, id: &str, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>> {
        let run = self.run(scope, id).await?;
        let mut failed = self.retries.failed_in(&run.id, u32::MAX).await?;
        failed.dedup();
        if failed.is_empty() {
            return Err(Fault::new(Code::NotAwaiting, "nothing failed in this run, or its report is no longer kept"));
        }
        let few = failed.len() <= MAX_ITEMS;
        if !few && !run.dry_run {
            self.retries.make_due(&run.connection, &run.stream, failed.clone()).await?;
        }
        let items = few.then(|| failed.clone());
        self.retry(scope, &run.flow, (run.connection, run.stream), items, run.dry_run, key, render, failed).await
    }

    #[expect(clippy::too_many_arguments, reason = "what a run is made of, and what becomes of it")]
    async fn retry(
        &self,
        scope: &Scope,
        flow: &str,
        (connection, stream): (String, String),
        items: Option<Vec<String>>,
        dry_run: bool,
        key: Option<Idempotency>,
        render: RenderBox<Run>,
        sources: Vec<String>,
    ) -> Result<Acted<Run>> {
        let request = SyncRequest { connection: connection.clone(), stream: stream.clone(), mode: Mode::Incremental, dry_run, items };
        match self.start_sync(scope, flow, request, Trigger::Retry, key, render).await {
            Err(busy) if busy.code == Code::StreamBusy => {
                self.retries.make_due(&connection, &stream, sources).await?;
                let mut busy = busy;
                busy.detail.push_str("; what was asked for is due at once, so that the stream's next run takes it up");
                Err(busy)
            }
            outcome => outcome,
        }
    }

    /// Dismisses an item: it comes back only when the source item changes.
    pub async fn dismiss_retry(
        &self,
        scope: &Scope,
        id: &str,
        key: Option<Idempotency>,
        render: RenderBox<RetryItem>,
    ) -> Result<Acted<RetryItem>> {
        let item = self.retry_list_item(scope, id).await?;
        self.retries.dismiss(&item.id, key, render).await
    }
}
