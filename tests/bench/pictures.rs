//! A thousand pictures of 100 KB: fetched, decoded, cleaned, stored and shown, against nothing but downloading them.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::{
    Row,
    support::{Setup, Spawn, Stage},
    whole_job::phases,
};

const PICTURES: usize = 1_000;
/// As many at once as the service allows itself at one host.
const AT_ONCE: usize = 8;

async fn download(addresses: &[String]) -> f64 {
    let http = reqwest::Client::new();
    let began = Instant::now();
    let bytes: usize = stream::iter(addresses)
        .map(|address| {
            let http = &http;
            async move { http.get(address).send().await.unwrap().bytes().await.unwrap().len() }
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, length| async move { sum + length })
        .await;
    let seconds = began.elapsed().as_secs_f64();
    println!("{PICTURES} pictures, {} KB on average: plain download {seconds:.2} s", bytes / PICTURES / 1_000);
    seconds
}

/// Seconds of plain download and of the run's pictures, at a host that takes `ms` for each answer.
async fn measure(ms: u32) -> (f64, f64) {
    let root = std::env::temp_dir().join(format!("tradesync-bench-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(root.join("image/catalog/billz")).unwrap();
    let variables = [("TRADESYNC_LOG", "info"), ("TRADESYNC_TIME_FACTOR", "1000"), ("TRADESYNC_IMAGE_ROOT", root.to_str().unwrap())];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let spawn = Spawn { variables, ..Spawn::default() };
    let stage = Stage::with(Setup { products: 0, rate_limit: None, spawn, ..Setup::default() }).await;
    let at = format!("{}/pictures", stage.billz.url);
    stage.billz.billz2.set_switches(|switches| switches.photos.clone_from(&at));
    let names: Vec<String> = (0..PICTURES).map(|number| format!("{number}.jpg?bytes=100000&ms={ms}")).collect();
    let addresses: Vec<String> = names.iter().map(|name| format!("{at}/{name}")).collect();
    // Drawn before they are timed.
    download(&addresses).await;
    let plain = download(&addresses).await;
    for name in &names {
        stage.good(json!({"photos": [name]}));
    }
    let (connection, stream) = stage.simple(json!({"images": {"dir": "image/catalog/billz", "allow_hosts": ["127.0.0.1"]}})).await;
    let run = stage.start(&connection, &stream, "full").await;
    let run = stage.rest.wait_within(&run, Duration::from_secs(300)).await;
    assert_eq!(run["pictures"]["shown"], PICTURES, "{run}");
    let spent = phases(&stage, run["id"].as_str().unwrap());
    let seconds = spent.iter().find(|(phase, _)| phase == "pictures").unwrap().1 / 1_000.0;
    println!("{PICTURES} pictures: the run's pictures {seconds:.2} s");
    let stored = walk(&root);
    assert!(stored >= PICTURES, "{stored} files: each picture is another one");
    std::fs::remove_dir_all(root).unwrap();
    (plain, seconds)
}

/// Files below a folder.
fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}

pub async fn run() -> Vec<Row> {
    // On the loopback alone the download costs next to nothing, so that figure is the price of decoding and storing.
    let (near, near_run) = measure(0).await;
    let (far, far_run) = measure(50).await;
    vec![
        Row::most("1,000 pictures of 100 KB, host 50 ms away / plain download", far_run / far, "x", 1.25),
        Row::plain("  the same from this very machine", near_run / near, "x"),
        Row::plain("  pictures checked, stored and shown", PICTURES as f64 / near_run, "pictures/s"),
    ]
}
