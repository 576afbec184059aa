//! Composition root: builds the parts from a configuration and runs them until they are told to stop.

use std::{net::SocketAddr, sync::Arc};

use actix_web::{App, HttpServer, web};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    alerts::{channels::Channels, sender::Sender, watch::Watch},
    api,
    config::{Config, Role},
    domain::clock,
    engine::{
        flow::Flow,
        hooks, queue,
        retention::{Housekeeper, Keep},
        run::Ports,
        schedule::scheduler::Scheduler,
        secrets::Sealer,
        service::Service,
        worker::{self, Worker},
    },
    fault::{Code, Fault},
    flows, remote,
    store::Store,
    telemetry::Metrics,
};

/// Connections of our own pool. Each run needs one at a time, each request one; more only queue in the server.
const POOL: u32 = 12;

/// The parts that every command is made of.
pub struct Parts {
    /// Our tables.
    pub store: Store,
    /// Seals and opens secrets.
    pub sealer: Arc<Sealer>,
    /// The integrations of this binary.
    pub flows: Vec<Arc<dyn Flow>>,
    /// How alerts get to people.
    pub channels: Arc<Channels>,
}

impl Parts {
    /// Builds them; nothing is connected yet.
    pub fn build(config: &Config) -> Result<Self, Fault> {
        clock::set_time_factor(config.time_factor);
        let url = config.database()?;
        let store = Store::open(url.clone(), POOL)?;
        let sealer = Arc::new(Sealer::from_text(&config.master()?)?);
        let parts = flows::Parts {
            http: remote::Http::new(remote::Options::default())?,
            limits: Arc::new(store.clone()),
            claims: Arc::new(store.clone()),
            hooks: Arc::new(store.clone()),
            egress: config.egress.clone(),
            database_url: SecretString::from(url.expose()),
            image_root: config.image_root.clone(),
        };
        let channels = Arc::new(Channels::new(sealer.clone(), config.public_url.clone())?);
        Ok(Self { flows: flows::all(&parts), store, sealer, channels })
    }

    /// The store as a run's ports.
    pub fn ports(&self) -> Ports {
        let store = Arc::new(self.store.clone());
        Ports {
            connections: store.clone(),
            runs: store.clone(),
            records: store.clone(),
            links: store.clone(),
            changes: store.clone(),
            plans: store.clone(),
            retries: store.clone(),
            standing: store.clone(),
            pictures: store.clone(),
            leases: store.clone(),
            mappings: store.clone(),
            inbox: store.clone(),
            hooks: store.clone(),
            locks: store,
            bell: self.store.bell(),
        }
    }

    /// The use cases behind the API.
    pub fn service(&self, config: &Config) -> Arc<Service> {
        let store = Arc::new(self.store.clone());
        Arc::new(Service {
            connections: store.clone(),
            runs: store.clone(),
            records: store.clone(),
            links: store.clone(),
            changes: store.clone(),
            mappings: store.clone(),
            inbox: store.clone(),
            hooks: store.clone(),
            hook_tokens: Default::default(),
            lock_store: store.clone(),
            plans: store.clone(),
            schedules: store.clone(),
            retries: store.clone(),
            standing: store.clone(),
            audit: store.clone(),
            alert_store: store.clone(),
            messenger: self.channels.clone(),
            answers: store.clone(),
            api_keys: store.clone(),
            ready: store,
            flows: self.flows.clone(),
            sealer: self.sealer.clone(),
            admin_key: config.admin_key.clone(),
            caps: config.caps,
        })
    }
}

/// What the OpenAPI document says of each flow's settings.
pub fn documents() -> Vec<api::FlowDoc> {
    use flows::{billz_opencart, bitrix24_otmechalka, kaktus_insales, okliving_onebox};
    vec![
        api::FlowDoc::of::<billz_opencart::settings::Settings>(billz_opencart::NAME, billz_opencart::settings::SECRETS),
        api::FlowDoc::of::<bitrix24_otmechalka::settings::Settings>(bitrix24_otmechalka::NAME, bitrix24_otmechalka::settings::SECRETS),
        api::FlowDoc::of::<kaktus_insales::settings::Settings>(kaktus_insales::NAME, kaktus_insales::settings::SECRETS),
        api::FlowDoc::of::<okliving_onebox::settings::Settings>(okliving_onebox::NAME, okliving_onebox::settings::SECRETS),
    ]
}

