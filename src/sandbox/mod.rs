//! Simulators of the remotes, part of the program: `tradesync sandbox`.
//!
//! A simulator answers as the fact sheet of its system says, quirks included, and misbehaves on demand. It imports nothing of
//! ours outside this folder, not even domain types: a simulator that shares our types shares our mistakes.
//!
//! Each system has its own folder and its own listener, since a remote's paths begin at the root of its host. Today: [`billz1`] and
//! [`billz2`] - start reading there -; [`kaktus`] and [`insales`], which sell the same [`goods`]; [`bitrix24`] and [`otmechalka`]; [`okliving`] and
//! [`onebox`], which calls others by itself. What their control APIs share is [`control`]; what the newer ones share beyond that is [`simulator`] (how
//! one is served) and [`desk`] (what a request meets on its way).
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use tradesync::sandbox::{self, Options, billz2::faults::Fault};
//!
//! let running = sandbox::start(Options { products: 500, rate_limit: None, ..Options::default() }).await?;
//! running.billz2.fault_once("/v2/products", Fault::CutBody);
//! // ... talk to running.url ...
//! running.stop().await;
//! # Ok(())
//! # }
//! ```

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};

pub mod billz1;
pub mod billz2;
pub mod bitrix24;
pub mod control;
pub mod desk;
pub mod goods;
pub mod insales;
pub mod kaktus;
pub mod okliving;
pub mod onebox;
pub mod otmechalka;
pub mod simulator;

use simulator::{Simulator, routes};

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where Billz 2 listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where Billz 1 listens; port 0 takes a free one.
    pub listen_billz1: SocketAddr,
    /// Product rows of the first catalogue, parents and services included.
    pub products: usize,
    /// Same seed and size = same catalogue, byte for byte.
    pub seed: u64,
    /// The integration key that logs in; the same signs the tokens of Billz 1.
    pub secret: String,
    /// Divides the second of the request limit, as it divides the service's durations. Token lives are not divided.
    pub time_factor: f64,
    /// Accepted requests per second and client address; `None` = no limit.
    pub rate_limit: Option<u32>,
    /// All other switches; its `secret` and `rate_limit` are overridden by the two above.
    pub billz2: billz2::switches::Switches,
    /// The same of Billz 1; its `secret` is overridden too.
    pub billz1: billz1::switches::Switches,
    /// Where Kaktus listens; port 0 takes a free one.
    pub listen_kaktus: SocketAddr,
    /// Where InSales listens; port 0 takes a free one.
    pub listen_insales: SocketAddr,
    /// Goods that Kaktus and InSales have in common, most of three sizes each.
    pub goods: usize,
    /// All switches of Kaktus.
    pub kaktus: kaktus::Switches,
    /// All switches of InSales.
    pub insales: insales::Switches,
    /// Where Bitrix24 listens; port 0 takes a free one.
    pub listen_bitrix24: SocketAddr,
    /// Where otmechalka listens; port 0 takes a free one.
    pub listen_otmechalka: SocketAddr,
    /// Contacts in Bitrix24.
    pub contacts: usize,
    /// Deals in Bitrix24.
    pub deals: usize,
    /// All switches of Bitrix24.
    pub bitrix24: bitrix24::Switches,
    /// All switches of otmechalka.
    pub otmechalka: otmechalka::Switches,
    /// Where OK Living listens; port 0 takes a free one.
    pub listen_okliving: SocketAddr,
    /// Where OneBox listens; port 0 takes a free one.
    pub listen_onebox: SocketAddr,
    /// Orders in OK Living.
    pub orders: usize,
    /// All switches of OK Living.
    pub okliving: okliving::Switches,
    /// All switches of OneBox.
    pub onebox: onebox::Switches,
}

/// Any free port of this machine.
const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: FREE,
            listen_billz1: FREE,
            products: 300,
            seed: 1,
            secret: "demo-integration-key".to_owned(),
            time_factor: 1.0,
            rate_limit: Some(2),
            billz2: billz2::switches::Switches::default(),
            billz1: billz1::switches::Switches::default(),
            listen_kaktus: FREE,
            listen_insales: FREE,
            goods: 60,
            kaktus: kaktus::Switches::default(),
            insales: insales::Switches::default(),
            listen_bitrix24: FREE,
            listen_otmechalka: FREE,
            contacts: 60,
            deals: 60,
            bitrix24: bitrix24::Switches::default(),
            otmechalka: otmechalka::Switches::default(),
            listen_okliving: FREE,
            listen_onebox: FREE,
            orders: 40,
            okliving: okliving::Switches::default(),
            onebox: onebox::Switches::default(),
        }
    }
}

