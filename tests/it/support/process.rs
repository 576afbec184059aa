//! The service as a process of its own: started, killed, its log kept.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{ADMIN_KEY, Database, MASTER_KEY, TIME_FACTOR};

/// How a process is started.
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    /// `TRADESYNC_FAILPOINT`.
    pub failpoint: Option<String>,
    /// Further variables.
    pub variables: Vec<(String, String)>,
}

impl Spawn {
    pub fn failing_at(point: &str) -> Self {
        Self { failpoint: Some(point.to_owned()), ..Self::default() }
    }

    /// With one more variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Killed with the test.
pub struct Process {
    pub url: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub async fn start(database: &Database, spawn: &Spawn) -> Self {
        let log = std::env::temp_dir().join(format!("{}-{}.log", database.name, uuid::Uuid::new_v4().simple()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tradesync"));
        command
            .arg("serve")
            .env("DATABASE_URL", database.url.expose())
            .env("TRADESYNC_LISTEN", "127.0.0.1:0")
            .env("TRADESYNC_MASTER_KEY", MASTER_KEY)
            .env("TRADESYNC_ADMIN_KEY", ADMIN_KEY)
            .env("TRADESYNC_TIME_FACTOR", TIME_FACTOR.to_string())
            .env("TRADESYNC_LOG", "info,tradesync=debug")
            .env_remove("TRADESYNC_FAILPOINT")
            .envs(spawn.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(File::options().create(true).append(true).open(&log).unwrap())
            .stderr(File::options().append(true).open(&log).unwrap());
        if let Some(failpoint) = &spawn.failpoint {
            command.env("TRADESYNC_FAILPOINT", failpoint);
        }
        let child = command.spawn().unwrap();
        let mut process = Self { url: String::new(), child, log };
        process.url = process.wait_for_address(spawn.failpoint.is_some()).await;
        process
    }

    /// A worker that is to fail may take a waiting run and fail before it has told its address: then it has none.
    async fn wait_for_address(&mut self, may_fail: bool) -> String {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let log = self.output();
            if let Some(rest) = log.split("tradesync listens on ").nth(1)
                && let Some(url) = rest.split_whitespace().next()
            {
                return url.to_owned();
            }
            if self.child.try_wait().unwrap().is_some() {
                assert!(may_fail && self.aborted(), "the service ended at its start:\n{log}");
                return String::new();
            }
            assert!(Instant::now() < until, "the service did not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Everything it has printed and logged.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM: the graceful stop.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Any signal, such as `-STOP` and `-CONT`.
    pub fn signal(&self, signal: &str) {
        Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
    }

    /// Waits for its end; whether it ended in time.
    pub async fn ended(&mut self, within: Duration) -> bool {
        let until = Instant::now() + within;
        while Instant::now() < until {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Whether it has ended by SIGABRT: a planned failure, and no other end.
    pub fn aborted(&mut self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.child.try_wait().unwrap().is_some_and(|status| status.signal() == Some(6))
    }

    /// Its number, by which the bench finds how much memory it took.
    #[allow(dead_code, reason = "the bench shares this file")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("log of the service: {}", self.log.display());
        } else {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}
