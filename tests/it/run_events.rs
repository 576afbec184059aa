//! `GET /sync/runs/{id}/events`: a run is followed while it works, whichever process executes it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    concurrency::slow_pages,
    support::{Event, Events, Spawn, Stage, key},
};

/// Versions only grow, names tell what moved, and the last event is the run's end.
fn assert_told(events: &[Event], ended: &Value) {
    assert!(events.windows(2).all(|pair| pair[0].id < pair[1].id), "{events:?}");
    for pair in events.windows(2) {
        let moved = pair[0].data["state"] != pair[1].data["state"] || pair[0].data["phase"] != pair[1].data["phase"];
        assert_eq!(pair[1].name, if moved { "state" } else { "progress" });
    }
    let last = &events.last().unwrap().data;
    for field in ["id", "state", "counts", "progress", "finished_at", "error"] {
        assert_eq!(last[field], ended[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_from_the_queue_to_its_end_in_another_process() {
    let stage = Stage::without_worker(700).await;
    let (connection, stream) = stage.simple(json!({})).await;
    slow_pages(&stage, 250);
    let run = stage.start(&connection, &stream, "full").await;
    let mut follower = Events::of(&stage.rest, &run, None).await;
    assert_eq!((follower.status, follower.content_type().as_str()), (200, "text/event-stream; charset=utf-8"));
    let first = follower.next().await.unwrap();
    assert_eq!((first.name.as_str(), &first.data["state"]), ("state", &json!("queued")));
    let _worker = stage.worker(&Spawn::default()).await;
    let mut events = vec![first];
    events.extend(follower.all().await);
    assert_told(&events, &stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200));
    let seen = |holds: &dyn Fn(&Value) -> bool| events.iter().any(|event| holds(&event.data));
    assert!(
        seen(&|data| data["state"] == "running" && data["phase"] == "read" && data["progress"]["read"].as_u64() > Some(0)),
        "{events:?}"
    );
    assert!(seen(&|data| data["state"] == "succeeded"), "{events:?}");

    // Who comes again with the last id that he has gets what came since, and nothing at all after the end.
    let middle = &events[events.len() / 2];
    let again = Events::of(&stage.rest, &run, Some(middle.id)).await.all().await;
    assert_eq!(again.iter().map(|event| event.id).collect::<Vec<_>>(), [events.last().unwrap().id]);
    let known = Events::of(&stage.rest, &run, Some(events.last().unwrap().id)).await;
    assert_eq!(known.status, 204);
    let strange = stage.rest.open(&format!("/sync/runs/{run}/events"), Some("no number".to_owned())).await;
    assert!(strange.text().await.unwrap().contains("event: state"));
}

/// A comment comes each 15 seconds, compressed here as all durations; a cancelled run ends the stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_is_kept_alive_and_ends_with_a_cancel_that_takes_less_than_a_second() {
    let stage = Stage::without_worker(20).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.start(&connection, &stream, "full").await;
    let mut follower = Events::of(&stage.rest, &run, None).await;
    follower.next().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    let asked = Instant::now();
    stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.ok(202);
    let last = follower.next().await.unwrap();
    assert_eq!((last.name.as_str(), &last.data["state"]), ("state", &json!("cancelled")));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(follower.pings >= 2, "{} pings", follower.pings);
    assert!(follower.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_followed_until_it_waits_for_a_person() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let body = json!({"connection": connection, "stream": stream, "dry_run": true});
    let run = stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
    let events = Events::of(&stage.rest, &run, None).await.all().await;
    assert_eq!(events.last().unwrap().data["state"], "awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_only_by_who_may_see_it() {
    let stage = Stage::without_worker(5).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.start(&connection, &stream, "full").await;
    let path = format!("/sync/runs/{run}/events");
    stage.rest.with_header("x-on-behalf-of", "seller:7").get(&path).await.problem(404, "not-found");
    stage.rest.with_key("").get(&path).await.problem(401, "unauthenticated");
    stage.rest.get("/sync/runs/nonsense/events").await.problem(404, "not-found");
    let reader = stage.rest.with_key(&key(&stage.database, &["--role", "reader"]).key).with_header("x-on-behalf-of", "seller:42");
    assert_eq!(Events::of(&reader, &run, None).await.next().await.unwrap().data["id"], json!(run));
}

/// Places for followers are bounded, and come free when callers leave; a stop of the service does not wait for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_has_so_many_followers_and_no_more_and_stops_without_waiting_for_them() {
    let mut stage = Stage::without_worker(5).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.start(&connection, &stream, "full").await;
    let mut open = Vec::new();
    for _ in 0..200 {
        open.push(Events::of(&stage.rest, &run, None).await);
    }
    assert!(open.iter().all(|follower| follower.status == 200));
    let path = format!("/sync/runs/{run}/events");
    let refused = stage.rest.get(&path).await;
    assert!(refused.header("retry-after").is_some());
    refused.problem(429, "too-many-streams");
    open.truncate(100);
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let follower = Events::of(&stage.rest, &run, None).await;
        if follower.status == 200 {
            open.push(follower);
            break;
        }
        assert!(Instant::now() < limit, "places stay taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // All are told of the same run by one look at the database.
    for follower in &mut open {
        follower.next().await.unwrap();
    }
    stage.service.terminate();
    assert!(stage.service.ended(Duration::from_secs(5)).await, "{}", stage.service.output());
}