/// A running sandbox; it ends when this is dropped.
pub struct Running {
    /// Address of Billz 2, e.g. `http://127.0.0.1:40123`, without a slash at the end.
    pub url: String,
    /// Drives Billz 2 in process.
    pub billz2: billz2::Handle,
    /// Address of Billz 1, without a slash at the end.
    pub billz1_url: String,
    /// Drives Billz 1 in process.
    pub billz1: billz1::Handle,
    /// Address of Kaktus, without a slash at the end.
    pub kaktus_url: String,
    /// Drives Kaktus in process.
    pub kaktus: kaktus::Handle,
    /// Address of InSales, without a slash at the end.
    pub insales_url: String,
    /// Drives InSales in process.
    pub insales: insales::Handle,
    /// Address of Bitrix24, without a slash at the end.
    pub bitrix24_url: String,
    /// Drives Bitrix24 in process.
    pub bitrix24: bitrix24::Handle,
    /// Address of otmechalka, without a slash at the end.
    pub otmechalka_url: String,
    /// Drives otmechalka in process.
    pub otmechalka: otmechalka::Handle,
    /// Address of OK Living, without a slash at the end.
    pub okliving_url: String,
    /// Drives OK Living in process.
    pub okliving: okliving::Handle,
    /// Address of OneBox, without a slash at the end.
    pub onebox_url: String,
    /// Drives OneBox in process.
    pub onebox: onebox::Handle,
    servers: Vec<Server>,
}

/// Tells the server to end when it is dropped, so that a failing test leaves nothing behind.
struct Server(ServerHandle);

impl Drop for Server {
    fn drop(&mut self) {
        // The order is sent by the call itself; only its completion would have to be awaited.
        drop(self.0.stop(false));
    }
}

impl Running {
    /// The address that Bitrix24 shows for its inbound webhook, secret included: `http://host:port/rest/<user>/<code>/`.
    pub fn bitrix24_webhook_url(&self) -> String {
        format!("{}{}", self.bitrix24_url, self.bitrix24.webhook_path())
    }

    /// Ends the sandbox: open connections are closed, the port is free when this returns.
    pub async fn stop(self) {
        for server in self.servers {
            server.0.stop(false).await;
        }
    }
}

/// Starts the sandbox beside the caller: each server has its own thread, so it answers while the caller's runtime is busy.
pub async fn start(options: Options) -> io::Result<Running> {
    let (billz1, billz2) = (billz1::Handle::new(&options), billz2::Handle::new(&options));
    let (url, server) = listen(options.listen, {
        let handle = web::Data::new(billz2.clone());
        move |app: &mut web::ServiceConfig| {
            app.app_data(handle.clone())
                .service(billz2::control::scope())
                .service(billz2::pictures::scope())
                .default_service(web::to(billz2::routes::front));
        }
    })
    .await?;
    let (billz1_url, billz1_server) = listen(options.listen_billz1, {
        let handle = web::Data::new(billz1.clone());
        move |app: &mut web::ServiceConfig| {
            app.app_data(handle.clone()).service(billz1::control::scope()).default_service(web::to(billz1::routes::front));
        }
    })
    .await?;
    let kaktus = kaktus::Handle::new(&options);
    let (kaktus_url, kaktus_server) = listen(options.listen_kaktus, routes(kaktus.clone())).await?;
    let insales = insales::Handle::new(&options);
    let (insales_url, insales_server) = listen(options.listen_insales, routes(insales.clone())).await?;
    let bitrix24 = bitrix24::Handle::new(&options);
    let (bitrix24_url, bitrix24_server) = listen(options.listen_bitrix24, routes(bitrix24.clone())).await?;
    let otmechalka = otmechalka::Handle::new(&options);
    let (otmechalka_url, otmechalka_server) = listen(options.listen_otmechalka, routes(otmechalka.clone())).await?;
    let okliving = okliving::Handle::new(&options);
    let (okliving_url, okliving_server) = listen(options.listen_okliving, routes(okliving.clone())).await?;
    let onebox = onebox::Handle::new(&options);
    let (onebox_url, onebox_server) = listen(options.listen_onebox, routes(onebox.clone())).await?;
    let servers =
        vec![server, billz1_server, kaktus_server, insales_server, bitrix24_server, otmechalka_server, okliving_server, onebox_server];
    Ok(Running {
        url,
        billz2,
        billz1_url,
        billz1,
        kaktus_url,
        kaktus,
        insales_url,
        insales,
        bitrix24_url,
        bitrix24,
        otmechalka_url,
        otmechalka,
        okliving_url,
        okliving,
        onebox_url,
        onebox,
        servers,
    })
}