/// A running service.
pub struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    server: actix_web::dev::ServerHandle,
    tasks: Vec<JoinHandle<()>>,
    upkeep: JoinHandle<()>,
    api: api::Api,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it: no new requests, runs end at their next batch border.
    pub async fn stop(self) {
        self.stop.cancel();
        self.api.close_streams();
        for task in self.tasks {
            let _ = task.await;
        }
        self.server.stop(true).await;
        self.upkeep.abort();
    }
}

/// Starts the service; migrations that are missing are run first. `ConfigInvalid` when the address is taken.
pub async fn start(config: &Config) -> Result<Running, Fault> {
    let parts = Parts::build(config)?;
    let ran = parts.store.migrate().await?;
    if !ran.is_empty() {
        tracing::info!(migrations = ran.len(), "database brought up to date");
    }
    let metrics = Metrics::install()?;
    let listener = std::net::TcpListener::bind(config.listen).map_err(|error| {
        Fault::new(Code::ConfigInvalid, format!("{} cannot be listened on: {error}; set TRADESYNC_LISTEN", config.listen))
    })?;
    let address = listener.local_addr().map_err(|error| Fault::internal("the listener has no address").caused_by(error))?;
    let stop = CancellationToken::new();
    let mut tasks = Vec::new();
    let alerts = Arc::new(parts.store.clone());
    // In every process: when no worker lives, one that only answers requests has to say so.
    tasks.push(tokio::spawn(Watch::new(alerts.clone(), alerts.clone(), alerts.clone()).run(stop.clone())));
    tasks.push(tokio::spawn(Sender::new(alerts, parts.channels.clone()).run(stop.clone())));
    if config.role != Role::Api {
        let options = worker::Options { places: config.runs_per_worker, caps: config.caps, ..worker::Options::default() };
        let worker = Worker::new(parts.ports(), parts.flows.clone(), parts.sealer.clone(), options);
        tasks.push(tokio::spawn(queue::watch::watch(Arc::new(parts.store.clone()), parts.store.bell(), stop.clone())));
        tasks.push(tokio::spawn(worker.run(stop.clone())));
        let hooks = Arc::new(parts.store.clone());
        tasks.push(tokio::spawn(hooks::drain(hooks.clone(), hooks, parts.store.bell(), stop.clone())));
        let store = Arc::new(parts.store.clone());
        let keep = Keep { runs: config.keep_runs, runs_per_stream: config.keep_runs_per_stream, audit: config.keep_audit };
        tasks.push(tokio::spawn(Housekeeper::new(store.clone(), store, keep).run(stop.clone())));
        let scheduler = Scheduler::new(Arc::new(parts.store.clone()), parts.store.bell());
        tasks.push(tokio::spawn(scheduler.run(stop.clone())));
    }
    let upkeep = tokio::spawn(metrics.clone().upkeep());
    let api = api::Api::new(parts.service(config), metrics, &documents());
    let taken = |error: std::io::Error| {
        Fault::new(Code::ConfigInvalid, format!("{} cannot be listened on: {error}; set TRADESYNC_LISTEN", config.listen))
    };
    let streams = api.clone();
    let server = if config.role == Role::Worker {
        // A worker takes no orders: only its health and figures are to be seen.
        let app = move || {
            App::new()
                .app_data(web::Data::new(api.clone()))
                .service(api::health::livez)
                .service(api::health::readyz)
                .service(api::health::metrics)
        };
        HttpServer::new(app).workers(1).disable_signals().listen(listener).map_err(taken)?.run()
    } else {
        HttpServer::new(move || api::app(api.clone())).workers(HTTP_THREADS).disable_signals().listen(listener).map_err(taken)?.run()
    };
    let handle = server.handle();
    tokio::spawn(server);
    tracing::info!(address = %address, role = ?config.role, egress = %config.egress, "listening; Swagger UI at /docs/");
    Ok(Running { address, stop, server: handle, tasks, upkeep, api: streams })
}

/// Threads that answer requests: handlers wait for the database, they do not compute.
const HTTP_THREADS: usize = 2;

/// Runs until SIGINT or SIGTERM.
pub async fn serve(config: &Config) -> Result<(), Fault> {
    let running = start(config).await?;
    println!("tradesync listens on http://{} (Swagger UI: http://{}/docs/)", running.address(), running.address());
    wait_for_signal().await;
    tracing::info!("stopping: runs end at their next batch border");
    running.stop().await;
    Ok(())
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
