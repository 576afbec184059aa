//! The one call, and how its endless answer is read.

use std::{sync::Arc, thread};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Options, PAGE, PATIENCE, SPACING, SYSTEM,
    answer::{self, Broken, Envelope, Incoming},
    classify,
    proof::{ReadProof, Tally},
    session::Session,
    wire::{self, Product},
};
use crate::{
    domain::ids,
    fault::{Code, Fault, Kind},
    remote::{BadRow, Call, Class, Effect, Http, Limiter, Login, Streamed, ports::Limits},
};

/// The only method, at `/v1/` with its slash (fact sheet, section 1).
const ROUTE: &str = "POST /v1/ products.get";
/// Pieces of the answer that may wait for the parser. More only costs memory.
const PIECES_AHEAD: usize = 4;
/// Pages that may wait to be stored while the next one is parsed.
const PAGES_AHEAD: usize = 1;

/// A client for one account. Cheap to make.
pub struct Client {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    limit_key: String,
    stop: CancellationToken,
    session: Session,
}

/// Takes pages as they come; stores each before it returns.
#[async_trait]
pub trait Pages: Send {
    /// One page. An error ends the read.
    async fn page(&mut self, page: ProductPage) -> Result<(), Fault>;
}

/// So many rows of the answer.
#[derive(Clone, Debug)]
pub struct ProductPage {
    /// In the remote's order, each once; one that cannot be used stands as [`BadRow`].
    pub rows: Vec<Result<Product, Box<BadRow>>>,
    /// `totalRows`, if the rows agree so far.
    pub total: Option<u64>,
    /// The remote's clock when it was asked.
    pub started_at: DateTime<Utc>,
}

/// What is asked. Flags are numbers; `ProductIds` is a text with commas.
///
/// There is no filter by office: goods it leaves out would look like goods that are gone, one read could not serve the connection's other
/// offices, and offices that nobody chose yet could not be offered.
#[derive(Serialize)]
struct Params {
    /// Without it a good that is sold out disappears instead of going to 0.
    #[serde(rename = "IncludeEmptyStocks")]
    include_empty_stocks: u8,
    #[serde(rename = "WithProductPhotoOnly")]
    with_product_photo_only: u8,
    #[serde(rename = "LastUpdatedDate", skip_serializing_if = "Option::is_none")]
    last_updated_date: Option<String>,
    #[serde(rename = "ProductIds", skip_serializing_if = "Option::is_none")]
    product_ids: Option<&'static str>,
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    method: &'static str,
    params: Params,
    id: &'a str,
}

impl Client {
    /// A client. A cancel of `stop` ends any call and any wait at once.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        let session = Session::new(options.clone());
        let limit_key = format!("{SYSTEM}:{}", session.account());
        Self { http, options, limits, limit_key, stop, session }
    }

    /// Whether the account is let in: a question that no product answers.
    pub async fn accepted(&self) -> Result<(), Fault> {
        self.open(None, Some("0"), &ids::fresh()).await.map(drop)
    }

    /// Reads all products, or those changed after `since` (second precision, UTC), into `sink`, while they come.
    ///
    /// An answer that breaks off after rows came is no fault but a doubt in the proof: what came is worth having. A fault of the sink ends
    /// the read at once.
    pub async fn read_all(&self, since: Option<DateTime<Utc>>, sink: &mut dyn Pages) -> Result<ReadProof, Fault> {
        let id = ids::fresh();
        let streamed = self.open(since, None, &id).await?;
        let started_at = streamed.answer.asked_at;
        let (pieces, incoming) = mpsc::channel(PIECES_AHEAD);
        let (pages, stored) = mpsc::channel(PAGES_AHEAD);
        let parsed = parse(incoming, pages, started_at)?;
        let (pumped, kept) = tokio::join!(pump(streamed, pieces), keep(stored, sink));
        // In this order: a sink that fails stops the parser, which then stops the pump.
        kept?;
        let Parsed { envelope, tally } = parsed.await.map_err(|_| Fault::internal("the parser of an answer ended without an outcome"))?;
        let broken = judge(&envelope, &id, pumped)?;
        let proof = tally.proof(started_at, since.is_none(), broken.as_ref().map(|fault| fault.detail.clone()));
        match broken {
            Some(fault) if proof.rows_seen == 0 => Err(fault),
            _ => Ok(proof),
        }
    }

    async fn open(&self, since: Option<DateTime<Utc>>, product_ids: Option<&'static str>, id: &str) -> Result<Streamed<()>, Fault> {
        let params = Params {
            include_empty_stocks: 1,
            with_product_photo_only: 0,
            last_updated_date: since.map(|since| since.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            product_ids,
        };
        let mut call = Call::new(SYSTEM, ROUTE, Effect::Read, Method::POST, address(&self.options.base_url))
            .with_json(&Request { jsonrpc: "2.0", method: "products.get", params, id })?
            .with_secret(self.options.secret.clone())
            .with_login(&self.session as &dyn Login)
            .with_limiter(Limiter { limits: &*self.limits, key: &self.limit_key, interval: SPACING });
        call.timeout = Some(PATIENCE);
        let opened = self.http.open(&call, &self.stop, |reply, complete| {
            let class = classify::judge(reply, complete);
            if let (Class::TokenExpired(_), Some(now)) = (&class, reply.date()) {
                self.session.refused_at(now);
            }
            class
        });
        opened.await.map_err(explain)
    }
}

