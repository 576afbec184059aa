//! `tradesync check`: what can be told of connections without changing anything, in one table.
//!
//! Each connection's remotes are looked at; where they answer, a dry run of each enabled stream shows what a run would do. With `--probe`
//! the remotes are asked what nobody knows about them yet.

use tokio_util::sync::CancellationToken;

use crate::{
    app,
    config::Config,
    domain::text::Lang,
    engine::{
        audit::{self, Act},
        flow::Check,
        model::{Connection, Mode, Run, State, Stream, Trigger},
        ports::{Acted, PageRequest},
        service::{Scope, Service, sync::SyncRequest},
        worker::{self, Worker},
    },
    fault::Fault,
};

/// Looks at one connection, or at all that are enabled, and prints what was found; whether all is well.
pub async fn check(config: &Config, connection: Option<String>, probe: bool) -> Result<bool, Fault> {
    let parts = app::Parts::build(config)?;
    parts.store.migrate().await?;
    let service = parts.service(config);
    let scope = Scope::all();
    let connections = match connection {
        Some(id) => vec![service.connection(&scope, &id).await?],
        None => all(&service, &scope).await?.into_iter().filter(|connection| connection.enabled).collect(),
    };
    let worker = Worker::new(parts.ports(), parts.flows.clone(), parts.sealer.clone(), worker::Options::default());
    let mut table = comfy_table::Table::new();
    table.set_header(["connection", "check", "", "what was found"]);
    let mut well = true;
    for connection in &connections {
        let mut rows = service.check_connection(&scope, &connection.id, Lang::En).await?;
        let answers = rows.iter().all(|row| row.ok);
        rows.extend(dry_runs(&service, &scope, &worker, connection, answers).await?);
        if probe && answers {
            rows.extend(service.probe_connection(&scope, &connection.id).await?);
        }
        for row in rows {
            well &= row.ok;
            table.add_row([connection.name.clone(), row.name, if row.ok { "ok" } else { "NOT OK" }.to_owned(), row.detail]);
        }
    }
    if connections.is_empty() {
        println!("there is no enabled connection");
    } else {
        println!("{table}");
    }
    Ok(well)
}

async fn all(service: &Service, scope: &Scope) -> Result<Vec<Connection>, Fault> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = service.list_connections(scope, None, PageRequest { limit: 200, cursor }).await?;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

fn row(name: String, ok: bool, detail: impl Into<String>) -> Check {
    Check { name, ok, detail: detail.into() }
}

/// A row for each stream.
async fn dry_runs(service: &Service, scope: &Scope, worker: &Worker, connection: &Connection, answers: bool) -> Result<Vec<Check>, Fault> {
    let streams = service.list_streams(scope, &connection.id).await?;
    let mut rows = Vec::new();
    for stream in streams.into_iter().filter(|stream| stream.enabled) {
        let name = format!("dry run of {}", if stream.name.is_empty() { &stream.stream } else { &stream.name });
        rows.push(match (connection.enabled, answers) {
            (false, _) => row(name, true, "not made: the connection is disabled"),
            (true, false) => row(name, true, "not made: see the rows above"),
            (true, true) => dry_run(service, scope, worker, connection, &stream).await.map_or_else(
                |fault| row(name.clone(), false, format!("{} {}", fault.detail, fault.code.next())),
                |run| row(name.clone(), run.state == State::AwaitingApproval, told(&run)),
            ),
        });
    }
    if rows.is_empty() {
        rows.push(row("dry run".into(), true, "not made: there is no enabled stream"));
    }
    Ok(rows)
}

async fn dry_run(service: &Service, scope: &Scope, worker: &Worker, connection: &Connection, stream: &Stream) -> Result<Run, Fault> {
    let request =
        SyncRequest { connection: connection.id.clone(), stream: stream.stream.clone(), mode: Mode::Full, dry_run: true, items: None };
    let act = Act::of_command_line("sync.start", format!("/sync/{}", connection.flow));
    let unkept = Box::new(|run: &Run| crate::api::sync::accepted(run));
    let started = service.start_sync(scope, &connection.flow, request, Trigger::Manual, None, unkept);
    match audit::scope(act, started).await? {
        Acted::Fresh(run) => worker.run_one(&run.id, CancellationToken::new()).await,
        Acted::Replayed(_) => Err(Fault::internal("a run without an idempotency key was replayed")),
    }
}

/// What a dry run shows.
fn told(run: &Run) -> String {
    let counts = run.counts;
    let mut told = format!(
        "would create {}, update {}; unchanged {}, skipped {}, failed {}, held {}",
        counts.created, counts.updated, counts.unchanged, counts.skipped, counts.failed, counts.held
    );
    for reading in run.plan.readings.iter().filter(|reading| reading.tripped) {
        told.push_str(&format!("; the brake {} would hold: {} of {}", reading.rule.name(), reading.count, reading.of));
    }
    if let Some(error) = &run.error {
        told.push_str(&format!("; {}: {} {}", error.code, error.detail, error.next));
    }
    format!("{told}. Items: /sync/runs/{}/items", run.id)
}