/// Serves one system on a thread of its own; its address and the way to end it.
async fn listen(address: SocketAddr, routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> io::Result<(String, Server)> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let (send, receive) = tokio::sync::oneshot::channel();
    thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
        System::new().block_on(async move {
            let server = serve(listener, routes);
            let handle =
                server.as_ref().map(actix_web::dev::Server::handle).map_err(|error| io::Error::new(error.kind(), error.to_string()));
            if send.send(handle).is_ok()
                && let Ok(server) = server
                && let Err(error) = server.await
            {
                tracing::error!(%error, "the sandbox's server failed");
            }
        });
    })?;
    let handle = receive.await.map_err(|_| io::Error::other("the sandbox's thread ended before it served"))??;
    Ok((format!("http://{address}"), Server(handle)))
}

fn serve(listener: TcpListener, routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> io::Result<actix_web::dev::Server> {
    let app = move || App::new().configure(routes.clone());
    // Two workers answer all a test needs; the idle connection outlives a client's pause, as behind the remote's proxy.
    Ok(HttpServer::new(app).workers(2).keep_alive(Duration::from_secs(75)).disable_signals().listen(listener)?.run())
}

/// The command line's sandbox: says where it listens and how it is driven, then serves until Ctrl-C.
#[expect(clippy::print_stdout, reason = "the command's output, for a person at a terminal")]
pub async fn run(options: Options) -> io::Result<()> {
    let running = start(options.clone()).await?;
    println!("Billz 2 (simulated): {}   integration key: {}   products: {}", running.url, options.secret, options.products);
    println!("Control API: {}{}/", running.url, billz2::control::ROOT);
    for (route, what) in billz2::control::ROUTES {
        println!("  {route:<34} {what}");
    }
    println!(
        "Billz 1 (simulated): {}   USERNAME: {}   secret: {}   products: {}",
        running.billz1_url, options.billz1.username, options.secret, options.products
    );
    println!("Control API: {}{}/", running.billz1_url, billz1::control::ROOT);
    for (route, what) in billz1::control::ROUTES {
        println!("  {route:<34} {what}");
    }
    let goods = options.goods;
    let (at_kaktus, at_insales, at_otmechalka) = (&options.kaktus, &options.insales, &options.otmechalka);
    let (at_okliving, at_onebox) = (&options.okliving, &options.onebox);
    println!("The others share these routes of their control APIs:");
    for (route, what) in desk::ROUTES {
        println!("  {route:<34} {what}");
    }
    let keys = format!("login: {}   password: {}   goods: {goods}", at_kaktus.login, at_kaktus.password);
    introduce("Kaktus", &running.kaktus_url, &running.kaktus, &keys);
    let keys = format!("application: {}   password: {}   goods: {goods}", at_insales.app_id, at_insales.password);
    introduce("InSales", &running.insales_url, &running.insales, &keys);
    let keys = format!("webhook: {}   contacts: {}   deals: {}", running.bitrix24_webhook_url(), options.contacts, options.deals);
    introduce("Bitrix24", &running.bitrix24_url, &running.bitrix24, &keys);
    let keys = format!("header: {}: {}", at_otmechalka.auth_header.as_deref().unwrap_or("none"), at_otmechalka.auth_value);
    introduce("otmechalka", &running.otmechalka_url, &running.otmechalka, &keys);
    let keys = format!("client: {}   secret: {}   orders: {}", at_okliving.client_id, at_okliving.client_secret, options.orders);
    introduce("OK Living", &running.okliving_url, &running.okliving, &keys);
    let keys = format!("login: {}   password: {}", at_onebox.login, at_onebox.password);
    introduce("OneBox", &running.onebox_url, &running.onebox, &keys);
    println!("Ctrl-C ends it.");
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}

/// One simulator's address, keys and routes of its own.
#[expect(clippy::print_stdout, reason = "part of the command's output")]
fn introduce<S: Simulator>(system: &str, url: &str, _: &S, keys: &str) {
    println!("{system} (simulated): {url}   {keys}");
    println!("Control API: {url}{}/", S::ROOT);
    for (route, what) in S::ROUTES {
        println!("  {route:<34} {what}");
    }
}
