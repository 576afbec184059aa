//! A way to the database that can be cut, and that keeps what is asked on it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

pub struct Proxy {
    pub port: u16,
    to: u16,
    heard: Arc<Heard>,
    breaks: Arc<Notify>,
    task: JoinHandle<()>,
}

/// What clients have said.
#[derive(Default)]
struct Heard {
    statements: Mutex<Vec<String>>,
    /// Whether statements are no longer kept.
    deaf: AtomicBool,
    longest: AtomicUsize,
}

impl Proxy {
    /// Hands everything through to a port of this machine.
    pub async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, breaks) = (Arc::default(), Arc::new(Notify::new()));
        let task = serve(listener, to, &heard, &breaks);
        Self { port, to, heard, breaks, task }
    }

    /// Length of the longest packet that a client has sent, in bytes: what the server compares with its `max_allowed_packet`.
    pub fn longest_packet(&self) -> usize {
        self.heard.longest.load(Ordering::SeqCst)
    }

    /// Every statement that was asked or prepared so far.
    pub fn statements(&self) -> Vec<String> {
        self.heard.statements.lock().unwrap().clone()
    }

    /// Keeps no statements from now on.
    pub fn forget(&self) {
        self.heard.deaf.store(true, Ordering::Relaxed);
        self.heard.statements.lock().unwrap().clear();
    }

    /// Breaks all connections; new ones are taken.
    pub fn break_all(&self) {
        self.breaks.notify_waiters();
    }

    /// Breaks all connections and takes no new ones.
    pub async fn cut(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Takes connections again, at the same port.
    pub async fn open_again(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.task = serve(listener, self.to, &self.heard, &self.breaks);
    }
}

fn serve(listener: TcpListener, to: u16, heard: &Arc<Heard>, breaks: &Arc<Notify>) -> JoinHandle<()> {
    let (heard, breaks) = (heard.clone(), breaks.clone());
    tokio::spawn(async move {
        let mut lines = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            let (heard, breaks) = (heard.clone(), breaks.clone());
            lines.spawn(async move {
                if let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await {
                    let (mut from_near, mut to_near) = near.into_split();
                    let (mut from_far, mut to_far) = far.into_split();
                    tokio::select! {
                        () = breaks.notified() => {}
                        _ = copy(&mut from_far, &mut to_near) => {}
                        () = hand_through(&mut from_near, &mut to_far, &heard) => {}
                    }
                }
            });
            while lines.try_join_next().is_some() {}
        }
    })
}

/// Client packets: three bytes of length, a number, and what they carry. Commands begin a new count at 0.
async fn hand_through(from: &mut (impl AsyncReadExt + Unpin), to: &mut (impl AsyncWriteExt + Unpin), heard: &Heard) {
    const QUERY: u8 = 0x03;
    const PREPARE: u8 = 0x16;
    let (mut chunk, mut pending) = (vec![0; 65_536], Vec::new());
    loop {
        let Ok(length @ 1..) = from.read(&mut chunk).await else { return };
        pending.extend_from_slice(&chunk[..length]);
        while pending.len() >= 4 {
            let whole = 4 + usize::from(pending[0]) + (usize::from(pending[1]) << 8) + (usize::from(pending[2]) << 16);
            if pending.len() < whole {
                break;
            }
            heard.longest.fetch_max(whole, Ordering::SeqCst);
            if !heard.deaf.load(Ordering::Relaxed) && pending[3] == 0 && whole > 5 && matches!(pending[4], QUERY | PREPARE) {
                heard.statements.lock().unwrap().push(String::from_utf8_lossy(&pending[5..whole]).into_owned());
            }
            pending.drain(..whole);
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
