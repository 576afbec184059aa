//! The command line (design.md section 6).

mod check;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::{
    api, app,
    config::{self, Config},
    domain::{clock, ids},
    engine::{
        audit::{self, Act},
        model::{Mode, Run, State, Trigger},
        ports::{Acted, ApiKey, ApiKeys, Role},
        secrets,
        service::{OWNER_FORM, Scope, is_owner, sync::SyncRequest},
        worker::{self, Worker},
    },
    fault::{Code, Fault},
    telemetry::logs,
};

/// Keeps shops, tills and CRMs in step.
#[derive(Parser)]
#[command(name = "tradesync", version)]
struct Cli {
    /// Configuration file; without it tradesync.toml of the working folder, if it is there.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer the REST API and execute runs.
    Serve,
    /// Bring our tables up to date.
    Migrate,
    /// Simulate Billz 2, with faults on demand.
    #[cfg(feature = "sandbox")]
    Sandbox(Box<SandboxOptions>),
    /// See the main job work, end to end.
    #[cfg(feature = "sandbox")]
    Demo(crate::demo::Options),
    /// Look at the remotes of one or all connections, and see by a dry run of each stream what a run would do; changes nothing.
    Check {
        /// One connection's id.
        #[arg(long, required_unless_present = "all", conflicts_with = "all")]
        connection: Option<String>,
        /// Every enabled connection.
        #[arg(long)]
        all: bool,
        /// Also ask the remotes what is not known about them: page sizes, time zones, doubles. May take as long as a whole read.
        #[arg(long)]
        probe: bool,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Print a commented configuration file.
    Config {
        /// As the table of docs/configuration.md instead.
        #[arg(long)]
        markdown: bool,
    },
    /// API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Run one stream now, in this process, and print its report.
    Sync {
        /// The flow, such as billz-opencart.
        flow: String,
        /// The connection's id.
        #[arg(long)]
        connection: String,
        /// The stream.
        #[arg(long)]
        stream: String,
        /// Read everything.
        #[arg(long)]
        full: bool,
        /// Compute and show, write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Master keys.
    #[command(subcommand, name = "seal-key")]
    SealKey(SealKeyCommand),
}

#[derive(Subcommand)]
enum SealKeyCommand {
    /// Print a fresh master key for TRADESYNC_MASTER_KEY.
    New,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a key; it is printed once and never again.
    Create {
        /// A name for people.
        #[arg(long)]
        name: String,
        /// reader, operator or admin.
        #[arg(long)]
        role: String,
        /// Only these flows.
        #[arg(long)]
        flow: Vec<String>,
        /// Only this owner, such as seller:42.
        #[arg(long)]
        owner: Option<String>,
        /// The key must always say on whose behalf it acts.
        #[arg(long)]
        delegate: bool,
    },
    /// Show all keys, without the keys themselves.
    List,
    /// Revoke a key by its id.
    Revoke {
        /// The key's id.
        id: String,
    },
}

#[cfg(feature = "sandbox")]
#[derive(clap::Args)]
struct SandboxOptions {
    /// Address and port.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// Address and port of Billz 1.
    #[arg(long, default_value = "127.0.0.1:9091")]
    listen_billz1: SocketAddr,
    /// Address and port of Kaktus.
    #[arg(long, default_value = "127.0.0.1:9092")]
    listen_kaktus: SocketAddr,
    /// Address and port of InSales.
    #[arg(long, default_value = "127.0.0.1:9093")]
    listen_insales: SocketAddr,
    /// Address and port of Bitrix24.
    #[arg(long, default_value = "127.0.0.1:9094")]
    listen_bitrix24: SocketAddr,
    /// Address and port of otmechalka.
    #[arg(long, default_value = "127.0.0.1:9095")]
    listen_otmechalka: SocketAddr,
    /// Address and port of OK Living.
    #[arg(long, default_value = "127.0.0.1:9096")]
    listen_okliving: SocketAddr,
    /// Address and port of OneBox.
    #[arg(long, default_value = "127.0.0.1:9097")]
    listen_onebox: SocketAddr,
    /// Contacts in Bitrix24.
    #[arg(long, default_value_t = 60)]
    contacts: usize,
    /// Deals in Bitrix24.
    #[arg(long, default_value_t = 60)]
    deals: usize,
    /// Orders in OK Living.
    #[arg(long, default_value_t = 40)]
    orders: usize,
    /// Goods that Kaktus and InSales have in common, most of three sizes.
    #[arg(long, default_value_t = 60)]
    goods: usize,
    /// Products of the catalogue.
    #[arg(long, default_value_t = 300)]
    products: usize,
    /// Same seed and size, same catalogue.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The integration key that logs in.
    #[arg(long, default_value = "demo-integration-key")]
    secret: String,
    /// Requests per second and address; 0 = no limit.
    #[arg(long, default_value_t = 2)]
    rate_limit: u32,
}

/// Threads for database calls. Too low: heartbeats wait behind reports; too high: each keeps memory that it once needed.
const BLOCKING_THREADS: usize = 32;

/// Reads the command line and does what it says. A fault is printed as one sentence with what to do next.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().max_blocking_threads(BLOCKING_THREADS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tradesync: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(execute(cli)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("tradesync: {fault}\n{}", fault.code.next());
            ExitCode::FAILURE
        }
    }
}

