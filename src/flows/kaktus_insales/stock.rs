//! How many pieces the shop may sell: one variant's stock over the warehouses that count, whole pieces only, less the buffer, up to the cap.

use rust_decimal::Decimal;

use super::{record::Holder, settings::Settings};
use crate::{domain::number, engine::model::Reason};

/// More pieces than anybody has; keeps nonsense inside what InSales can hold.
const LARGEST: i64 = i32::MAX as i64;

/// Why there is no quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Kaktus does not tell: the variant is left alone, which is not 0.
    NotTold(Reason),
    /// Kaktus tells something that is no number.
    Unreadable(Reason),
}

/// The quantity of a variant with the rule that made it.
///
/// A stock row without the field, no rows at all, and rows of other warehouses only are not 0: nobody knows whether Kaktus lists empty warehouses
/// (facts/kaktus.md section 6.4).
pub fn quantity(holder: &Holder, settings: &Settings) -> Result<(i64, Reason), Unknown> {
    let field = &settings.kaktus.quantity_field;
    let told: Vec<_> = holder.stock.iter().filter(|row| row.quantity.is_some()).collect();
    if told.is_empty() {
        return Err(Unknown::NotTold(Reason::new("kaktus_without_stock").with("field", field)));
    }
    let counts = |warehouse: &str| {
        settings
            .kaktus
            .warehouses
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name.trim().to_lowercase() == warehouse.to_lowercase()))
    };
    let counting: Vec<_> = told.iter().filter(|row| counts(&row.warehouse)).collect();
    if counting.is_empty() {
        let there = told.iter().map(|row| row.warehouse.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Unknown::NotTold(Reason::new("kaktus_other_warehouses").with("warehouses", there)));
    }
    let mut sum = Decimal::ZERO;
    for row in &counting {
        let read = |text: &Option<String>| match text {
            None => Ok(Decimal::ZERO),
            Some(text) => number::parse_decimal(text).ok_or_else(|| {
                Unknown::Unreadable(Reason::new("kaktus_stock_unreadable").with("value", text).with("warehouse", &row.warehouse))
            }),
        };
        sum = sum.saturating_add(read(&row.quantity)?).saturating_sub(read(&row.minus)?);
    }
    let whole = i64::try_from(sum.floor()).unwrap_or(if sum.is_sign_negative() { 0 } else { LARGEST }).clamp(0, LARGEST);
    let kept = (whole - i64::from(settings.stock_buffer)).max(0);
    let quantity = settings.stock_cap.map_or(kept, |cap| kept.min(i64::from(cap)));
    let names = counting.iter().map(|row| row.warehouse.as_str()).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
    // Limits that did not decide are not told.
    let rule = Reason::new(if quantity == whole { "kaktus_stock" } else { "kaktus_stock_limited" })
        .with("value", number::plain(sum))
        .with("warehouses", if names.is_empty() { "–".to_owned() } else { names });
    if quantity == whole {
        return Ok((quantity, rule));
    }
    let cap = settings.stock_cap.map_or("∞".to_owned(), |cap| cap.to_string());
    Ok((quantity, rule.with("buffer", settings.stock_buffer).with("cap", cap)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::flows::kaktus_insales::{record::Stock, settings::tests::given};

    fn holder(rows: &[(&str, Option<&str>, Option<&str>)]) -> Holder {
        let stock = rows.iter().map(|(warehouse, quantity, minus)| Stock {
            warehouse: (*warehouse).to_owned(),
            quantity: quantity.map(str::to_owned),
            minus: minus.map(str::to_owned),
        });
        Holder { stock: stock.collect(), ..Holder::default() }
    }

    fn of(rows: &[(&str, Option<&str>, Option<&str>)], over: Value) -> Result<i64, String> {
        let settings = Settings::read(&given(over)).expect("settings");
        quantity(&holder(rows), &settings).map(|(quantity, _)| quantity).map_err(|unknown| match unknown {
            Unknown::NotTold(reason) | Unknown::Unreadable(reason) => reason.code,
        })
    }

    #[test]
    fn warehouses_are_summed_all_or_those_named() {
        let rows = [("Main", Some("7"), Some("2")), ("Reserve", Some("3"), None)];
        assert_eq!(of(&rows, json!({})), Ok(8), "what the minus field holds is only there when it is asked for");
        assert_eq!(of(&rows, json!({"kaktus": {"warehouses": ["main "]}})), Ok(5));
        assert_eq!(of(&rows, json!({"kaktus": {"warehouses": ["Elsewhere"]}})), Err("kaktus_other_warehouses".into()), "which is not 0");
    }

    #[test]
    fn what_is_not_told_is_not_zero() {
        assert_eq!(of(&[], json!({})), Err("kaktus_without_stock".into()));
        assert_eq!(of(&[("Main", None, None)], json!({})), Err("kaktus_without_stock".into()));
        assert_eq!(of(&[("Main", Some("viele"), None)], json!({})), Err("kaktus_stock_unreadable".into()));
        assert_eq!(of(&[("Main", Some("0"), None)], json!({})), Ok(0), "a told 0 is one");
    }

    #[test]
    fn pieces_are_whole_never_negative_less_the_buffer_and_up_to_the_cap() {
        for (text, over, expected) in [
            ("2.9", json!({}), 2),
            ("-4", json!({}), 0),
            ("99999999999999999999", json!({}), i64::from(i32::MAX)),
            ("5", json!({"stock_buffer": 2}), 3),
            ("1", json!({"stock_buffer": 2}), 0),
            ("50", json!({"stock_cap": 10}), 10),
            ("12", json!({"stock_buffer": 5, "stock_cap": 10}), 7),
        ] {
            assert_eq!(of(&[("", Some(text), None)], over), Ok(expected), "{text}");
        }
        assert_eq!(of(&[("", Some("1"), Some("3"))], json!({})), Ok(0), "more reserved than there is");
    }
}
