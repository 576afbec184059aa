//! A whole window of orders, page by page (fact sheet, section 4.1), and one order by its id.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    MOST_PAGES,
    client::Client,
    request::{Filling, Window},
    wire::RawOrder,
};
use crate::fault::{Code, Fault};

/// How pages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// One answer holds everything.
    None,
    /// `${page}` from 1, with `${limit}`.
    Page,
    /// `${offset}` from 0, with `${limit}`.
    Offset,
    /// `${cursor}`, as the page before tells it.
    Cursor,
}

/// A window that is read page by page.
pub struct Pages<'a> {
    client: &'a Client,
    window: Window,
    known: HashSet<String>,
    offset: u64,
    cursor: String,
    number: u32,
    over: bool,
    started_at: Option<DateTime<Utc>>,
}

/// What tells one order from another on the wire, before any mapping: the same page twice must be seen.
fn mark(order: &RawOrder) -> String {
    let id = ["/id", "/order_id", "/entity_id"].iter().find_map(|place| order.pointer(place)).filter(|id| !id.is_null());
    id.unwrap_or(order).to_string()
}

impl Pages<'_> {
    /// The next page; `None` behind the last. Ends at an empty page and where a page brings nothing new: servers that ignore `page` would loop
    /// for ever, and a cap below what was asked for looks like a short page. `remote-protocol` when no end comes.
    pub async fn next(&mut self) -> Result<Option<Vec<RawOrder>>, Fault> {
        if self.over {
            return Ok(None);
        }
        if self.number >= MOST_PAGES {
            let detail = format!("okliving POST /api/get-orders: no last page within {MOST_PAGES} pages");
            return Err(Fault::new(Code::RemoteProtocol, detail));
        }
        self.number += 1;
        let options = &self.client.options;
        let filling = Filling {
            window: self.window,
            times: options.times,
            page: self.number,
            offset: self.offset,
            limit: options.page_size,
            cursor: &self.cursor,
            id: "",
        };
        let (found, asked_at) = self.client.page(&options.request, &filling).await?;
        self.started_at.get_or_insert(asked_at);
        let before = self.known.len();
        self.known.extend(found.orders.iter().map(mark));
        let fresh = self.known.len() > before;
        // An order that comes twice must not push another one out of the next page.
        self.offset = u64::try_from(self.known.len()).unwrap_or_default();
        self.over = match options.paging {
            Paging::None => true,
            Paging::Page | Paging::Offset => !fresh,
            Paging::Cursor => !fresh && !found.orders.is_empty() || found.next_cursor.as_ref().is_none_or(|next| *next == self.cursor),
        };
        self.cursor = found.next_cursor.unwrap_or_default();
        Ok((fresh || !self.over).then_some(found.orders))
    }

    /// Start of the read by the remote's clock, once a page was read.
    pub fn started_at(&self) -> Option<DateTime<Utc>> {
        self.started_at
    }

    /// Pages read so far.
    pub fn count(&self) -> u32 {
        self.number
    }
}

impl Client {
    /// The orders of a window.
    pub fn pages(&self, window: Window) -> Pages<'_> {
        Pages { client: self, window, known: HashSet::new(), offset: 0, cursor: String::new(), number: 0, over: false, started_at: None }
    }

    /// One order as it stands now: by the template for one order, else out of the ordinary list of this window. `None` = it is not shown.
    pub async fn order(&self, id: &str, window: Window) -> Result<Option<RawOrder>, Fault> {
        if !self.options.order_request.is_null() {
            let filling = Filling { window, times: self.options.times, page: 1, offset: 0, limit: self.options.page_size, cursor: "", id };
            let (found, _) = self.page(&self.options.order_request, &filling).await?;
            return Ok(found.orders.into_iter().find(|order| is(order, id)));
        }
        let (mut pages, mut seen) = (self.pages(window), None);
        while let Some(orders) = pages.next().await? {
            seen = orders.into_iter().find(|order| is(order, id)).or(seen);
        }
        Ok(seen)
    }
}

/// Whether this is the order of that id.
fn is(order: &RawOrder, id: &str) -> bool {
    ["/id", "/order_id", "/entity_id"].iter().filter_map(|place| order.pointer(place)).any(|found| match found {
        Value::String(text) => text == id,
        Value::Number(number) => number.as_str() == id,
        _ => false,
    })
}