async fn execute(cli: Cli) -> Result<bool, Fault> {
    match cli.command {
        Command::Openapi => print!("{}", api::openapi_json(&app::documents())),
        Command::Config { markdown } => print!("{}", if markdown { config::markdown() } else { config::commented_file() }),
        Command::SealKey(SealKeyCommand::New) => println!("{}", secrets::fresh_master_key().expose_secret()),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(options) => sandbox(&Config::load(cli.config.as_ref(), &[])?, *options).await?,
        #[cfg(feature = "sandbox")]
        Command::Demo(options) => {
            let mut config = Config::load(cli.config.as_ref(), &[])?;
            // Its tables are for reading; the log would stand between them.
            if config.log == "info" {
                config.log = "warn".to_owned();
            }
            logs::init(&config.log, config.log_format)?;
            return crate::demo::run(options, config).await;
        }
        Command::Serve => {
            let config = configured(&cli.config, WORKING)?;
            app::serve(&config).await?;
        }
        Command::Migrate => {
            let config = configured(&cli.config, &["database_url"])?;
            let ran = crate::store::Store::open(config.database()?, 1)?.migrate().await?;
            if ran.is_empty() {
                println!("nothing to do: the tables are up to date");
            }
            for version in ran {
                println!("ran {version}");
            }
        }
        Command::Check { connection, probe, .. } => return check::check(&configured(&cli.config, WORKING)?, connection, probe).await,
        Command::Key(command) => key(&configured(&cli.config, WORKING)?, command).await?,
        Command::Sync { flow, connection, stream, full, dry_run } => {
            let mode = if full { Mode::Full } else { Mode::Incremental };
            return sync(&configured(&cli.config, WORKING)?, flow, connection, stream, mode, dry_run).await;
        }
    }
    Ok(true)
}

/// What commands that work on connections cannot do without.
const WORKING: &[&str] = &["database_url", "master_key"];

fn configured(file: &Option<PathBuf>, required: &[&str]) -> Result<Config, Fault> {
    let config = Config::load(file.as_ref(), required)?;
    logs::init(&config.log, config.log_format)?;
    Ok(config)
}

#[cfg(feature = "sandbox")]
async fn sandbox(config: &Config, options: SandboxOptions) -> Result<(), Fault> {
    logs::init(&config.log, config.log_format)?;
    let options = crate::sandbox::Options {
        listen: options.listen,
        listen_billz1: options.listen_billz1,
        listen_kaktus: options.listen_kaktus,
        listen_insales: options.listen_insales,
        listen_bitrix24: options.listen_bitrix24,
        listen_otmechalka: options.listen_otmechalka,
        listen_okliving: options.listen_okliving,
        listen_onebox: options.listen_onebox,
        contacts: options.contacts,
        deals: options.deals,
        orders: options.orders,
        goods: options.goods,
        products: options.products,
        seed: options.seed,
        secret: options.secret,
        time_factor: config.time_factor,
        rate_limit: (options.rate_limit > 0).then_some(options.rate_limit),
        ..crate::sandbox::Options::default()
    };
    crate::sandbox::run(options).await.map_err(|error| Fault::new(Code::ConfigInvalid, format!("the sandbox ended: {error}")))
}

fn role(word: &str) -> Result<Role, Fault> {
    match word {
        "reader" => Ok(Role::Reader),
        "operator" => Ok(Role::Operator),
        "admin" => Ok(Role::Admin),
        other => Err(Fault::new(Code::ConfigInvalid, format!("`{other}` is no role; write reader, operator or admin"))),
    }
}

