//! The rows of new products: checked values, columns filled by presence, multi-row inserts.

use std::collections::{BTreeMap, HashSet};

use diesel::{QueryableByName, sql_types::BigInt};
use rust_decimal::Decimal;

use super::{
    create::{Created, NewProduct, Note},
    keyword,
    schema::{Schema, Tables},
    seller::Seller,
    session::Writer,
    shop::Shop,
    special::{NO_DATE, PRIORITY},
    sql::{Sql, Value},
    text::{self, Fitted},
};
use crate::{
    db::Ident,
    fault::{Code, Fault},
};

/// Most bound values in one statement; the protocol's limit is 65,535.
const VALUES_A_STATEMENT: usize = 30_000;

/// A product whose values fit this shop, with what is known of its row.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) reference: String,
    pub(super) model: String,
    pub(super) live: bool,
    pub(super) product_id: Option<u64>,
    pub(super) date_added: String,
    /// An earlier attempt came to the end.
    pub(super) finished: bool,
    /// Columns of `product` by lower-case name.
    product: BTreeMap<String, Value>,
    /// Columns of `product_description` by name, without ids.
    texts: BTreeMap<&'static str, Value>,
    category_ids: Vec<i64>,
    special: Option<Decimal>,
    /// (attribute, text as stored)
    attributes: Vec<(i64, String)>,
    /// Words for its address, the best first.
    pub(super) addresses: Vec<String>,
    notes: Vec<Note>,
}

impl Draft {
    /// Checks and escapes everything; the inner error is the answer for a product that cannot be made.
    pub(super) fn new(product: &NewProduct, schema: &Schema, tables: &Tables, shop: &Shop) -> Result<Result<Self, Created>, Fault> {
        let failed = |field: &str, detail: &str| Ok(Err(Created::Failed { field: field.to_owned(), detail: detail.to_owned() }));
        let table = &tables.product;
        let column = |name: &str| schema.column(table, name);
        let mut notes = Vec::new();
        let mut note = |field: &str, what: &'static str| notes.push(Note { field: field.to_owned(), what });

        let plain = |text: &str| {
            !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_".contains(&byte))
        };
        if !plain(&product.reference) || column("location")?.max_chars().is_none_or(|most| most < product.reference.len()) {
            return failed("reference", "a reference is 1 to 64 letters, digits, `:`, `-` or `_`");
        }
        let fitting = |text: &str| Ok::<_, Fault>(text::fit_whole(text, column("model")?).filter(|text| !text.is_empty()));
        let model = match fitting(&product.model)? {
            Some(model) => model,
            None => match fitting(&product.model_fallback)? {
                Some(model) => {
                    note("model", "replaced_by_source_id");
                    model
                }
                None => return failed("model", "neither the model nor the source's id fits the shop's column"),
            },
        };
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        for (name, value) in product.identifiers.iter().filter(|(_, value)| !value.is_empty()) {
            let lower = name.name().to_ascii_lowercase();
            if ["product_id", "model", "status", "location", "price", "quantity", "date_added", "date_modified"].contains(&lower.as_str()) {
                return Err(Fault::new(Code::ConfigInvalid, format!("the column {name} cannot hold an identifier")));
            }
            match text::fit_whole(value, column(name.name())?) {
                Some(text) => {
                    values.insert(lower, text.into());
                }
                None => note(name.name(), "does_not_fit"),
            }
        }
        if !column("quantity")?.holds_integer(product.quantity) {
            return failed("quantity", "the number does not fit the shop's column");
        }
        if product.price.is_sign_negative() || !column("price")?.holds_decimal(product.price) {
            return failed("price", "the amount does not fit the shop's column");
        }
        if let Some(special) = product.special
            && !schema.column(&tables.special, "price")?.holds_decimal(special)
        {
            return failed("special", "the amount does not fit the shop's column");
        }

        let described = |name: &str| schema.column(&tables.description, name);
        let mut texts: BTreeMap<&'static str, Value> = BTreeMap::new();
        let mut keep = |name: &'static str, fitted: Fitted| {
            if name == "name" || name == "description" {
                if fitted.cut {
                    note(name, "cut");
                }
                if fitted.stripped {
                    note(name, "characters_left_out");
                }
            }
            texts.insert(name, fitted.text.into());
        };
        let name = text::fit(&product.name, described("name")?);
        if name.text.trim().is_empty() {
            return failed("name", "a product needs a name that the shop can store");
        }
        keep("name", name);
        keep("description", text::fit_html(&product.description, described("description")?));
        for (column, source) in [("meta_title", &product.name), ("meta_description", &product.meta_description), ("tag", &product.tag)] {
            if let Some(found) = schema.find(&tables.description, column) {
                keep(column, text::fit(source, found));
            }
        }

