//! A real headless Chromium, driven by plain WebDriver calls. Ended with the test.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

/// Name of an element's id in WebDriver answers (W3C WebDriver, section 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long a page may take to show something; a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    profile: PathBuf,
}

/// The first of these programs that is in PATH.
fn program(names: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{} is not in PATH: install the Debian package {package} (tests/env/setup.sh test does)", names.join(" or "))
        })
}

impl Browser {
    pub async fn start() -> Self {
        let chromium = program(&["chromium", "chromium-browser", "google-chrome"], "chromium");
        let chromedriver = program(&["chromedriver"], "chromium-driver");
        let mut driver =
            Command::new(chromedriver).arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| line.ok()?.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned()))
            .expect("chromedriver names its port");
        // Somebody must read on, or the driver blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = std::env::temp_dir().join(format!("tradesync-chromium-{}", uuid::Uuid::new_v4().simple()));
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{port}"), http, profile };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1280,2400",
            // Whatever is not this machine is not found.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        ];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", browser.profile.display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.call(Method::POST, "/session", wanted).await["sessionId"].as_str().unwrap().to_owned();
        browser.session = format!("{}/session/{session}", browser.session);
        browser
    }

    async fn try_call(&self, method: Method, path: &str, body: Value) -> Result<Value, Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.session));
        if method == Method::POST {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let fine = response.status().is_success();
        let value = response.json::<Value>().await.unwrap()["value"].take();
        if fine { Ok(value) } else { Err(value) }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        self.try_call(method, path, body).await.unwrap_or_else(|error| panic!("{path}: {} {}", error["error"], error["message"]))
    }

    pub async fn open(&self, url: &str) {
        self.call(Method::POST, "/url", json!({"url": url})).await;
    }

    /// Does something with the first element of a CSS selector, as soon as it is there and lets it be done.
    async fn with(&self, selector: &str, method: Method, action: &str, body: Value) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = self.try_call(Method::POST, "/element", json!({"using": "css selector", "value": selector})).await;
            let done = match found {
                Ok(element) => {
                    let id = element[ELEMENT].as_str().unwrap().to_owned();
                    self.try_call(method.clone(), &format!("/element/{id}/{action}"), body.clone()).await
                }
                Err(error) => Err(error),
            };
            match done {
                Ok(value) => return value,
                Err(error) if Instant::now() > until => panic!("{action} {selector}: {} {}", error["error"], error["message"]),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    pub async fn click(&self, selector: &str) {
        self.with(selector, Method::POST, "click", json!({})).await;
    }

    pub async fn write(&self, selector: &str, text: &str) {
        self.with(selector, Method::POST, "value", json!({"text": text})).await;
    }

    /// Makes the window so large.
    pub async fn resize(&self, width: u32, height: u32) {
        self.call(Method::POST, "/window/rect", json!({"width": width, "height": height})).await;
    }

    /// Goes into the page that this frame shows.
    pub async fn enter_frame(&self, selector: &str) {
        let element = self.call(Method::POST, "/element", json!({"using": "css selector", "value": selector})).await;
        self.call(Method::POST, "/frame", json!({ "id": element })).await;
    }

    /// The text that a person sees.
    pub async fn text(&self, selector: &str) -> String {
        self.with(selector, Method::GET, "text", Value::Null).await.as_str().unwrap().to_owned()
    }

    /// Entries of a log: `browser` (the console) or `performance` (network events).
    async fn log(&self, kind: &str) -> Vec<Value> {
        self.call(Method::POST, "/se/log", json!({"type": kind})).await.as_array().unwrap().clone()
    }

    /// What the page complained about.
    pub async fn complaints(&self) -> Vec<String> {
        self.log("browser").await.iter().filter(|entry| entry["level"] == "SEVERE").map(|entry| entry["message"].to_string()).collect()
    }

    /// Every address that a request was made for, since the last call.
    pub async fn requested(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let events =
            entries.iter().map(|entry| serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap()["message"].take());
        events
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Keeps a picture of the page below `target/`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let picture = self.call(Method::GET, "/screenshot", Value::Null).await;
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&file, STANDARD.decode(picture.as_str().unwrap()).unwrap()).unwrap();
        file
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Only the end of the session ends Chromium, which outlives a killed driver. A panicking test cannot await: plain sockets.
        if let Ok(url) = url::Url::parse(&self.session)
            && let Ok(mut line) = TcpStream::connect(("127.0.0.1", url.port().unwrap_or_default()))
        {
            let _ = line.set_read_timeout(Some(Duration::from_secs(10)));
            let _ = write!(line, "DELETE {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", url.path());
            let _ = line.read(&mut [0; 512]);
        }
        let _ = Command::new("kill").arg(self.driver.id().to_string()).status();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until && self.driver.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
