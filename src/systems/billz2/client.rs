//! The calls, each one exchange; what reads a whole list is [`super::paging`].

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use reqwest::Method;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    BadRow, LARGEST_PAGE, Options, SPACING, SYSTEM,
    classify::{self, Envelope},
    currency,
    session::Session,
    wire::{self, Product},
};
use crate::{
    domain::number::Lenient,
    fault::{Code, Fault},
    remote::{
        Answer, Call, Class, Effect, Http, Limiter, Login, Reply,
        lenient::{id, text},
        ports::Limits,
    },
};

/// No list of shops is longer; a remote that goes on is going round.
const SHOP_PAGES: u32 = 100;

/// A client for one integration key. Cheap to make; the token is shared by all clients of the process with the same key.
pub struct Client {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    limit_key: String,
    stop: CancellationToken,
    session: Session,
}

/// A shop of the company; warehouses are shops too (fact sheet, section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Shop {
    /// UUID: the key of a stream.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The merchant's name of it; may be "".
    #[serde(default, deserialize_with = "text")]
    pub name: String,
}

/// One page of products (fact sheet, section 4.2).
#[derive(Clone, Debug)]
pub struct ProductPage {
    /// The remote's total for the question, not for this page.
    pub count: u64,
    /// Rows in the remote's order; one that cannot be used stands as [`BadRow`].
    pub rows: Vec<Result<Product, Box<BadRow>>>,
    /// How many rows the page had.
    pub rows_seen: usize,
    /// The remote's clock when it answered.
    pub date: DateTime<Utc>,
    /// The remote's clock when it was asked.
    pub asked_at: DateTime<Utc>,
}

/// Rows of a page with its total.
pub(super) struct Rows<T> {
    pub(super) count: u64,
    pub(super) rows: Vec<T>,
}

impl Client {
    /// A client. A cancel of `stop` ends any call and any wait at once.
    pub fn new(mut options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        options.page_size = options.page_size.clamp(1, LARGEST_PAGE);
        let limit_key = format!("{SYSTEM}:egress:{}", options.egress);
        let session = Session::new(options.clone(), http.clone(), Arc::clone(&limits), limit_key.clone(), stop.clone());
        Self { http, options, limits, limit_key, stop, session }
    }

    /// The company the key belongs to (`company_id` of the token; logs in if need be). `None` for an opaque token.
    pub async fn account(&self) -> Result<Option<String>, Fault> {
        Ok(self.http.tokens().get(&self.session, &self.stop).await?.account)
    }

    /// All shops the key may see (`GET /v1/shop`), each once, in the remote's order.
    pub async fn shops(&self) -> Result<Vec<Shop>, Fault> {
        let (mut shops, mut known, mut seen) = (Vec::new(), HashSet::new(), 0);
        for page in 1..=SHOP_PAGES {
            let mut url = address(&self.options.base_url, "/v1/shop");
            url.query_pairs_mut().append_pair("limit", "100").append_pair("page", &page.to_string()).append_pair("only_allowed", "true");
            let answer = self
                .get("GET /v1/shop", url, |reply| {
                    classify::judge(reply, |envelope| {
                        rows(envelope, |envelope| envelope.shops, "shops", |row| serde_json::from_str::<Shop>(row.get()))
                    })
                })
                .await?;
            seen += answer.value.rows.len() as u64;
            let fresh = shops.len();
            let ended = answer.value.rows.is_empty() || seen >= answer.value.count;
            shops.extend(answer.value.rows.into_iter().flatten().filter(|shop: &Shop| known.insert(shop.id.clone())));
            if ended || shops.len() == fresh {
                break;
            }
        }
        Ok(shops)
    }