        values.extend([
            ("model".to_owned(), product.reference.as_str().into()),
            ("status".to_owned(), Value::Int(0)),
            ("quantity".to_owned(), product.quantity.into()),
            ("price".to_owned(), product.price.into()),
            ("stock_status_id".to_owned(), product.stock_status_id.unwrap_or(shop.stock_status_id).into()),
            ("weight_class_id".to_owned(), shop.weight_class_id.into()),
            ("length_class_id".to_owned(), shop.length_class_id.into()),
            ("manufacturer_id".to_owned(), product.manufacturer_id.into()),
            ("tax_class_id".to_owned(), product.tax_class_id.into()),
        ]);
        if let Some(image) = &product.image {
            match text::fit_whole(image, column("image")?) {
                Some(image) => {
                    values.insert("image".to_owned(), image.into());
                }
                None => note("image", "does_not_fit"),
            }
        }
        if let Some(weight) = product.weight {
            match weight.in_classes(&shop.weight_classes) {
                Some((amount, class)) if column("weight")?.holds_decimal(amount) => {
                    values.insert("weight".to_owned(), amount.into());
                    values.insert("weight_class_id".to_owned(), class.into());
                }
                Some(_) => note("weight", "does_not_fit"),
                None => note("weight", "no_class"),
            }
        }
        let column = schema.column(&tables.product_attribute, "text")?;
        let attributes = product
            .attributes
            .iter()
            .map(|(attribute, text)| (*attribute, text::fit(text, column).text))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        let number = product.reference.rsplit(':').next().unwrap_or_default();
        let article = product.identifiers.iter().find(|(column, _)| column.name() == "sku").map_or("", |(_, sku)| sku.as_str());
        let mut categories = HashSet::new();
        Ok(Ok(Self {
            reference: product.reference.clone(),
            model,
            live: product.live,
            product_id: None,
            date_added: String::new(),
            finished: false,
            product: values,
            texts,
            category_ids: product.category_ids.iter().copied().filter(|id| categories.insert(*id)).collect(),
            special: product.special,
            attributes,
            addresses: keyword::candidates(&product.name, article, number),
            notes,
        }))
    }

    pub(super) fn answer(self) -> Created {
        match self.product_id {
            Some(product_id) => Created::Done { product_id, date_added: self.date_added, notes: self.notes },
            None => Created::Failed { field: "product".into(), detail: "the new product was gone before it was complete".into() },
        }
    }
}

#[derive(QueryableByName)]
struct PairRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    other: i64,
}

/// Columns and rows of one INSERT: what is known, and neutral values for what else the table demands.
type Rows = (Vec<Ident>, Vec<Vec<Value>>);

/// Lays rows out by the table's columns. A known column that the table does not have is left out.
fn lay_out(schema: &Schema, table: &Ident, known: &[BTreeMap<&str, Value>], moment: Option<&str>) -> Result<Rows, Fault> {
    let mut columns = Vec::new();
    let mut taken: Vec<(String, Value)> = Vec::new();
    for column in schema.columns(table)? {
        let lower = column.name.to_ascii_lowercase();
        let given = known.iter().any(|row| row.contains_key(lower.as_str()));
        if given || column.required() {
            columns.push(Ident::new(column.name.as_str())?);
            taken.push((lower, column.neutral(moment)));
        }
    }
    let rows = known
        .iter()
        .map(|row| taken.iter().map(|(name, neutral)| row.get(name.as_str()).cloned().unwrap_or_else(|| neutral.clone())).collect())
        .collect();
    Ok((columns, rows))
}

