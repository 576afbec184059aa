//! Products as Kaktus sends them (fact sheet, section 4.1). Names of fields are mostly guesses of the sheet, so every form it thinks
//! possible is taken; what would have to be guessed beyond that is a [`BadRow`].

use serde_json::{Value, value::RawValue};

use crate::remote::{BadRow, lenient::is_none, redact, row};

/// Which numbers of a stock row count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The field with the quantity, such as `stockTotal`.
    pub quantity: String,
    /// A field that is taken off it, such as the reserved part.
    pub minus: Option<String>,
}

/// A product: a group of variants (in the other scheme, of one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
    /// Its variants.
    pub variants: Vec<Variant>,
}

/// What is really sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its id; may be empty.
    pub id: String,
    /// Its own name or article; may be empty.
    pub name: String,
    /// Whether it and its product are in use.
    pub enabled: bool,
    /// Barcodes as texts, trimmed, each once, empty ones left out.
    pub barcodes: Vec<String>,
    /// Its stock; empty = not told, which is not 0.
    pub stock: Vec<StockRow>,
}

/// Stock in one warehouse, or in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockRow {
    /// Name or id of the warehouse; may be empty.
    pub warehouse: String,
    /// The number as it was written; absent = the row has no such field.
    pub quantity: Option<String>,
    /// The number that is taken off it.
    pub minus: Option<String>,
}

/// Reads one row of a list.
pub fn product(raw: &RawValue, fields: &Fields) -> Result<Product, Box<BadRow>> {
    let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let id = text(&value, &["id"]).filter(|id| !is_none(id));
    let name = text(&value, &["shortName", "fullName", "name", "title"]).unwrap_or_default();
    let bad = |field: &str, found: &Value, detail: &str| {
        Box::new(BadRow {
            id: id.clone(),
            name: Some(name.clone()).filter(|name| !name.is_empty()),
            field: field.to_owned(),
            value: redact::words(&found.to_string()).chars().take(80).collect(),
            detail: detail.to_owned(),
            raw_hash: row::hash(raw.get()),
        })
    };
    if id.is_none() {
        return Err(bad("id", value.get("id").unwrap_or(&Value::Null), "expected an id"));
    }
    let Some(Value::Array(rows)) = value.get("variants") else {
        return Err(bad("variants", value.get("variants").unwrap_or(&Value::Null), "expected a list"));
    };
    let enabled = flag(&value);
    let mut variants = Vec::with_capacity(rows.len());
    for (place, variant) in rows.iter().enumerate() {
        if !variant.is_object() {
            return Err(bad(&format!("variants[{place}]"), variant, "expected an object"));
        }
        let Some(barcodes) = barcodes(variant) else {
            let found = variant.get("barcodes").or_else(|| variant.get("barcode")).unwrap_or(&Value::Null);
            return Err(bad(
                &format!("variants[{place}].barcodes"),
                found,
                "expected texts, numbers, or objects with barcode, code or value",
            ));
        };
        let Some(stock) = stock(variant, fields) else {
            let found = variant.get("stock").unwrap_or(&Value::Null);
            return Err(bad(&format!("variants[{place}].stock"), found, "expected a list of objects"));
        };
        variants.push(Variant {
            id: text(variant, &["id"]).unwrap_or_default(),
            name: text(variant, &["shortName", "fullName", "name", "title", "article"]).unwrap_or_default(),
            enabled: enabled && flag(variant),
            barcodes,
            stock,
        });
    }
    Ok(Product { id: id.unwrap_or_default(), name, variants })
}

/// The first of these fields that holds a text or number, trimmed.
fn text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| scalar(value.get(*name)?)).filter(|text| !text.is_empty())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// In use unless it says that it is not.
fn flag(value: &Value) -> bool {
    let said = |name: &str| match value.get(name) {
        Some(Value::Bool(yes)) => Some(*yes),
        Some(Value::Number(number)) => Some(number.to_string() != "0"),
        _ => None,
    };
    said("enabled").or_else(|| said("active")).unwrap_or(true)
}

/// `None` when there is something that cannot be read. Leading zeros stay: numbers keep their own digits.
fn barcodes(variant: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::Object(fields) => match ["barcode", "code", "value"].iter().find_map(|name| fields.get(*name)) {
            Some(Value::Null) => Some(String::new()),
            Some(inner) => scalar(inner),
            None => None,
        },
        Value::Null => Some(String::new()),
        other => scalar(other),
    };
    let mut found = Vec::new();
    for name in ["barcodes", "barcode"] {
        match variant.get(name) {
            Some(Value::Array(list)) => {
                for value in list {
                    found.push(one(value)?);
                }
            }
            Some(value) => found.push(one(value)?),
            None => {}
        }
    }
    let mut kept: Vec<String> = Vec::with_capacity(found.len());
    for barcode in found {
        if !barcode.is_empty() && !kept.contains(&barcode) {
            kept.push(barcode);
        }
    }
    Some(kept)
}

