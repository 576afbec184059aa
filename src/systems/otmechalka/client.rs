//! The five calls of the proposal, each one exchange.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Options, SYSTEM,
    classify::{self, Written},
    wire::{Client, Found, Ticket},
};
use crate::{
    fault::{Code, Fault},
    remote::{Answer, Call, Class, Effect, Http, Limiter, Permit, Reply, ports::Limits, redact},
};

/// What became of a write.
#[derive(Clone, Debug)]
pub enum Sent {
    /// Done; the service's own id, where it told one.
    Done(Option<String>),
    /// This object is refused, with the service's words.
    Refused(String),
    /// Nobody knows: the answer was lost. It must be looked up before it is sent again.
    Lost(Fault),
}

/// Looks at one account. Has no method that writes.
pub struct Reader {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    stop: CancellationToken,
    limit_key: String,
    header: Option<(HeaderName, HeaderValue)>,
    secrets: Vec<SecretString>,
}

/// The header of a setting such as `Authorization: Token {key}`, and what of it is secret. The error says what is wrong and quotes no key.
pub fn auth_header(setting: &str, key: Option<&SecretString>) -> Result<(HeaderName, HeaderValue, Vec<SecretString>), String> {
    let (name, text) = setting.split_once(':').ok_or("must be a header with its text, for example `Authorization: Token {key}`")?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| format!("`{}` is no name of a header", name.trim()))?;
    let wants_key = text.contains("{key}") || text.contains("{basic}");
    let mut secrets = Vec::new();
    let text = match key {
        Some(key) => {
            let basic = STANDARD.encode(key.expose_secret());
            secrets.extend([key.clone(), SecretString::from(basic.clone())]);
            text.trim().replace("{key}", key.expose_secret()).replace("{basic}", &basic)
        }
        None if wants_key => return Err("speaks of {key}, but the secret otmechalka_key is not set".to_owned()),
        None => text.trim().to_owned(),
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| "with the key holds characters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value, secrets))
}

impl Reader {
    /// A reader. A cancel of `stop` ends any read and any wait at once.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Result<Self, Fault> {
        let (mut header, mut secrets) = (None, Vec::new());
        if let Some(setting) = &options.auth_header {
            let (name, value, hidden) = auth_header(setting, options.key.as_ref())
                .map_err(|wrong| Fault::new(Code::ConfigInvalid, format!("otmechalka.auth_header {wrong}")))?;
            header = Some((name, value));
            secrets = hidden;
        }
        let port = options.base_url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let limit_key = format!("{SYSTEM}:{}{port}", options.base_url.host_str().unwrap_or_default()).chars().take(190).collect();
        Ok(Self { http, options, limits, stop, limit_key, header, secrets })
    }

    /// The client with this outside id.
    pub async fn find_client(&self, origin_id: &str) -> Result<Option<Found>, Fault> {
        self.find("GET /api/clients/:origin_id/", &self.options.clients_path, origin_id).await
    }

    /// The ticket with this outside id.
    pub async fn find_ticket(&self, origin_id: &str) -> Result<Option<Found>, Fault> {
        self.find("GET /api/tickets/:origin_id/", &self.options.tickets_path, origin_id).await
    }

    async fn find(&self, route: &'static str, path: &str, origin_id: &str) -> Result<Option<Found>, Fault> {
        let call = Call::new(SYSTEM, route, Effect::Read, Method::GET, self.address(path, Some(origin_id)));
        self.send(call, classify::found).await
    }

    /// An address with a slash at its end.
    fn address(&self, path: &str, origin_id: Option<&str>) -> Url {
        let mut url = self.options.base_url.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/').filter(|part| !part.is_empty())).extend(origin_id).push("");
        }
        url
    }

    async fn send<T: Send>(&self, mut call: Call<'_>, judge: impl Fn(&Reply) -> Class<T> + Send + Sync) -> Result<T, Fault> {
        if let Some((name, value)) = &self.header {
            call.headers.insert(name.clone(), value.clone());
        }
        call.timeout = Some(self.options.timeout);
        call.secrets.extend(self.secrets.iter().cloned());
        let call = call.with_limiter(Limiter { limits: &*self.limits, key: &self.limit_key, interval: self.options.spacing });
        let answer: Answer<T> = self.http.send(&call, &self.stop, judge).await.map_err(explain)?;
        Ok(answer.value)
    }

    /// Words of the service without the key, should it echo it.
    fn hidden(&self, words: String) -> String {
        let secrets: Vec<&str> = self.secrets.iter().map(ExposeSecret::expose_secret).collect();
        redact::hide(words, &secrets)
    }
}

/// Writes into one account; whatever it does it can also look.
pub struct Writer {
    reader: Reader,
    permit: Box<Permit>,
}

impl Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

impl Writer {
    /// A writer that asks `permit` before each write leaves.
    pub fn new(reader: Reader, permit: Box<Permit>) -> Self {
        Self { reader, permit }
    }

    /// Makes a client. Never repeated by itself.
    pub async fn create_client(&self, client: &Client) -> Result<Sent, Fault> {
        self.write("POST /api/clients/", self.reader.address(&self.reader.options.clients_path, None), client, false).await
    }

    /// Changes a client: the same body a second time changes nothing, so it may be repeated.
    pub async fn change_client(&self, client: &Client) -> Result<Sent, Fault> {
        let url = self.reader.address(&self.reader.options.clients_path, Some(&client.origin_id));
        self.write("POST /api/clients/:origin_id/", url, client, true).await
    }

    /// Makes a ticket. Never repeated by itself.
    pub async fn create_ticket(&self, ticket: &Ticket) -> Result<Sent, Fault> {
        self.write("POST /api/tickets/", self.reader.address(&self.reader.options.tickets_path, None), ticket, false).await
    }

    async fn write(&self, route: &'static str, url: Url, body: &impl Serialize, repeatable: bool) -> Result<Sent, Fault> {
        let mut call = Call::new(SYSTEM, route, Effect::Write, Method::POST, url).with_json(body)?.with_permit(&*self.permit);
        call.replay_safe = repeatable;
        match self.reader.send(call, classify::written).await {
            Ok(Written::Done(id)) => Ok(Sent::Done(id)),
            Ok(Written::Refused(words)) => Ok(Sent::Refused(self.reader.hidden(words))),
            Err(fault) if fault.code == Code::RemoteUnavailable => Ok(Sent::Lost(fault)),
            // A page or half an answer where a result should be: it may well be done.
            Err(fault) if fault.code == Code::RemoteProtocol => Ok(Sent::Lost(fault)),
            Err(fault) => Err(fault),
        }
    }
}

/// Adds what a person can do about it.
fn explain(mut fault: Fault) -> Fault {
    if matches!(fault.code, Code::RemoteAuth | Code::RemoteForbidden) {
        fault.detail.push_str("; check otmechalka.auth_header and the secret otmechalka_key");
    }
    fault
}
