//! `tradesync demo`: the main job end to end, for the eyes of a person, on nothing but this program and one MariaDB.
//!
//! It makes a shop database with the OpenCart schema, starts the simulated Billz 2 and the service, makes a connection over REST,
//! synchronises two shops, changes things in Billz, synchronises again, and checks the database against what Billz says.
//!
//! - [`shop`]: the shop's database; [`client`]: the REST calls; [`report`]: tables and progress; [`truth`]: the check

pub mod client;
pub mod report;
pub mod shop;
pub mod truth;

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    app,
    config::{Config, Role},
    db::DatabaseUrl,
    engine::secrets,
    fault::{Code, Fault},
    sandbox::{self, billz2::changes::RandomChanges},
};
use client::Client;

/// How the demo is run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// End by itself; exit code 0 only if the shop equals what Billz says.
    #[arg(long)]
    pub once: bool,
    /// Products in the simulated Billz.
    #[arg(long, default_value_t = 400)]
    pub products: usize,
    /// A MariaDB or MySQL server on which the demo may make the database `tradesync_demo`: mysql://user:password@host:port/
    #[arg(long, env = "TRADESYNC_DEMO_SERVER", hide_env_values = true)]
    pub server: String,
}

/// Name of the demo's database; made anew at every start.
const DATABASE: &str = "tradesync_demo";
/// Category for goods whose category is not mapped: «Новинки продавцов» of the seed.
const CATEGORY: u64 = 33;
/// Integration key of the simulated Billz.
const BILLZ_KEY: &str = "demo-integration-key";

/// Runs the demo; `Ok(true)` when the shop equalled what Billz says at every check.
pub async fn run(options: Options, config: Config) -> Result<bool, Fault> {
    report::title("A shop database with the OpenCart 3.0.3.8 schema");
    let url = shop::make(&options.server, DATABASE).await?;
    report::say(&format!("database {DATABASE}: 136 tables, 3 languages, 2 customer groups, 10 categories"));

    report::title("The simulated Billz 2");
    let billz =
        sandbox::start(sandbox::Options { products: options.products, secret: BILLZ_KEY.to_owned(), ..sandbox::Options::default() })
            .await
            .map_err(|error| Fault::internal("the sandbox could not be started").caused_by(error))?;
    report::say(&format!("{} with {} products, 2 requests a second; a sale does not move updated_at", billz.url, options.products));
    let photos = format!("{}{}", billz.url, sandbox::billz2::pictures::ROOT);
    billz.billz2.set_switches(|switches| switches.photos = photos);
    let images = shop::image_folder()?;
    let filled = shop::fill_from_excel(&url, &billz.billz2).await?;
    report::say(&format!("the seller's old Excel import left {filled} of these products in the shop already: they must not be doubled"));

    report::title("The service");
    let key = secrets::fresh_api_key();
    let service = start_service(Config { image_root: Some(images.clone()), ..config }, &url, key.clone()).await?;
    let address = service.address();
    report::say(&format!("listening on http://{address}"));
    let client = Client::new(&format!("http://{address}"), key.expose_secret())?;

    report::title("A connection, and the shops that Billz offers");
    let first = billz.billz2.shops().first().map(|shop| shop.id.to_string()).unwrap_or_default();
    let connection = client.post("/connections", &connection(&billz.url, &url, &first)).await?;
    let id = connection.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    report::checks(&client.post(&format!("/connections/{id}/check"), &json!({})).await?);
    let offered = client.post(&format!("/connections/{id}/streams/discover"), &json!({})).await?;
    let mut streams = report::list(&offered);
    streams.sort_by_key(|stream| stream.get("stream").and_then(Value::as_str) != Some(&first));
    for stream in streams.iter().take(2) {
        client.post(&format!("/connections/{id}/streams"), stream).await?;
    }
    report::streams(&client.get(&format!("/connections/{id}/streams")).await?);
    let chosen: Vec<String> = streams.iter().take(2).filter_map(|stream| Some(stream.get("stream")?.as_str()?.to_owned())).collect();

    report::title("First synchronisation: everything");
    let mut well = synchronise(&client, &id, &chosen, "full").await?;
    well &= check(&client, &id, &url, &billz.billz2, &chosen).await?;

    report::title("Life goes on in Billz");
    let changes =
        billz.billz2.random_changes(&RandomChanges { stock: 25, price: 12, promo: 6, new: 3, deleted: 1, ..RandomChanges::default() });
    report::say(&format!(
        "{} sales, {} prices, {} promotions, {} new, {} deleted; sales did not move updated_at, so a delta alone would miss them",
        changes.stock.len(),
        changes.price.len(),
        changes.promo.len(),
        changes.new.len(),
        changes.deleted.len()
    ));

    report::title("Second synchronisation: what changed");
    well &= synchronise(&client, &id, &chosen, "incremental").await?;
    well &= check(&client, &id, &url, &billz.billz2, &chosen).await?;

    report::title("Third synchronisation: nothing changed, nothing is written");
    well &= synchronise(&client, &id, &chosen, "incremental").await?;
    well &= check(&client, &id, &url, &billz.billz2, &chosen).await?;

    report::say(&format!("{} pictures in the shop's folder {}", shop::count_files(&images), images.display()));
    report::title(if well { "All matched: the shop holds what Billz says" } else { "NOT all matched: see above" });
    report::say(&format!("Swagger UI   http://{address}/docs/"));
    report::say(&format!("API key      {}", key.expose_secret()));
    report::say(&format!("Billz        {}/_sandbox/billz2/state (change things there, synchronise again)", billz.url));
    if !options.once {
        report::say("The service stays up. Ctrl-C ends the demo.");
        let _ = tokio::signal::ctrl_c().await;
    }
    service.stop().await;
    billz.stop().await;
    Ok(well)
}

