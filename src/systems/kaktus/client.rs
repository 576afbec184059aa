//! The calls, each one exchange; what reads the whole list is [`super::paging`].

use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use rust_decimal::prelude::ToPrimitive;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    LARGEST_PAGE, Options, SYSTEM,
    classify::{self, Envelope},
    session::Session,
    wire::{self, Fields, Product},
};
use crate::{
    domain::number::Lenient,
    fault::{Code, Fault},
    remote::{BadRow, Call, Effect, Http, Limiter, Login, ports::Limits},
};

/// A client for one user. Cheap to make; the token is shared by all clients of the process for the same user.
pub struct Client {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    stop: CancellationToken,
    session: Session,
}

/// One page of products.
#[derive(Clone, Debug)]
pub struct ProductPage {
    /// The remote's total, not for this page.
    pub total: u64,
    /// Rows in the remote's order; one that cannot be used stands as [`BadRow`].
    pub rows: Vec<Result<Product, Box<BadRow>>>,
    /// The remote's clock when it was asked.
    pub asked_at: DateTime<Utc>,
}

impl Client {
    /// A client. A cancel of `stop` ends any call and any wait at once.
    pub fn new(mut options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        options.page_size = options.page_size.clamp(1, LARGEST_PAGE);
        let session = Session::new(options.clone(), http.clone(), Arc::clone(&limits), stop.clone());
        Self { http, options, limits, stop, session }
    }

    /// Logs in, or finds that it has.
    pub async fn login(&self) -> Result<(), Fault> {
        self.http.tokens().get(&self.session, &self.stop).await.map(drop)
    }

    /// One page of products, from 0. An answer without a list `products` or a readable `recordsTotal` is `remote-protocol`: it must not look
    /// like an empty warehouse.
    pub async fn products(&self, page: u32) -> Result<ProductPage, Fault> {
        let mut url = address(&self.options.base_url, &self.options.products_path);
        url.query_pairs_mut().append_pair("page", &page.to_string()).append_pair("size", &self.options.page_size.to_string());
        let mut call = Call::new(SYSTEM, "GET /api/lite/products", Effect::Read, Method::GET, url)
            .with_login(&self.session as &dyn Login)
            .with_limiter(Limiter { limits: &*self.limits, key: self.session.limit_key(), interval: self.options.pause });
        if let Some(domain) = &self.options.domain {
            let value = HeaderValue::try_from(domain.as_str())
                .map_err(|_| Fault::new(Code::ConfigInvalid, "kaktus.domain holds characters that no header can carry"))?;
            call.headers.insert(HeaderName::from_static("domain"), value);
        }
        let answer =
            self.http.send(&call, &self.stop, |reply| classify::judge(reply, |envelope| rows(envelope, &self.options.fields))).await?;
        let (total, rows) = answer.value;
        Ok(ProductPage { total, rows, asked_at: answer.asked_at })
    }
}

type Rows = Vec<Result<Product, Box<BadRow>>>;

fn rows(envelope: &Envelope<'_>, fields: &Fields) -> Result<(u64, Rows), String> {
    let list = envelope.products.ok_or("the answer has no `products`")?;
    let raws: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(|_| "`products` is no list")?;
    let total = match envelope.records_total.and_then(|raw| serde_json::from_str::<Lenient>(raw.get()).ok()) {
        Some(Lenient::Number(number)) => number.to_u64().ok_or("`recordsTotal` is no number of rows")?,
        _ => return Err("the answer has no readable `recordsTotal`".into()),
    };
    Ok((total, raws.into_iter().map(|raw| wire::product(raw, fields)).collect()))
}

/// `base` with `path` after its own.
pub(super) fn address(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}