/// A key with a slip of the pen in its limits would see nothing, and nobody would know why.
fn check_limits(parts: &app::Parts, flows: &[String], owner: Option<&str>) -> Result<(), Fault> {
    let known = parts.flows.iter().map(|flow| flow.name()).collect::<Vec<_>>();
    if let Some(unknown) = flows.iter().find(|flow| !known.contains(&flow.as_str())) {
        return Err(Fault::new(Code::ConfigInvalid, format!("`{unknown}` is no flow; there are: {}", known.join(", "))));
    }
    match owner {
        Some(owner) if !is_owner(owner) => {
            Err(Fault::new(Code::ConfigInvalid, format!("the owner `{owner}` must have the form {OWNER_FORM}")))
        }
        _ => Ok(()),
    }
}

async fn key(config: &Config, command: KeyCommand) -> Result<(), Fault> {
    let parts = app::Parts::build(config)?;
    parts.store.migrate().await?;
    match command {
        KeyCommand::Create { name, role: word, flow, owner, delegate } => {
            check_limits(&parts, &flow, owner.as_deref())?;
            let key = secrets::fresh_api_key();
            let stored = ApiKey {
                id: ids::fresh(),
                name,
                hash: parts.sealer.hash_api_key(&key),
                role: role(&word)?,
                flows: (!flow.is_empty()).then_some(flow),
                owner,
                delegate,
                created_at: clock::now(),
                revoked_at: None,
            };
            eprintln!("id {}; the key itself is shown this once:", stored.id);
            let act = Act::of_command_line("keys.create", format!("keys/{}", stored.id));
            audit::scope(act, parts.store.create(stored)).await?;
            println!("{}", key.expose_secret());
        }
        KeyCommand::List => {
            let mut table = comfy_table::Table::new();
            table.set_header(["id", "name", "role", "flows", "owner", "delegate", "made", "revoked"]);
            for key in ApiKeys::list(&parts.store).await? {
                table.add_row([
                    key.id,
                    key.name,
                    format!("{:?}", key.role).to_lowercase(),
                    key.flows.map_or("all".to_owned(), |flows| flows.join(", ")),
                    key.owner.unwrap_or_else(|| "any".to_owned()),
                    if key.delegate { "yes" } else { "no" }.to_owned(),
                    key.created_at.to_rfc3339(),
                    key.revoked_at.map_or("–".to_owned(), |at| at.to_rfc3339()),
                ]);
            }
            println!("{table}");
        }
        KeyCommand::Revoke { id } => {
            let act = Act::of_command_line("keys.revoke", format!("keys/{id}"));
            if !audit::scope(act, parts.store.revoke(&id)).await? {
                return Err(Fault::new(Code::NotFound, format!("there is no live key with the id {id}")));
            }
            println!("revoked {id}");
        }
    }
    Ok(())
}

async fn sync(config: &Config, flow: String, connection: String, stream: String, mode: Mode, dry_run: bool) -> Result<bool, Fault> {
    let parts = app::Parts::build(config)?;
    parts.store.migrate().await?;
    let service = parts.service(config);
    let request = SyncRequest { connection, stream, mode, dry_run, items: None };
    let unkept = Box::new(|run: &Run| crate::api::sync::accepted(run));
    let act = Act::of_command_line("sync.start", format!("/sync/{flow}"));
    let scope = Scope::all();
    let started = service.start_sync(&scope, &flow, request, Trigger::Manual, None, unkept);
    let run = match audit::scope(act, started).await? {
        Acted::Fresh(run) => run,
        Acted::Replayed(_) => return Err(Fault::internal("a run without an idempotency key was replayed")),
    };
    let worker = Worker::new(parts.ports(), parts.flows.clone(), parts.sealer.clone(), worker::Options::default());
    let ended = worker.run_one(&run.id, CancellationToken::new()).await?;
    let counts = ended.counts;
    println!(
        "run {} {:?}: created {}, updated {}, unchanged {}, skipped {}, failed {}, held {}",
        ended.id, ended.state, counts.created, counts.updated, counts.unchanged, counts.skipped, counts.failed, counts.held
    );
    if let Some(error) = &ended.error {
        println!("{}: {} {}", error.code, error.detail, error.next);
    }
    Ok(matches!(ended.state, State::Succeeded | State::AwaitingApproval))
}
