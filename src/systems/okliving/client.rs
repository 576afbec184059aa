//! The calls, each one exchange; what reads a whole window is [`super::paging`].

use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Options, READ_TIMEOUT, SYSTEM, WRITE_TIMEOUT,
    classify::{self, Refusal},
    request::Filling,
    session::Session,
    wire::{self, OrdersPage},
};
use crate::{
    fault::Fault,
    remote::{Call, Effect, Http, Limiter, Login, Permit, ports::Limits},
};

/// A client for one integration. Cheap to make; the token is shared by all clients of the process for the same integration.
pub struct Client {
    pub(super) options: Options,
    http: Http,
    limits: Arc<dyn Limits>,
    stop: CancellationToken,
    session: Session,
    permit: Option<Box<Permit>>,
}

/// What is changed of one order: members that are absent are not sent, since an empty one could erase what stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The shop's own id, as it gave it.
    pub id: String,
    /// Waybill.
    pub tracking_number: Option<String>,
    /// Transition of the delivery.
    pub delivery: Option<String>,
    /// Transition of the order.
    pub order: Option<String>,
    /// Text for the order.
    pub note: Option<String>,
}

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updated {
    /// Taken.
    Done,
    /// The state machine does not allow a transition; another part of the call may have been carried out.
    Illegal(String),
    /// Refused for another reason, in the shop's words.
    Refused(String),
}

impl Update {
    /// Whether nothing would be changed.
    pub fn is_empty(&self) -> bool {
        self.tracking_number.is_none() && self.delivery.is_none() && self.order.is_none() && self.note.is_none()
    }

    /// The body of the requirement.
    pub fn body(&self) -> Value {
        let mut order = Map::from_iter([("id".to_owned(), json!(self.id))]);
        let text = |value: &Option<String>| value.as_ref().map(|text| json!(text));
        order.extend(text(&self.tracking_number).map(|value| ("tracking_number".to_owned(), value)));
        let mut statuses = Map::new();
        statuses.extend(text(&self.delivery).map(|value| ("delivery".to_owned(), value)));
        statuses.extend(text(&self.order).map(|value| ("order".to_owned(), value)));
        if !statuses.is_empty() {
            order.insert("statuses".to_owned(), Value::Object(statuses));
        }
        order.extend(text(&self.note).map(|value| ("note".to_owned(), value)));
        json!({"args": {"order": order}})
    }
}

impl Client {
    /// A client that only reads. A cancel of `stop` ends any read and any wait at once.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        let session = Session::new(options.clone(), http.clone(), Arc::clone(&limits), stop.clone());
        Self { http, options, limits, stop, session, permit: None }
    }

    /// The same with the right to write: `permit` is asked before each write leaves.
    #[must_use]
    pub fn writing(mut self, permit: Box<Permit>) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Logs in, or finds that it has.
    pub async fn login(&self) -> Result<(), Fault> {
        self.http.tokens().get(&self.session, &self.stop).await.map(drop)
    }

    fn limiter(&self) -> Limiter<'_> {
        Limiter { limits: &*self.limits, key: self.session.limit_key(), interval: self.options.pause }
    }

    /// One page of orders, with the moment at which it was asked for, by the remote's clock.
    pub(super) async fn page(&self, template: &Value, filling: &Filling<'_>) -> Result<(OrdersPage, DateTime<Utc>), Fault> {
        let url = address(&self.options.base_url, &self.options.orders_path);
        let mut call = Call::new(SYSTEM, "POST /api/get-orders", Effect::Read, Method::POST, url)
            .with_json(&filling.fill(template))?
            .with_login(&self.session as &dyn Login)
            .with_limiter(self.limiter());
        call.timeout = Some(READ_TIMEOUT);
        call.private = true;
        let answer = self.http.send(&call, &self.stop, |reply| classify::judge(reply, wire::orders)).await?;
        Ok((answer.value, answer.asked_at))
    }

    /// Changes one order. A lost answer is a fault: whether it got through only a look tells.
    pub async fn update(&self, update: &Update) -> Result<Updated, Fault> {
        let Some(permit) = &self.permit else { return Err(Fault::internal("this client of OK Living may only read")) };
        let url = address(&self.options.base_url, &self.options.update_path);
        let mut call = Call::new(SYSTEM, "POST /api/update-order", Effect::Write, Method::POST, url)
            .with_json(&update.body())?
            .with_login(&self.session as &dyn Login)
            .with_limiter(self.limiter())
            .with_permit(&**permit);
        call.timeout = Some(WRITE_TIMEOUT);
        call.private = true;
        let answer = self.http.send(&call, &self.stop, classify::judge_update).await?;
        Ok(match answer.value {
            None => Updated::Done,
            Some(Refusal { words, illegal: true }) => Updated::Illegal(words),
            Some(Refusal { words, illegal: false }) => Updated::Refused(words),
        })
    }
}

/// `base` with `path` after its own.
pub(super) fn address(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}