/// Adds what the merchant can do about it.
fn explain(mut fault: Fault) -> Fault {
    if fault.code == Code::RemoteAuth {
        fault.detail.push_str("; Billz says no more than that: check «USERNAME billz» and «Секретный ключ billz»");
    }
    fault
}

/// Carries the body from the connection to the parser; ends when either has had enough.
async fn pump(mut streamed: Streamed<()>, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), Fault> {
    while let Some(piece) = streamed.piece().await? {
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Carries pages from the parser to the sink.
async fn keep(mut pages: mpsc::Receiver<ProductPage>, sink: &mut dyn Pages) -> Result<(), Fault> {
    while let Some(page) = pages.recv().await {
        sink.page(page).await?;
    }
    Ok(())
}

struct Parsed {
    envelope: Envelope,
    tally: Tally,
}

/// Parses on a thread of its own, since it waits for bytes and for whoever stores: on one of the runtime's it could wait for work that needs
/// that very thread.
fn parse(
    pieces: mpsc::Receiver<Vec<u8>>,
    pages: mpsc::Sender<ProductPage>,
    started_at: DateTime<Utc>,
) -> Result<oneshot::Receiver<Parsed>, Fault> {
    let (done, parsed) = oneshot::channel();
    let work = move || {
        let mut tally = Tally::default();
        let mut rows = Vec::with_capacity(PAGE);
        let envelope = answer::read(Incoming::new(pieces), |raw| {
            let row = wire::product(raw);
            if tally.take(&row, raw.get()) {
                rows.push(row);
            }
            if rows.len() < PAGE {
                return true;
            }
            let rows = std::mem::replace(&mut rows, Vec::with_capacity(PAGE));
            pages.blocking_send(ProductPage { rows, total: tally.total(), started_at }).is_ok()
        });
        // What came before an answer broke off is worth having. Nobody is left to take it when the sink has failed.
        if !rows.is_empty() {
            drop(pages.blocking_send(ProductPage { rows, total: tally.total(), started_at }));
        }
        drop(pages);
        drop(done.send(Parsed { envelope, tally }));
    };
    thread::Builder::new()
        .name("billz1-answer".to_owned())
        .spawn(work)
        .map_err(|error| Fault::internal("a thread for reading an answer could not be started").caused_by(error))?;
    Ok(parsed)
}

/// Why the answer is not complete, if it is not. A stopped run is told at once.
fn judge(envelope: &Envelope, asked: &str, pumped: Result<(), Fault>) -> Result<Option<Fault>, Fault> {
    let protocol = |why: String| Some(Fault::new(Code::RemoteProtocol, format!("{SYSTEM} {ROUTE}: {why}")));
    match (pumped, &envelope.broken) {
        (Err(fault), _) if fault.kind() == Kind::Cancelled => Err(fault),
        (Err(fault), _) => Ok(Some(fault)),
        (Ok(()), Some(Broken::CutOff)) => Ok(protocol("the answer ended in the middle".into())),
        (Ok(()), Some(Broken::Unreadable(why))) => {
            Ok(protocol(format!("the answer cannot be read to its end: {}", crate::remote::redact::words(why))))
        }
        (Ok(()), Some(Broken::Stopped)) => Err(Fault::internal("the parser of an answer was stopped, though everything was stored")),
        (Ok(()), None) => Ok(match (&envelope.error, envelope.list, envelope.id.as_deref()) {
            (Some(error), ..) => protocol(format!("the answer holds an error: {}", crate::remote::redact::words(error))),
            (None, false, _) => protocol("the answer's `result` is no list".into()),
            (None, true, Some(id)) if id != asked => protocol("the answer belongs to another question: its id is not ours".into()),
            (None, true, _) => None,
        }),
    }
}

/// `base` with `/v1/`, which people may have given with it.
fn address(base: &Url) -> Url {
    let mut url = base.clone();
    let path = base.path().trim_end_matches('/');
    url.set_path(&format!("{}/v1/", path.strip_suffix("/v1").unwrap_or(path)));
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod addresses {
    use super::address;

    #[test]
    fn the_slash_is_always_there_and_the_version_once() {
        for (base, expected) in [
            ("https://api.billz.uz", "https://api.billz.uz/v1/"),
            ("https://api.billz.uz/v1/", "https://api.billz.uz/v1/"),
            ("https://api.billz.uz/v1", "https://api.billz.uz/v1/"),
            ("http://proxy.example/billz/?x=1", "http://proxy.example/billz/v1/"),
        ] {
            assert_eq!(address(&base.parse().unwrap()).as_str(), expected);
        }
    }
}