impl Writer {
    /// Rows of `product`, hidden and under their references.
    pub(super) fn product_rows(&self, drafts: &[&mut Draft], now: &str) -> Result<Rows, Fault> {
        let today = now.get(..10).unwrap_or(now);
        let known: Vec<BTreeMap<&str, Value>> = drafts
            .iter()
            .map(|draft| {
                let mut row: BTreeMap<&str, Value> = draft.product.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
                row.extend([("date_added", Value::from(now)), ("date_modified", Value::from(now)), ("date_available", Value::from(today))]);
                row
            })
            .collect();
        let (mut columns, mut rows) = lay_out(&self.schema, &self.tables.product, &known, None)?;
        if let (Seller::Column { column, .. }, Some(value)) = (&self.seller, self.seller.value()) {
            match columns.iter().position(|known| known.name().eq_ignore_ascii_case(column.name())) {
                Some(at) => rows.iter_mut().filter_map(|row| row.get_mut(at)).for_each(|cell| *cell = value.clone()),
                None => {
                    columns.push(column.clone());
                    rows.iter_mut().for_each(|row| row.push(value.clone()));
                }
            }
        }
        Ok((columns, rows))
    }

    /// Step 2: everything that hangs on the products. Rows with a key are put in place whether they stand already or not; for
    /// tables without one it is asked first, if `again`.
    pub(super) async fn insert_children(&mut self, drafts: &[&mut Draft], shop: &Shop, again: bool) -> Result<(), Fault> {
        let drafts: Vec<(i64, &Draft)> = drafts
            .iter()
            .filter(|draft| !draft.finished)
            .filter_map(|draft| Some((i64::try_from(draft.product_id?).ok()?, &**draft)))
            .collect();
        if drafts.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = drafts.iter().map(|(id, _)| *id).collect();
        let store = Value::from(i64::from(self.options.store_id));
        let tables = self.tables.clone();

        let mut texts = Vec::with_capacity(drafts.len() * shop.languages.len());
        for (id, draft) in &drafts {
            for language in &shop.languages {
                let mut row: BTreeMap<&str, Value> = draft.texts.iter().map(|(name, value)| (*name, value.clone())).collect();
                row.extend([("product_id", Value::Int(*id)), ("language_id", Value::Int(language.id))]);
                texts.push(row);
            }
        }
        // REPLACE, since a text left over from a deleted product with this id would otherwise stand; the product is new and hidden.
        self.put("REPLACE", &tables.description, &texts, None).await?;
        crate::fault::failpoint::hit("product-without-children");
        let stores: Vec<_> = ids.iter().map(|id| BTreeMap::from([("product_id", Value::Int(*id)), ("store_id", store.clone())])).collect();
        self.put("INSERT IGNORE", &tables.to_store, &stores, None).await?;
        let layouts: Vec<_> = ids
            .iter()
            .map(|id| BTreeMap::from([("product_id", Value::Int(*id)), ("store_id", store.clone()), ("layout_id", Value::Int(0))]))
            .collect();
        self.put("REPLACE", &tables.to_layout, &layouts, None).await?;
        let mut categories = Vec::new();
        for (id, draft) in &drafts {
            for (place, category) in draft.category_ids.iter().enumerate() {
                // ocStore builds addresses and feeds from the main category.
                let main = Value::Int(i64::from(place == 0));
                categories.push(BTreeMap::from([
                    ("product_id", Value::Int(*id)),
                    ("category_id", Value::Int(*category)),
                    ("main_category", main),
                ]));
            }
        }
        self.put("INSERT IGNORE", &tables.to_category, &categories, None).await?;
        let attributes: Vec<(i64, &[(i64, String)])> = drafts.iter().map(|(id, draft)| (*id, draft.attributes.as_slice())).collect();
        self.put_attributes(&attributes, shop).await?;
        if shop.google_products {
            self.put("INSERT IGNORE", &tables.google_product, &stores, None).await?;
        }
        self.link_seller(&drafts, &ids, again).await?;
        self.insert_specials(&drafts, &ids, shop, again).await
    }

