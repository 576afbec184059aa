//! Who alerts are sent to: an HTTP server that answers from a script, and a mail server. Real sockets, and nothing of the program's own code.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

type Script = dyn Fn(&Got, usize) -> (u16, String) + Send + Sync;

/// Answers requests as `script` says; it is told how many came before.
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start(script: impl Fn(&Got, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (seen, script): (_, Arc<Script>) = (got.clone(), Arc::new(script));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, seen.clone(), script.clone()));
            }
        });
        Self { url, got, task }
    }

    /// One that takes everything.
    pub async fn willing() -> Self {
        Self::start(|_, _| (200, "{\"ok\":true}".to_owned())).await
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

async fn answer(stream: TcpStream, seen: Arc<Mutex<Vec<Got>>>, script: Arc<Script>) {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    if stream.read_line(&mut first).await.unwrap_or_default() == 0 {
        return;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    let got = Got { path: first.split(' ').nth(1).unwrap().to_owned(), headers, body: String::from_utf8(body).unwrap() };
    let (status, text) = {
        let mut seen = seen.lock().unwrap();
        seen.push(got.clone());
        script(&got, seen.len() - 1)
    };
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    let _ = stream.write_all(format!("{head}{text}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// HMAC-SHA256 as RFC 2104 writes it down.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

/// Verifies a request as a receiver does by <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
#[track_caller]
pub fn verified(got: &Got, secret: &str) -> Value {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let (id, timestamp) = (got.header("webhook-id"), got.header("webhook-timestamp"));
    let signed = format!("{id}.{timestamp}.{}", got.body);
    let expected = format!("v1,{}", STANDARD.encode(hmac(&key, signed.as_bytes())));
    assert!(got.header("webhook-signature").split(' ').any(|signature| signature == expected), "not signed by {secret}: {got:?}");
    let age = chrono::Utc::now().timestamp() - timestamp.parse::<i64>().unwrap();
    assert!((0..300).contains(&age), "{got:?}");
    assert!(!id.is_empty() && !id.contains('.'));
    got.json()
}

/// A mail as it came.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
}

/// A mail server that takes everything, or refuses receivers.
pub struct MailServer {
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    task: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    pub async fn start(refuses: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let kept = mails.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, kept.clone(), refuses));
            }
        });
        Self { port, mails, task }
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

async fn converse(stream: TcpStream, kept: Arc<Mutex<Vec<Mail>>>, refuses: bool) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test ESMTP\r\n").await.unwrap();
    let mut mail = Mail::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return;
        }
        let word = line.trim_end().to_owned();
        let address = || word.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let said = match word.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => "250-test\r\n250 8BITMIME",
            "MAIL" => {
                mail.from = address();
                "250 ok"
            }
            "RCPT" if refuses => "550 5.1.1 no such user here",
            "RCPT" => {
                mail.to.push(address());
                "250 ok"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.unwrap();
                    if line == ".\r\n" {
                        break;
                    }
                    mail.data.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                kept.lock().unwrap().push(std::mem::take(&mut mail));
                "250 taken"
            }
            "QUIT" => {
                let _ = stream.write_all(b"221 bye\r\n").await;
                return;
            }
            _ => "250 ok",
        };
        stream.write_all(format!("{said}\r\n").as_bytes()).await.unwrap();
    }
}