    /// The company's retail currency as an ISO code (`GET /v2/company-currencies`). `None` when the key may not see it, the remote
    /// does not know the call, or nothing in the answer has the looks of a code. An answer that is no JSON at all tells nothing: to take
    /// it for "unknown" would copy prices into the shop in whatever currency that has.
    pub async fn company_currency(&self) -> Result<Option<String>, Fault> {
        let url = address(&self.options.base_url, "/v2/company-currencies");
        let answer = self
            .get("GET /v2/company-currencies", url, |reply| match classify::judge(reply, |_| Ok(())) {
                Class::Good(()) => Class::Good(currency::retail(&reply.body)),
                Class::Forbidden(_) | Class::Rejected(_) => Class::Good(None),
                // Its shape is barely known, so any other JSON than an object will do too.
                Class::Unreadable(_) if serde_json::from_slice::<IgnoredAny>(&reply.body).is_ok() => {
                    Class::Good(currency::retail(&reply.body))
                }
                Class::Unreadable(detail) => Class::Unreadable(detail),
                Class::Garbled(detail) => Class::Garbled(detail),
                Class::Unavailable(detail) => Class::Unavailable(detail),
                Class::RateLimited { retry_after, detail } => Class::RateLimited { retry_after, detail },
                Class::TokenExpired(detail) => Class::TokenExpired(detail),
                Class::Auth(detail) => Class::Auth(detail),
            })
            .await?;
        Ok(answer.value)
    }

    /// One page of `GET /v2/products`, from 1; all products, or those changed after `since` (second precision, UTC).
    ///
    /// A page without the key `products` or a readable `count` is `remote-protocol`; `products: null` is an empty page.
    pub async fn products(&self, since: Option<DateTime<Utc>>, page: u32) -> Result<ProductPage, Fault> {
        let mut url = address(&self.options.base_url, "/v2/products");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("limit", &self.options.page_size.to_string()).append_pair("page", &page.to_string());
            if let Some(since) = since {
                query.append_pair("last_updated_date", &since.format("%Y-%m-%d %H:%M:%S").to_string());
            }
        }
        let answer = self.get("GET /v2/products", url, product_rows).await?;
        let (date, asked_at) = (answer.date, answer.asked_at);
        let Rows { count, rows } = answer.value;
        Ok(ProductPage { count, rows_seen: rows.len(), rows, date, asked_at })
    }

    pub(super) fn base_url(&self) -> &Url {
        &self.options.base_url
    }

    /// A read under limit and token.
    pub(super) async fn get<T: Send>(
        &self,
        route: &'static str,
        url: Url,
        judge: impl Fn(&Reply) -> Class<T> + Send + Sync,
    ) -> Result<Answer<T>, Fault> {
        let call = Call::new(SYSTEM, route, Effect::Read, Method::GET, url).with_login(&self.session as &dyn Login).with_limiter(Limiter {
            limits: &*self.limits,
            key: &self.limit_key,
            interval: SPACING,
        });
        self.http.send(&call, &self.stop, judge).await.map_err(|fault| self.explain(fault))
    }

    /// Adds what the merchant can do about it.
    fn explain(&self, mut fault: Fault) -> Fault {
        if fault.code == Code::RemoteForbidden {
            fault.detail.push_str("; the integration key needs the role for this call, in Billz under Settings, Company");
        }
        fault
    }
}

/// Judges a page of products.
pub(super) fn product_rows(reply: &Reply) -> Class<Rows<Result<Product, Box<BadRow>>>> {
    classify::judge(reply, |envelope| rows(envelope, |envelope| envelope.products, "products", wire::product))
}

/// `{count, <list>}` bare or wrapped in `data`, each row read by itself.
pub(super) fn rows<T>(
    envelope: &Envelope<'_>,
    list: for<'a> fn(&Envelope<'a>) -> Option<&'a RawValue>,
    name: &str,
    row: impl Fn(&RawValue) -> T,
) -> Result<Rows<T>, String> {
    let wrapped: Envelope<'_>;
    let inner = match (list(envelope), envelope.data) {
        (None, Some(data)) if data.get().starts_with('{') => {
            wrapped = serde_json::from_str(data.get()).map_err(|error| format!("`data` is not what we know: {error}"))?;
            &wrapped
        }
        _ => envelope,
    };
    let raw = list(inner).ok_or_else(|| format!("the answer has no `{name}`"))?;
    let count = inner.count.and_then(|raw| serde_json::from_str::<Lenient>(raw.get()).ok());
    let count = match count {
        Some(Lenient::Number(number)) => number.to_u64().ok_or("`count` is no number of rows")?,
        _ => return Err("the answer has no readable `count`".into()),
    };
    let raws: Option<Vec<&RawValue>> = serde_json::from_str(raw.get()).map_err(|_| format!("`{name}` is no list"))?;
    Ok(Rows { count, rows: raws.unwrap_or_default().into_iter().map(row).collect() })
}

/// `base` with `path` after its own.
pub(super) fn address(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}
