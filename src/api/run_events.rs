//! `/sync/runs/{id}/events`: a run's progress as server-sent events (WHATWG HTML, section 9.2), whichever process executes it.
//!
//! Each event is a snapshot with the run's version as its id, so that whoever comes back with `Last-Event-ID` gets only what is new.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, get, web};
use futures_util::stream;
use tokio::time::Instant;

use super::{Api, auth::Caller, language::spoken, problem::Answer, views::run::RunView};
use crate::{
    domain::{clock, text::Lang},
    engine::{
        model::{Phase, Run, State},
        service::follow::{Following, is_over},
    },
};

/// A comment is sent so often while nothing happens, so that proxies keep the connection and a caller who left is noticed.
const PING: Duration = Duration::from_secs(15);
/// A stream lasts so long; then the caller comes again, and the key is looked at anew.
const LONGEST: Duration = Duration::from_secs(900);
/// How long a browser waits before it comes again, in milliseconds.
const COME_BACK: u32 = 2_000;

/// Follow a run
///
/// Server-sent events. `state` when the run's state or phase has moved, `progress` when its figures have; the data of both is the run as `GET
/// /sync/runs/{id}` shows it, the id its version. Send the last id as `Last-Event-ID` to be told only of what came since. A comment each 15 seconds
/// keeps the connection open. The stream ends after the run's last state, or when it awaits approval; who comes again then is answered 204, at which
/// an `EventSource` stops. It also ends after 15 minutes: come again with `Last-Event-ID`. Browsers use `fetch`, since `EventSource` sends no key.
#[utoipa::path(
    tag = "Runs",
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "The run has ended, and the caller knows it"),
    )
)]
#[get("/sync/runs/{id}/events")]
pub async fn follow_run(api: web::Data<Api>, caller: Caller, id: web::Path<String>, request: HttpRequest, lang: Lang) -> Answer {
    let run = api.service.run(&caller.scope, &id).await?;
    let known = last_event_id(&request);
    if is_over(&run) && known == Some(run.version) {
        return Ok(HttpResponse::NoContent().finish());
    }
    let tale = Tale {
        following: api.followers.follow(run)?,
        lang,
        known,
        told: None,
        begun: false,
        over: false,
        until: Instant::now() + clock::scaled(LONGEST),
    };
    let events = stream::unfold(tale, |mut tale| async move { tale.next().await.map(|text| (Ok::<_, std::io::Error>(text), tale)) });
    Ok(spoken(HttpResponse::Ok(), lang)
        .content_type("text/event-stream; charset=utf-8")
        // nginx would hold events back until its buffer is full.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(events)))
}

/// The version that the caller knows. An id that we never gave is no reason to refuse: all is told then.
fn last_event_id(request: &HttpRequest) -> Option<u64> {
    request.headers().get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// One stream of events.
struct Tale {
    following: Following,
    lang: Lang,
    known: Option<u64>,
    told: Option<(State, Phase)>,
    begun: bool,
    over: bool,
    until: Instant,
}

impl Tale {
    async fn next(&mut self) -> Option<web::Bytes> {
        if self.over {
            return None;
        }
        if !std::mem::replace(&mut self.begun, true) {
            let run = self.following.now();
            let first = if self.known == Some(run.version) {
                self.told = Some((run.state, run.phase));
                String::new()
            } else {
                self.event(&run)
            };
            return Some(format!("retry: {COME_BACK}\n\n{first}").into());
        }
        let ping = tokio::time::sleep(clock::scaled(PING));
        tokio::select! {
            moved = self.following.moved() => {
                if !moved {
                    return None;
                }
                let run = self.following.now();
                Some(self.event(&run).into())
            }
            () = tokio::time::sleep_until(self.until) => None,
            () = ping => Some(web::Bytes::from_static(b": ping\n\n")),
        }
    }

    fn event(&mut self, run: &Run) -> String {
        let now = (run.state, run.phase);
        let name = if self.told.replace(now) == Some(now) { "progress" } else { "state" };
        self.known = Some(run.version);
        self.over = is_over(run);
        let data = serde_json::to_string(&RunView::of(run, self.lang)).unwrap_or_default();
        format!("event: {name}\nid: {}\ndata: {data}\n\n", run.version)
    }
}
