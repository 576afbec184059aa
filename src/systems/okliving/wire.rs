//! The list of orders in every shape of the sheet (section 4.1). What an order holds is the mapping's business.

use serde_json::{Map, Value};

/// Where the list may stand, most particular first.
const PLACES: &[&str] = &["/orders", "/data/orders", "/result/orders", "/data", "/result"];
/// Names by which one order alone is told from an envelope.
const OF_AN_ORDER: &[&str] = &["id", "order_id", "entity_id"];

/// One order as the shop tells it.
pub type RawOrder = Value;

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrdersPage {
    /// Orders in the shop's order.
    pub orders: Vec<RawOrder>,
    /// Where to go on, in cursor mode.
    pub next_cursor: Option<String>,
}

/// The orders of an answer. Null and a missing list are no "no orders": who cannot read the shape must not move a cursor.
pub fn orders(body: &[u8]) -> Result<OrdersPage, String> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "the answer is no JSON".to_owned())?;
    let next_cursor = ["/next_cursor", "/cursor/next", "/data/next_cursor"]
        .iter()
        .find_map(|place| value.pointer(place).and_then(Value::as_str))
        .filter(|cursor| !cursor.is_empty())
        .map(str::to_owned);
    Ok(OrdersPage { orders: list(value)?, next_cursor })
}

fn list(value: Value) -> Result<Vec<RawOrder>, String> {
    if value.is_array() {
        return read(value);
    }
    for place in PLACES {
        match value.pointer(place) {
            Some(Value::Null) => return Err(format!("`{place}` is null, which does not say that there are no orders")),
            Some(found @ (Value::Array(_) | Value::Object(_))) => {
                // An envelope inside an envelope: the list stands deeper.
                if PLACES.iter().any(|deeper| deeper.len() > place.len() && deeper.starts_with(place) && value.pointer(deeper).is_some()) {
                    continue;
                }
                return read(found.clone());
            }
            Some(_) => return Err(format!("`{place}` is neither a list nor an object")),
            None => {}
        }
    }
    match value {
        Value::Object(members) if members.is_empty() => Ok(Vec::new()),
        Value::Object(members) if is_order(&members) || is_keyed(&members) => read(Value::Object(members)),
        Value::Null => Err("the answer is null, which does not say that there are no orders".to_owned()),
        _ => Err(format!("the answer has no list of orders; it was looked for at {} and at the root", PLACES.join(", "))),
    }
}

/// A list, an object keyed by id, or one order alone.
fn read(found: Value) -> Result<Vec<RawOrder>, String> {
    match found {
        Value::Array(orders) if orders.iter().all(Value::is_object) => Ok(orders),
        Value::Array(_) => Err("the list of orders holds something that is no order".to_owned()),
        Value::Object(members) if members.is_empty() => Ok(Vec::new()),
        Value::Object(members) if is_order(&members) => Ok(vec![Value::Object(members)]),
        Value::Object(members) if is_keyed(&members) => Ok(members.into_iter().map(|(key, order)| with_id(key, order)).collect()),
        _ => Err("what stands in place of the orders is neither a list nor an order".to_owned()),
    }
}

fn is_order(members: &Map<String, Value>) -> bool {
    OF_AN_ORDER.iter().any(|name| members.get(*name).is_some_and(|id| id.is_string() || id.is_number()))
}

fn is_keyed(members: &Map<String, Value>) -> bool {
    !members.is_empty()
        && members.values().all(|value| value.as_object().is_some_and(|order| !order.is_empty()))
        && !members.contains_key("errors")
}

/// An order that has its id only as its key.
fn with_id(key: String, mut order: Value) -> RawOrder {
    if let Value::Object(members) = &mut order
        && !is_order(members)
    {
        members.insert("id".to_owned(), Value::String(key));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Result<Vec<String>, String> {
        let id = |order: &Value| order["id"].as_str().map_or_else(|| order["id"].to_string(), str::to_owned);
        orders(body.as_bytes()).map(|page| page.orders.iter().map(id).collect())
    }

    #[test]
    fn the_list_is_found_wherever_the_sheet_says() {
        for body in [
            r#"{"orders":[{"id":"007"}],"total":1}"#,
            r#"{"data":{"orders":[{"id":"007"}]}}"#,
            r#"{"result":{"orders":[{"id":"007"}]}}"#,
            r#"{"data":[{"id":"007"}]}"#,
            r#"{"result":[{"id":"007"}]}"#,
            r#"[{"id":"007"}]"#,
            r#"{"orders":{"007":{"id":"007"}}}"#,
            r#"{"orders":{"007":{"number":"9"}}}"#,
            r#"{"data":{"007":{"id":"007"}}}"#,
            r#"{"id":"007","products":[]}"#,
            r#"{"orders":{"id":"007","customer":{}}}"#,
        ] {
            assert_eq!(ids(body), Ok(vec!["007".to_owned()]), "{body}");
        }
    }

    #[test]
    fn an_empty_list_is_no_orders_and_null_or_nothing_is_an_alarm() {
        for body in ["[]", "{}", r#"{"orders":[]}"#, r#"{"orders":{}}"#, r#"{"data":{"orders":[]}}"#] {
            assert_eq!(ids(body), Ok(Vec::new()), "{body}");
        }
        for body in
            ["null", r#"{"orders":null}"#, r#"{"data":null}"#, r#"{"total":0}"#, r#"{"orders":"none"}"#, r#"{"orders":[1]}"#, "<html>", "7"]
        {
            assert!(ids(body).is_err(), "{body}");
        }
    }

    #[test]
    fn ids_keep_their_zeros_and_numbers_their_digits() {
        assert_eq!(
            ids(r#"[{"id":"000123"},{"id":"0123456789abcdef0123456789abcdef"},{"id":100000000000000000001}]"#).unwrap_or_default(),
            ["000123", "0123456789abcdef0123456789abcdef", "100000000000000000001"]
        );
    }

    #[test]
    fn the_next_cursor_is_told() {
        let page = orders(br#"{"orders":[],"next_cursor":"n"}"#).unwrap_or_default();
        assert_eq!(page.next_cursor.as_deref(), Some("n"));
        assert_eq!(orders(br#"{"orders":[],"next_cursor":""}"#).unwrap_or_default().next_cursor, None);
    }
}
