//! The reading calls: one call, a batch of them, and a sweep over a list.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Entity, Options, PAGE, READ_TIMEOUT, SYSTEM, WRITE_TIMEOUT,
    batch::{self, Commands, Results},
    classify::{self, Envelope},
    wire::{self, Row},
};
use crate::{
    domain::clock,
    fault::{Code, Fault},
    remote::{Answer, Call, Class, Effect, Http, Limiter, Permit, ports::Limits},
};

/// Conditions of a list, by operator and field: `>=DATE_MODIFY`.
pub type Filter = BTreeMap<String, Value>;

/// What the portal says of its fields, by code.
pub type FieldMap = Map<String, Value>;

/// Looks at one portal. Has no method that writes.
pub struct Reader {
    pub(super) http: Http,
    pub(super) options: Options,
    pub(super) limits: Arc<dyn Limits>,
    pub(super) stop: CancellationToken,
    base: Url,
    code: SecretString,
    limit_key: String,
    calls: u64,
}

/// Parts of a webhook's address: what calls begin with, and the secret in it. The error says what a webhook looks like and quotes nothing.
pub fn webhook(address: &SecretString) -> Result<(Url, SecretString), String> {
    let wrong = || "is no inbound webhook; it looks like https://portal.bitrix24.ru/rest/1/<code>/".to_owned();
    let url = Url::parse(address.expose_secret().trim()).map_err(|_| wrong())?;
    let parts: Vec<&str> = url.path_segments().ok_or_else(wrong)?.filter(|part| !part.is_empty()).collect();
    let place = parts.iter().position(|part| *part == "rest").ok_or_else(wrong)?;
    let (Some(user), Some(code)) = (parts.get(place + 1), parts.get(place + 2)) else { return Err(wrong()) };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || user.parse::<u64>().is_err() {
        return Err(wrong());
    }
    let code = SecretString::from((*code).to_owned());
    let path = parts.get(..=place + 2).unwrap_or_default().join("/");
    let mut base = url.clone();
    base.set_path(&format!("/{path}/"));
    base.set_query(None);
    base.set_fragment(None);
    Ok((base, code))
}

