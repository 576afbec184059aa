//! What every newer simulator is to the web server: a remote at the root of its host, and a control API below `/_sandbox/<name>`.
//!
//! A simulator implements [`Simulator`]; [`routes`] serves it. What a request meets on its way is [`super::desk`].

use std::{sync::Mutex, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, PayloadConfig, ServiceConfig},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    control::{Answer, Refusal, ok, read, refuse},
    desk::{self, Asked, Desk, Reply, locked},
};

/// A batch of fifty long commands fits well; a client that sends more than this has lost its way.
const LARGEST_BODY: usize = 4_000_000;

/// A call of the control API: `method` `head`/`tail`, e.g. `PATCH` `orders`/`17`.
pub struct Call<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// First part of the path behind the root.
    pub head: &'a str,
    /// The rest of it; empty when there is none.
    pub tail: &'a str,
    /// Body.
    pub body: &'a [u8],
}

impl Call<'_> {
    /// `tail` as a number; a refusal that says there is no such thing otherwise.
    pub fn id(&self) -> Result<u64, Refusal> {
        self.tail.parse().map_err(|_| nothing())
    }
}

/// One simulated system.
pub trait Simulator: Clone + Send + 'static {
    /// Where its control API stands.
    const ROOT: &'static str;
    /// Its routes of its own, for people; the others are [`desk::ROUTES`].
    const ROUTES: &'static [(&'static str, &'static str)];
    /// What can be set while it runs.
    type Switches: Serialize + DeserializeOwned + Clone;

    /// Journal and faults.
    fn desk(&self) -> &Desk;
    /// The switches, to be read and changed.
    fn switchboard(&self) -> &Mutex<Self::Switches>;
    /// Milliseconds added to every answer.
    fn latency_ms(&self) -> u64;
    /// The remote's honest answer.
    fn answer(&self, asked: &Asked<'_>) -> Reply;
    /// What `GET state` tells beside the rules of faults.
    fn told(&self) -> Value;
    /// A route of [`Self::ROUTES`]; [`nothing`] when there is no such route.
    fn control(&self, call: &Call<'_>) -> Answer;
}

/// A refusal: there is no such route or thing.
pub fn nothing() -> Refusal {
    refuse(StatusCode::NOT_FOUND, "there is no such thing")
}

/// A refusal: the body cannot be meant.
pub fn wrong(text: &str) -> Refusal {
    refuse(StatusCode::UNPROCESSABLE_ENTITY, text)
}

/// Done, and nothing to tell.
pub fn done() -> Answer {
    Ok(HttpResponse::NoContent().finish())
}

/// Done if it was there.
pub fn done_if(known: bool) -> Answer {
    if known { done() } else { Err(nothing()) }
}

/// Merges JSON into the switches: all of it or, with a clear text, none.
pub fn merge_switches<S: Simulator>(simulator: &S, change: &Value) -> Result<S::Switches, String> {
    let mut switches = locked(simulator.switchboard());
    *switches = desk::merged(&*switches, change).map_err(|text| format!("switches: {text}"))?;
    Ok(switches.clone())
}

/// How a server serves this simulator.
pub fn routes<S: Simulator>(simulator: S) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |app: &mut ServiceConfig| {
        app.app_data(Data::new(simulator.clone()))
            .app_data(PayloadConfig::new(LARGEST_BODY))
            .service(web::scope(S::ROOT).default_service(web::to(control_front::<S>)))
            .default_service(web::to(remote_front::<S>));
    }
}

async fn remote_front<S: Simulator>(request: HttpRequest, body: Bytes, simulator: Data<S>) -> HttpResponse {
    let latency = Duration::from_millis(simulator.latency_ms());
    simulator.desk().serve(&request, &body, latency, |asked| simulator.answer(asked)).await
}

async fn control_front<S: Simulator>(request: HttpRequest, body: Bytes, simulator: Data<S>) -> Answer {
    let (method, path) = (request.method().as_str(), request.path().trim_start_matches(S::ROOT).trim_matches('/'));
    if let Some(answer) = desk::control(simulator.desk(), method, path, &body) {
        return answer;
    }
    match (method, path) {
        ("GET", "state") => ok(&json!({"state": simulator.told(), "faults": simulator.desk().faults()})),
        ("PUT", "switches") => ok(&merge_switches(simulator.get_ref(), &read::<Value>(&body)?).map_err(|text| wrong(&text))?),
        _ => {
            let (head, tail) = path.split_once('/').unwrap_or((path, ""));
            simulator.control(&Call { method, head, tail, body: &body })
        }
    }
}