    async fn link_seller(&mut self, drafts: &[(i64, &Draft)], ids: &[i64], again: bool) -> Result<(), Fault> {
        let Seller::Link { table, product, seller, holder, extra, .. } = self.seller.clone() else { return Ok(()) };
        let mut standing = HashSet::new();
        if again {
            let mut sql =
                Sql::new(format!("SELECT CAST(l.{product} AS SIGNED) AS product_id, 0 AS other FROM {table} l WHERE l.{product} IN ("));
            sql.bind_list(ids.iter().copied()).push(") AND ");
            holder.compare(&mut sql, &format!("l.{seller}"));
            standing = self.rows::<PairRow>(sql).await?.into_iter().map(|row| row.product_id).collect();
        }
        let (product, seller) = (product.name().to_ascii_lowercase(), seller.name().to_ascii_lowercase());
        let extra: Vec<(String, Value)> = extra.into_iter().map(|(column, value)| (column.name().to_ascii_lowercase(), value)).collect();
        let value = self.seller.value().cloned().unwrap_or(Value::Null);
        let moment = drafts.first().map(|(_, draft)| draft.date_added.clone());
        let rows: Vec<BTreeMap<&str, Value>> = ids
            .iter()
            .filter(|id| !standing.contains(*id))
            .map(|id| {
                let mut row: BTreeMap<&str, Value> = extra.iter().map(|(column, value)| (column.as_str(), value.clone())).collect();
                row.extend([(product.as_str(), Value::Int(*id)), (seller.as_str(), value.clone())]);
                row
            })
            .collect();
        self.put("INSERT", &table, &rows, moment.as_deref()).await
    }

    async fn insert_specials(&mut self, drafts: &[(i64, &Draft)], ids: &[i64], shop: &Shop, again: bool) -> Result<(), Fault> {
        let special = self.tables.special.clone();
        let mut standing = HashSet::new();
        if again && drafts.iter().any(|(_, draft)| draft.special.is_some()) {
            let mut sql = Sql::new(format!(
                "SELECT CAST(s.`product_id` AS SIGNED) AS product_id, CAST(s.`customer_group_id` AS SIGNED) AS other FROM {special} s WHERE s.`product_id` IN ("
            ));
            sql.bind_list(ids.iter().copied()).push(")");
            standing = self.rows::<PairRow>(sql).await?.into_iter().map(|row| (row.product_id, row.other)).collect();
        }
        let mut rows = Vec::new();
        for (id, draft) in drafts {
            let Some(price) = draft.special else { continue };
            for group in shop.customer_groups.iter().filter(|group| !standing.contains(&(*id, **group))) {
                rows.push(BTreeMap::from([
                    ("product_id", Value::Int(*id)),
                    ("customer_group_id", Value::Int(*group)),
                    ("priority", Value::Int(PRIORITY)),
                    ("price", price.into()),
                    ("date_start", NO_DATE.into()),
                    ("date_end", NO_DATE.into()),
                ]));
            }
        }
        self.put("INSERT", &special, &rows, None).await
    }

    /// Rows of a table by what is known of them; columns that it demands besides get neutral values.
    pub(super) async fn put(
        &mut self,
        verb: &str,
        table: &Ident,
        known: &[BTreeMap<&str, Value>],
        moment: Option<&str>,
    ) -> Result<(), Fault> {
        let (columns, rows) = lay_out(&self.schema, table, known, moment)?;
        self.insert(verb, table, &columns, rows).await
    }

    /// Multi-row inserts, cut by the number of values and by the size of a packet.
    pub(super) async fn insert(&mut self, verb: &str, table: &Ident, columns: &[Ident], rows: Vec<Vec<Value>>) -> Result<(), Fault> {
        let names: Vec<String> = columns.iter().map(Ident::to_string).collect();
        let head = format!("{verb} INTO {table} ({}) VALUES ", names.join(", "));
        let (values_limit, bytes_limit) = (VALUES_A_STATEMENT, self.packet());
        let (mut sql, mut values, mut bytes) = (Sql::new(head.as_str()), 0, 0);
        for row in rows {
            let size: usize = row.iter().map(|value| if let Value::Text(text) = value { text.len() } else { 8 }).sum();
            if values > 0 && (values + row.len() > values_limit || bytes + size > bytes_limit) {
                self.run(std::mem::replace(&mut sql, Sql::new(head.as_str()))).await?;
                (values, bytes) = (0, 0);
            }
            sql.push(if values == 0 { "(" } else { ", (" });
            (values, bytes) = (values + row.len(), bytes + size);
            sql.bind_list(row).push(")");
        }
        if values > 0 {
            self.run(sql).await?;
        }
        Ok(())
    }
}
