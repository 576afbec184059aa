//! Simulators of the remotes, part of the program: `tradesync sandbox`.
//!
//! A simulator answers as the fact sheet of its system says, quirks included, and misbehaves on demand. It imports nothing of
//! ours outside this folder, not even domain types: a simulator that shares our types shares our mistakes.
//!
//! Each system has its own folder and its own listener, since a remote's paths begin at the root of its host. Today:
//! [`billz2`] - start reading there.
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
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};

pub mod billz2;

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where Billz 2 listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Product rows of the first catalogue, parents and services included.
    pub products: usize,
    /// Same seed and size = same catalogue, byte for byte.
    pub seed: u64,
    /// The integration key that logs in.
    pub secret: String,
    /// Divides the second of the request limit, as it divides the service's durations. Token lives are not divided.
    pub time_factor: f64,
    /// Accepted requests per second and client address; `None` = no limit.
    pub rate_limit: Option<u32>,
    /// All other switches; its `secret` and `rate_limit` are overridden by the two above.
    pub billz2: billz2::switches::Switches,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            products: 300,
            seed: 1,
            secret: "demo-integration-key".to_owned(),
            time_factor: 1.0,
            rate_limit: Some(2),
            billz2: billz2::switches::Switches::default(),
        }
    }
}

/// A running sandbox; it ends when this is dropped.
pub struct Running {
    /// Address of Billz 2, e.g. `http://127.0.0.1:40123`, without a slash at the end.
    pub url: String,
    /// Drives Billz 2 in process.
    pub billz2: billz2::Handle,
    server: Server,
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
    /// Ends the sandbox: open connections are closed, the port is free when this returns.
    pub async fn stop(self) {
        self.server.0.stop(false).await;
    }
}

/// Starts the sandbox beside the caller: the server has its own thread, so it answers while the caller's runtime is busy.
pub async fn start(options: Options) -> io::Result<Running> {
    let listener = TcpListener::bind(options.listen)?;
    let address = listener.local_addr()?;
    let billz2 = billz2::Handle::new(&options);
    let (send, receive) = tokio::sync::oneshot::channel();
    let served = billz2.clone();
    thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
        System::new().block_on(async move {
            let server = serve(listener, served);
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
    Ok(Running { url: format!("http://{address}"), billz2, server: Server(handle) })
}

fn serve(listener: TcpListener, handle: billz2::Handle) -> io::Result<actix_web::dev::Server> {
    let handle = web::Data::new(handle);
    let app = move || {
        App::new()
            .app_data(handle.clone())
            .service(billz2::control::scope())
            .service(billz2::pictures::scope())
            .default_service(web::to(billz2::routes::front))
    };
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
    println!("Ctrl-C ends it.");
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