fn connection(billz: &str, shop: &DatabaseUrl, price_shop: &str) -> Value {
    json!({
        "flow": "billz-opencart", "name": "Demo shop", "owner": "seller:42", "enabled": true,
        "settings": {
            "base_url": billz,
            // A sale does not move updated_at (the harder case), so a delta may serve for one second only.
            "full_every": "1s",
            "linking": "auto", "price_shop": price_shop,
            "new_products": "live", "unmapped_category": "default", "default_category_id": CATEGORY,
            "rates": {"USD": "12650"},
            // The simulated Billz keeps its photos on this machine, where pictures are otherwise refused to come from.
            "images": {"dir": shop::IMAGES, "allow_hosts": ["127.0.0.1"]},
        },
        "secrets": {"secret": BILLZ_KEY, "opencart_database_url": shop.expose()},
    })
}

async fn start_service(config: Config, url: &DatabaseUrl, key: SecretString) -> Result<app::Running, Fault> {
    let fixed = Config {
        database_url: Some(url.clone()),
        master_key: Some(secrets::fresh_master_key()),
        admin_key: Some(key),
        role: Role::All,
        ..config
    };
    match app::start(&fixed).await {
        // A demo left running in another window must not stop this one.
        Err(fault) if fault.code == Code::ConfigInvalid => {
            app::start(&Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..fixed }).await
        }
        other => other,
    }
}

async fn synchronise(client: &Client, connection: &str, streams: &[String], mode: &str) -> Result<bool, Fault> {
    let mut well = true;
    for stream in streams {
        let run = client.post("/sync/billz-opencart", &json!({"connection": connection, "stream": stream, "mode": mode})).await?;
        let run = report::follow(client, &run).await?;
        let items = client.get_all(&format!("/sync/runs/{}/items", run.get("id").and_then(Value::as_str).unwrap_or_default())).await?;
        report::run(&run, &items);
        well &= matches!(run.get("state").and_then(Value::as_str), Some("succeeded" | "partial"));
    }
    Ok(well)
}

async fn check(
    client: &Client,
    connection: &str,
    url: &DatabaseUrl,
    billz: &sandbox::billz2::Handle,
    streams: &[String],
) -> Result<bool, Fault> {
    let links = client.get_all(&format!("/connections/{connection}/links?state=linked")).await?;
    let found = truth::compare(url, billz, &links, streams).await?;
    report::truth(&found);
    Ok(found.wrong.is_empty())
}
