//! `/sync/runs/{id}/items.csv`: a run's report for a spreadsheet, page by page from the store, so that its length does not matter.
//!
//! Made for Excel as shop owners have it: a byte order mark, or it reads UTF-8 as Windows-1251; semicolons and decimal commas in
//! the languages whose Excel expects them (ru, uz, uk), commas and points in English. A cell that a spreadsheet would take for a
//! formula begins with an apostrophe instead.

use std::sync::Arc;

use actix_web::{HttpResponse, get, http::header, web};
use csv::{QuoteStyle, Terminator, WriterBuilder};
use futures_util::stream;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{Api, auth::Caller, language::spoken, page::Params, problem::Answer, runs::item_filter};
use crate::{
    domain::text::{Lang, reason_text, report_title},
    engine::{
        model::{FieldChange, Outcome, Reason},
        ports::{ItemFilter, ItemRow, PageRequest},
        service::Service,
    },
    fault::{Fault, Result},
};

/// Items taken from the store at once.
const PAGE: u32 = 1_000;
/// Columns, by the name of their title.
const COLUMNS: [&str; 11] = ["key", "name", "target", "outcome", "reason_code", "reason", "field", "old", "new", "rule_code", "rule"];

/// The report of a run as CSV
///
/// One row per changed field (one per item where nothing changes), with the filter of `/items`. UTF-8 with a byte order mark. Titles, sentences,
/// separator and decimal sign follow `Accept-Language`: `;` and a decimal comma for ru, uz and uk, as their Excel expects, `,` and a point for en.
/// Cells that a spreadsheet would take for a formula begin with an apostrophe.
#[utoipa::path(tag = "Runs", responses((status = 200, description = "The report", body = String, content_type = "text/csv")))]
#[get("/sync/runs/{id}/items.csv")]
pub async fn list_items_csv(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params, lang: Lang) -> Answer {
    let filter = item_filter(&mut query);
    query.done()?;
    let run = api.service.run(&caller.scope, &id).await?;
    let report = Report { service: Arc::clone(&api.service), run: run.id.clone(), filter, lang };
    let pages = stream::try_unfold((report, Place::Start), |(report, place)| async move {
        match report.next(place).await {
            Ok(Some((bytes, place))) => Ok(Some((web::Bytes::from(bytes), (report, place)))),
            Ok(None) => Ok(None),
            // The answer has begun: all that can be done is to break it off, so that nobody takes it for whole.
            Err(fault) => {
                tracing::error!(run.id = %report.run, error = %fault, "a report was broken off");
                Err(std::io::Error::other(fault))
            }
        }
    });
    Ok(spoken(HttpResponse::Ok(), lang)
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"run-{}.csv\"", run.id)))
        .streaming(Box::pin(pages)))
}

/// How far the report is.
enum Place {
    Start,
    After(String),
    End,
}

struct Report {
    service: Arc<Service>,
    run: String,
    filter: ItemFilter,
    lang: Lang,
}

impl Report {
    async fn next(&self, place: Place) -> Result<Option<(Vec<u8>, Place)>> {
        let mut bytes = Vec::new();
        let cursor = match place {
            Place::Start => {
                bytes.extend_from_slice("\u{feff}".as_bytes());
                self.write(&mut bytes, std::iter::once(COLUMNS.map(|name| report_title(self.lang, name)).to_vec()))?;
                None
            }
            Place::After(cursor) => Some(cursor),
            Place::End => return Ok(None),
        };
        let page = self.service.changes.items(&self.run, self.filter.clone(), PageRequest { limit: PAGE, cursor }).await?;
        self.write(&mut bytes, page.items.iter().flat_map(|row| rows(row, self.lang)))?;
        Ok(Some((bytes, page.next.map_or(Place::End, Place::After))))
    }

    fn write(&self, bytes: &mut Vec<u8>, rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
        let unwritten = |error: csv::Error| Fault::internal("a report cannot be written as CSV").caused_by(error);
        let mut writer = WriterBuilder::new()
            .delimiter(if has_decimal_comma(self.lang) { b';' } else { b',' })
            .quote_style(QuoteStyle::Necessary)
            .terminator(Terminator::CRLF)
            .from_writer(bytes);
        for row in rows {
            writer.write_record(row.iter().map(|cell| harmless(cell))).map_err(unwritten)?;
        }
        writer.flush().map_err(|error| Fault::internal("a report cannot be written as CSV").caused_by(error))
    }
}

/// Languages whose spreadsheets part cells by semicolons, since the comma is their decimal sign.
fn has_decimal_comma(lang: Lang) -> bool {
    match lang {
        Lang::Ru | Lang::Uz | Lang::Uk => true,
        Lang::En => false,
    }
}

fn rows(row: &ItemRow, lang: Lang) -> Vec<Vec<String>> {
    let text = |reason: &Reason| reason_text(lang, &reason.code, &reason.params);
    let item = [
        row.body.source.clone(),
        row.body.name.clone(),
        row.body.target.clone().unwrap_or_default(),
        report_title(lang, outcome(row.outcome)),
        row.body.reason.code.clone(),
        text(&row.body.reason),
    ];
    let change = |field: &FieldChange| {
        let old = field.old.as_ref().map(|old| value(old, lang)).unwrap_or_default();
        [field.field.clone(), old, value(&field.new, lang), field.rule.code.clone(), text(&field.rule)]
    };
    let line = |change: [String; 5]| item.iter().cloned().chain(change).collect::<Vec<_>>();
    if row.body.fields.is_empty() {
        vec![line(Default::default())]
    } else {
        row.body.fields.iter().map(|field| line(change(field))).collect()
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::Updated => "updated",
        Outcome::Unchanged => "unchanged",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "failed",
        Outcome::Held => "held",
    }
}

/// A value as a cell: money with the decimal sign of the language, or Excel makes a date of 12.5.
fn value(value: &Value, lang: Lang) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if has_decimal_comma(lang) && is_number(&text) { text.replace('.', ",") } else { text }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || first == '-') && text.parse::<Decimal>().is_ok()
}

/// The cell, unless a spreadsheet would run it. Numbers below zero are no formulas.
fn harmless(cell: &str) -> String {
    let starts = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if starts && !is_number(&cell.replace(',', ".")) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+998901234567", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", "-", "=HYPERLINK(\"http://x\")"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        for fine in ["-3", "-12,5", "Футболка - M", "172000", "", "a=b"] {
            assert_eq!(harmless(fine), fine);
        }
    }

    #[test]
    fn money_has_the_decimal_sign_that_the_readers_excel_expects() {
        assert_eq!((value(&json!("12.5"), Lang::Ru), value(&json!("12.5"), Lang::En)), ("12,5".into(), "12.5".into()));
        assert_eq!((value(&json!(7), Lang::Uz), value(&json!(null), Lang::Uk)), ("7".into(), String::new()));
        assert_eq!(value(&json!("ver. 1.2.3"), Lang::Ru), "ver. 1.2.3");
    }
}