impl Reader {
    /// A reader. A cancel of `stop` ends any read and any wait at once.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Result<Self, Fault> {
        let (base, code) = webhook(&options.webhook)
            .map_err(|wrong| Fault::new(Code::ConfigInvalid, format!("the secret bitrix24_webhook_url {wrong}")))?;
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let limit_key = format!("{SYSTEM}:{}{port}", base.host_str().unwrap_or_default()).chars().take(190).collect();
        Ok(Self { http, options, limits, stop, base, code, limit_key, calls: 0 })
    }

    /// How many calls this client has made.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Nobody calls this portal for so long (real time); until when that is.
    pub(super) async fn pause(&self, pause: Duration) -> Result<DateTime<Utc>, Fault> {
        self.limits.pause(&self.limit_key, pause).await
    }

    /// Fields of contacts and deals, in one call.
    pub async fn fields(&mut self) -> Result<(FieldMap, FieldMap), Fault> {
        let commands = [("contact", Entity::Contact), ("deal", Entity::Deal)];
        let commands: Commands = commands.into_iter().map(|(name, entity)| (name.to_owned(), format!("{}?", entity.fields()))).collect();
        let mut results = self.batch(&commands).await?;
        let mut fields = |name: &str, entity: Entity| match results.take(name) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(Fault::new(Code::RemoteProtocol, format!("{SYSTEM} {}: no list of fields", entity.fields()))),
            Err(error) => Err(explain(Fault::new(Code::RemoteForbidden, format!("{SYSTEM} {}: {}", entity.fields(), error.words())))),
        };
        Ok((fields("contact", Entity::Contact)?, fields("deal", Entity::Deal)?))
    }

    /// The next rows that fit `filter`, in the order of their ids, [`PAGE`] at most; fewer = these are the last. Each page begins after the
    /// last id of the former one (fact sheet, section 4.2), so that edits meanwhile neither skip nor repeat a row. With the portal's clock when
    /// it began to answer.
    pub async fn page_after(
        &mut self,
        entity: Entity,
        filter: &Filter,
        select: &[String],
        after: u64,
    ) -> Result<(Vec<Row>, Option<DateTime<Utc>>), Fault> {
        let mut filter = filter.clone();
        filter.insert(">ID".to_owned(), json!(after));
        let parameters = json!({"filter": filter, "order": {"ID": "ASC"}, "select": select, "start": -1});
        let envelope = self.call(entity.list(), &parameters).await?;
        let rows = rows(entity.list(), envelope.result)?;
        let mut last = after;
        for row in &rows {
            let id = wire::id(row).ok_or_else(|| protocol(entity.list(), "a row without a readable ID"))?;
            if id <= last {
                return Err(protocol(entity.list(), "rows are not in the order of their IDs, so nobody knows whether all of them came"));
            }
            last = id;
        }
        Ok((rows, envelope.began))
    }

    /// These rows, [`PAGE`] at most; those that are gone or hidden are absent.
    pub async fn by_ids(&mut self, entity: Entity, ids: &[u64], select: &[String]) -> Result<Vec<Row>, Fault> {
        if ids.is_empty() || ids.len() > PAGE {
            return Err(Fault::internal(format!("{} ids in one question", ids.len())));
        }
        let parameters = json!({"filter": {"@ID": ids}, "order": {"ID": "ASC"}, "select": select, "start": -1});
        let envelope = self.call(entity.list(), &parameters).await?;
        let wanted: BTreeSet<u64> = ids.iter().copied().collect();
        let mut rows = rows(entity.list(), envelope.result)?;
        // A filter that was dropped without a word would show other rows.
        rows.retain(|row| wire::id(row).is_some_and(|id| wanted.contains(&id)));
        Ok(rows)
    }

    /// Employees by their ids, [`PAGE`] at most; bots and some others are never told of.
    pub async fn users(&mut self, ids: &[u64]) -> Result<Vec<Row>, Fault> {
        if ids.is_empty() || ids.len() > PAGE {
            return Err(Fault::internal(format!("{} ids in one question", ids.len())));
        }
        let parameters = json!({"FILTER": {"ID": ids}, "sort": "ID", "order": "ASC", "start": 0});
        let envelope = self.call("user.get", &parameters).await?;
        rows("user.get", envelope.result)
    }

    /// Reading commands in one call, [`PAGE`] at most. One that met a limit makes the whole batch wait and be asked again.
    pub async fn batch(&mut self, commands: &Commands) -> Result<Results, Fault> {
        let parameters = batch_of(commands)?;
        let envelope = self.send("batch", &parameters, Effect::Read, None, |envelope| {
            let results = batch::read(commands, &envelope.result);
            let limited = results.by_name.values().filter_map(|result| result.as_ref().err()).find(|error| error.is_limit());
            limited.map(|error| Class::RateLimited {
                retry_after: Some(envelope.operating.resets_in.unwrap_or(classify::WINDOW)),
                detail: error.words().to_owned(),
            })
        });
        Ok(batch::read(commands, &envelope.await?.result))
    }

    async fn call(&mut self, method: &'static str, parameters: &Value) -> Result<Envelope, Fault> {
        self.send(method, parameters, Effect::Read, None, |_| None).await
    }

    /// Any call: the shared limit, and what the answer tells of the method's time. `doubt` may find a limit inside a good answer.
    pub(super) async fn send(
        &mut self,
        method: &'static str,
        parameters: &Value,
        effect: Effect,
        permit: Option<&Permit>,
        doubt: impl Fn(&Envelope) -> Option<Class<Envelope>> + Send + Sync,
    ) -> Result<Envelope, Fault> {
        let url = self.base.join(&format!("{method}.json")).map_err(|_| Fault::internal("a method is no part of an address"))?;
        let limits = Arc::clone(&self.limits);
        let mut call = Call::new(SYSTEM, method, effect, Method::POST, url)
            .with_json(parameters)?
            .with_secret(self.code.clone())
            .with_secret(self.options.webhook.clone())
            .with_limiter(Limiter { limits: &*limits, key: &self.limit_key, interval: self.options.spacing });
        call.headers.insert(reqwest::header::ACCEPT, reqwest::header::HeaderValue::from_static("application/json"));
        call.timeout = Some(if effect == Effect::Write { WRITE_TIMEOUT } else { READ_TIMEOUT });
        call.permit = permit;
        self.calls += 1;
        let judge = |reply: &crate::remote::Reply| match classify::judge(reply) {
            Class::Good(envelope) => doubt(&envelope).unwrap_or(Class::Good(envelope)),
            other => other,
        };
        let answer: Answer<Envelope> = self.http.send(&call, &self.stop, judge).await.map_err(explain)?;
        let mut envelope = answer.value;
        envelope.began = envelope.began.or(Some(answer.asked_at));
        let operating = envelope.operating;
        if operating.seconds >= self.options.operating_seconds {
            // The call that crosses the limit is carried out and the next one refused: it is not made.
            let pause = operating.resets_in.unwrap_or(classify::WINDOW);
            tracing::info!(
                remote.system = SYSTEM,
                remote.route = method,
                seconds = operating.seconds,
                pause_s = pause.as_secs(),
                "the portal is left in peace until its methods have time again"
            );
            self.limits.pause(&self.limit_key, clock::scaled(pause)).await?;
        }
        Ok(envelope)
    }
}

/// A batch that goes on after a command that failed.
pub(super) fn batch_of(commands: &Commands) -> Result<Value, Fault> {
    if commands.is_empty() || commands.len() > PAGE {
        return Err(Fault::internal(format!("{} commands in one batch", commands.len())));
    }
    Ok(json!({"halt": 0, "cmd": commands}))
}

fn rows(method: &str, result: Value) -> Result<Vec<Row>, Fault> {
    let Value::Array(rows) = result else { return Err(protocol(method, "no list of rows")) };
    let row = |value| match value {
        Value::Object(row) => Ok(row),
        _ => Err(protocol(method, "a row is no object")),
    };
    rows.into_iter().map(row).collect()
}

fn protocol(method: &str, what: &str) -> Fault {
    Fault::new(Code::RemoteProtocol, format!("{SYSTEM} {method}: {what}"))
}

/// Adds what a person can do about it.
fn explain(mut fault: Fault) -> Fault {
    match fault.code {
        Code::RemoteAuth => fault
            .detail
            .push_str("; the webhook was deleted or re-keyed, or its technical user is blocked: set the secret bitrix24_webhook_url anew"),
        Code::RemoteForbidden => {
            fault.detail.push_str("; the webhook needs the scopes crm and user, and its technical user all rights for contacts and deals")
        }
        _ => {}
    }
    fault
}