fn stock(variant: &Value, fields: &Fields) -> Option<Vec<StockRow>> {
    let rows = match variant.get("stock") {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(Value::Array(rows)) => rows,
        Some(_) => return None,
    };
    let number = |row: &Value, field: &str| match row.get(field) {
        None | Some(Value::Null) => None,
        Some(value) => Some(scalar(value).unwrap_or_else(|| value.to_string().chars().take(60).collect())),
    };
    let read = |row: &Value| {
        row.is_object().then(|| StockRow {
            warehouse: warehouse(row),
            quantity: number(row, &fields.quantity),
            minus: fields.minus.as_ref().and_then(|field| number(row, field)),
        })
    };
    rows.iter().map(read).collect()
}

fn warehouse(row: &Value) -> String {
    let names = ["warehouse", "warehouseName", "name", "warehouseId"];
    names
        .iter()
        .find_map(|name| match row.get(*name)? {
            inner @ Value::Object(_) => text(inner, &["name", "title", "id"]),
            other => scalar(other),
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &str) -> Result<Product, Box<BadRow>> {
        let raw: Box<RawValue> = serde_json::from_str(row).expect("JSON");
        product(&raw, &Fields { quantity: "stockTotal".into(), minus: Some("stockReserved".into()) })
    }

    #[test]
    fn the_sheets_example_is_read() {
        let mug = read(
            r#"{"id":"1000","shortName":"Кружка","enabled":true,"variants":[{"id":"1000","article":"MUG-1","barcodes":["4600000000017","2000000000015"],"stock":[{"warehouse":"Main","stockTotal":7,"stockReserved":2}]}]}"#,
        )
        .expect("a product");
        let row = StockRow { warehouse: "Main".into(), quantity: Some("7".into()), minus: Some("2".into()) };
        assert_eq!(mug.variants.first().map(|variant| variant.stock.clone()), Some(vec![row]));
        assert_eq!(mug.variants.first().map(|variant| variant.barcodes.len()), Some(2));
        let other = read(r#"{"id":1001,"variants":[{"id":1001,"barcodes":[],"stock":[]}]}"#).expect("a product");
        assert_eq!((other.id.as_str(), other.variants.first().map(|variant| variant.stock.is_empty())), ("1001", Some(true)));
    }

    #[test]
    fn barcodes_come_in_many_forms_and_keep_their_zeros() {
        let of = |barcodes: &str| {
            read(&format!(r#"{{"id":1,"variants":[{{"id":2,{barcodes}}}]}}"#)).map(|found| found.variants[0].barcodes.clone())
        };
        for (form, expected) in [
            (r#""barcodes":["0046 "," 0046"]"#, vec!["0046"]),
            (r#""barcodes":[4600000000017]"#, vec!["4600000000017"]),
            (r#""barcodes":[{"barcode":"1"},{"code":2},{"value":"3"}]"#, vec!["1", "2", "3"]),
            (r#""barcodes":"77""#, vec!["77"]),
            (r#""barcode":"77","barcodes":["78"]"#, vec!["78", "77"]),
            (r#""barcodes":null,"barcode":"""#, vec![]),
            (r#""article":"x""#, vec![]),
        ] {
            assert_eq!(of(form).expect(form), expected, "{form}");
        }
        assert_eq!(of(r#""barcodes":[{"ean":"1"}]"#).expect_err("unknown").field, "variants[0].barcodes");
    }

    #[test]
    fn what_cannot_be_read_is_named_and_never_taken_for_nothing() {
        for (row, field) in [
            (r#"{"id":"","variants":[]}"#, "id"),
            (r#"{"id":"5"}"#, "variants"),
            (r#"{"id":"5","variants":{}}"#, "variants"),
            (r#"{"id":"5","variants":[7]}"#, "variants[0]"),
            (r#"{"id":"5","variants":[{"stock":7}]}"#, "variants[0].stock"),
            ("[]", "id"),
        ] {
            assert_eq!(read(row).expect_err(row).field, field, "{row}");
        }
        let odd = read(r#"{"id":"5","variants":[{"stock":[{"stockTotal":"viele"},{"stockTotal":null},{}]}]}"#).expect("readable");
        let quantities: Vec<Option<String>> = odd.variants[0].stock.iter().map(|row| row.quantity.clone()).collect();
        assert_eq!(quantities, [Some("viele".to_owned()), None, None], "nonsense is kept for the report");
    }

    #[test]
    fn a_variant_is_out_of_use_with_its_product() {
        let of = |product: &str, variant: &str| {
            read(&format!(r#"{{"id":1,{product}"variants":[{{"id":2{variant}}}]}}"#))
                .map(|found| found.variants[0].enabled)
                .expect("readable")
        };
        assert!(of("", "") && of(r#""enabled":true,"#, ""));
        assert!(!of(r#""enabled":false,"#, "") && !of("", r#","active":0"#));
    }
}
