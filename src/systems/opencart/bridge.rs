//! The bridge's address, for shops whose disk this process does not reach: pictures and caches. The contract is `docs/bridge.md`.
//!
//! Every call is signed. A repetition needs no memory on the other side: a picture's name is its content's hash, so the same call
//! twice writes the same file, and an old call is refused by its time.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, header::HeaderMap, header::HeaderName, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{cache::Forget, image_folder::shop_file};
use crate::{
    domain::{clock, picture::Picture},
    fault::{Code, Fault},
    remote::{Call, Class, Effect, Http, Reply},
};

/// Where the bridge puts pictures, below the shop's `image/`.
const FOLDER: &str = "catalog/tradesync";
/// Most bytes of an answer: it is one small JSON object.
const ANSWER: usize = 64 * 1024;

/// The bridge of one shop.
#[derive(Clone)]
pub struct Bridge {
    url: Url,
    secret: SecretString,
    http: Http,
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bridge({})", self.url)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature over what the bridge acts on: action, time, path and content.
fn signature(secret: &SecretString, action: &str, timestamp: i64, path: &str, content: &str) -> String {
    let signed = format!("v1\n{action}\n{timestamp}\n{path}\n{content}");
    // HMAC takes keys of any length; the empty answer cannot happen and no bridge would take it.
    Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).map_or(String::new(), |mut mac| {
        mac.update(signed.as_bytes());
        format!("v1={}", hex(&mac.finalize().into_bytes()))
    })
}

impl Bridge {
    /// A bridge at this address, sharing this secret with us.
    pub fn new(url: Url, secret: SecretString, http: Http) -> Self {
        Self { url, secret, http }
    }

    /// Where it is, for people and for telling places apart.
    pub fn place(&self) -> String {
        self.url.to_string()
    }

    /// Asks whether it answers, knows the secret, and can write pictures.
    ///
    /// Errors: `RemoteAuth` for the secret, `RemoteRejected` with the bridge's words, `RemoteUnavailable`.
    pub async fn ping(&self) -> Result<(), Fault> {
        self.call("ping", "", &[], "application/octet-stream", &CancellationToken::new()).await
    }

    /// Hands a picture over; its path as the shop writes it. Safe to repeat.
    ///
    /// Errors: as [`Bridge::ping`], and the cancel of `stop`.
    pub async fn store(&self, picture: &Picture, stop: &CancellationToken) -> Result<String, Fault> {
        let path = shop_file(FOLDER, picture);
        self.call("put-picture", &path, &picture.bytes, picture.kind.media_type(), stop).await?;
        Ok(path)
    }

    /// Has the shop forget its cached products, and the lists of manufacturers if asked. Safe to repeat.
    ///
    /// Errors: as [`Bridge::ping`]; a bridge older than this call answers `RemoteRejected`.
    pub async fn clear_cache(&self, forget: Forget) -> Result<(), Fault> {
        let names = if forget.manufacturers { "product,manufacturer" } else { "product" };
        self.call("clear-cache", names, &[], "application/octet-stream", &CancellationToken::new()).await
    }

    async fn call(
        &self,
        action: &'static str,
        path: &str,
        body: &[u8],
        media_type: &'static str,
        stop: &CancellationToken,
    ) -> Result<(), Fault> {
        let content = hex(&Sha256::digest(body));
        let timestamp = clock::now().timestamp();
        let sign = signature(&self.secret, action, timestamp, path, &content);
        let mut headers = HeaderMap::from_iter([(reqwest::header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        for (name, value) in [
            ("x-tradesync-action", action.to_owned()),
            ("x-tradesync-timestamp", timestamp.to_string()),
            ("x-tradesync-path", path.to_owned()),
            ("x-tradesync-content-sha256", content),
            ("x-tradesync-signature", sign),
        ] {
            let value =
                HeaderValue::try_from(value).map_err(|error| Fault::internal("a header of the bridge cannot be sent").caused_by(error))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let route = match action {
            "ping" => "POST bridge ping",
            "clear-cache" => "POST bridge clear-cache",
            _ => "POST bridge put-picture",
        };
        let mut call = Call::new("bridge", route, Effect::Write, Method::POST, self.url.clone()).with_secret(self.secret.clone());
        call.headers = headers;
        call.body = Some(body.to_vec());
        call.replay_safe = true;
        call.max_body = ANSWER;
        self.http.send(&call, stop, judge).await.map(drop)
    }
}

/// 2xx with `{"ok": true}` is good; a page of a shop in maintenance is not.
fn judge(reply: &Reply) -> Class<()> {
    let answer: Option<serde_json::Value> = serde_json::from_slice(&reply.body).ok();
    let words = answer.as_ref().and_then(|answer| answer.get("error")).and_then(|error| error.as_str()).map(str::to_owned);
    if reply.status.as_u16() == 401 {
        return Class::Auth(
            words.unwrap_or_else(|| "the bridge does not accept our signature; are bridge_secret and both clocks right?".into()),
        );
    }
    if let Some(class) = reply.by_status(words.clone()) {
        return class;
    }
    match answer.as_ref().and_then(|answer| answer.get("ok")) {
        Some(serde_json::Value::Bool(true)) => Class::Good(()),
        _ => reply.garbled().unwrap_or_else(|| Class::Rejected(words.unwrap_or_else(|| "the bridge did not say ok".into()))),
    }
}

/// Reads the address and the secret of the settings; `Err` says what is missing.
pub fn bridge(url: &str, secret: Option<&SecretString>, http: &Http) -> Result<Bridge, Fault> {
    let address =
        Url::parse(url).map_err(|error| Fault::new(Code::ConfigInvalid, format!("opencart.bridge_url `{url}` is no address: {error}")))?;
    let secret = secret.ok_or_else(|| {
        Fault::new(
            Code::ConfigInvalid,
            "the secret `bridge_secret` is missing; pictures go through opencart.bridge_url and are signed with it",
        )
    })?;
    Ok(Bridge::new(address, secret.clone(), http.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_the_contract_shows() {
        let secret = SecretString::from("bridge-secret-of-the-example");
        let content = hex(&Sha256::digest(b""));
        let signed = signature(&secret, "ping", 1_700_000_000, "", &content);
        let docs = include_str!("../../../docs/bridge.md");
        assert!(docs.contains(&signed), "docs/bridge.md must show {signed}");
        for other in [
            signature(&secret, "put-picture", 1_700_000_000, "", &content),
            signature(&secret, "ping", 1_700_000_001, "", &content),
            signature(&secret, "ping", 1_700_000_000, "catalog/a.jpg", &content),
            signature(&secret, "ping", 1_700_000_000, "", "00"),
            signature(&SecretString::from("another"), "ping", 1_700_000_000, "", &content),
        ] {
            assert_ne!(other, signed);
        }
    }
}
