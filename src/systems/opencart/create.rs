//! New products: hidden and incomplete first, live only by the last statement, and never made twice.
//!
//! 1. `product` rows with status 0 and the caller's reference as `model`;
//! 2. their child rows: texts in every language, store, layout, categories, attributes, the seller's link, specials, addresses;
//! 3. one UPDATE gives the real model and status, and moves the reference into `location` (a free text that only the admin shows).
//!
//! A run that died anywhere repeats the call with `again`: the reference is looked for in `model` (then the rest is completed) and
//! in `location` (then all was done, and only the answer was lost). Once the answers are stored durably,
//! [`Writer::settle`] takes the reference out of `location`.

use std::collections::{HashMap, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};
use rust_decimal::Decimal;

use super::{
    batch::Layout,
    create_rows::Draft,
    options::KeyColumn,
    session::Writer,
    shop::Shop,
    sql::{Sql, Value},
    weight::Weight,
};
use crate::fault::Fault;

/// Products of one round of statements. Too low: round trips rule; too high: readers of a MyISAM table wait longer.
const PRODUCTS: usize = 1_000;

/// A product to be made. Texts are plain and not escaped, unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct NewProduct {
    /// The caller's own mark, unique for ever, such as `tradesync:<change id>`; letters, digits, `:`, `-`, `_`, at most 64.
    pub reference: String,
    /// Model; identifiers are never cut, so one that does not fit gives way to `model_fallback`.
    pub model: String,
    /// Used when `model` is empty or too long: the source's own id.
    pub model_fallback: String,
    /// Further identifiers by column of `product` (sku, barcode). Empty ones, and those that do not fit, are left out and noted.
    pub identifiers: Vec<(KeyColumn, String)>,
    /// Stock.
    pub quantity: i64,
    /// Price without tax in the shop's currency.
    pub price: Decimal,
    /// Special price for every customer group, without dates.
    pub special: Option<Decimal>,
    /// Whether visitors see it at once.
    pub live: bool,
    /// Its categories, the main one first.
    pub category_ids: Vec<i64>,
    /// Name, the same in all languages; also the page's title.
    pub name: String,
    /// Description as HTML that is safe already, the same in all languages.
    pub description: String,
    /// Description for search engines; may be empty.
    pub meta_description: String,
    /// Tags; may be empty.
    pub tag: String,
    /// Manufacturer, 0 without.
    pub manufacturer_id: i64,
    /// Main picture, a path under the shop's `image/`.
    pub image: Option<String>,
    /// Weight; left out where the shop has no class for its unit.
    pub weight: Option<Weight>,
    /// Tax class, 0 = no tax.
    pub tax_class_id: i64,
    /// Stock status for when it is sold out; `None` = the shop's own.
    pub stock_status_id: Option<i64>,
    /// Attributes (attribute id, text), each once.
    pub attributes: Vec<(i64, String)>,
}

/// Something that was left out or shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which field: `name`, `description`, or the column of an identifier.
    pub field: String,
    /// Stable word: `cut`, `characters_left_out`, `does_not_fit`, `replaced_by_source_id`.
    pub what: &'static str,
}

/// What became of one [`NewProduct`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It stands in the shop, complete.
    Done {
        /// Its id.
        product_id: u64,
        /// Its `date_added`: the witness.
        date_added: String,
        /// What a person should know.
        notes: Vec<Note>,
    },
    /// It cannot be made as it is; nothing was written.
    Failed {
        /// Which field.
        field: String,
        /// Why not.
        detail: String,
    },
}

#[derive(QueryableByName)]
struct FoundRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = Text)]
    mark: String,
    #[diesel(sql_type = Text)]
    date_added: String,
    #[diesel(sql_type = BigInt)]
    finished: i64,
}

#[derive(QueryableByName)]
struct BoundRow {
    #[diesel(sql_type = BigInt)]
    bound: i64,
}

const NEW: Layout = Layout {
    name: "tradesync_batch_new",
    columns: &[
        ("product_id", "BIGINT", "SIGNED"),
        ("reference", "VARCHAR(64)", "CHAR(64)"),
        ("model", "VARCHAR(255)", "CHAR(255)"),
        ("status", "TINYINT", "SIGNED"),
    ],
    key: Some("product_id"),
};

impl Writer {
    /// Makes products; one answer each, in the same order. `again` says that an earlier attempt may have got through in part:
    /// what it made is found by the references, completed and not made twice.
    ///
    /// Errors: `TargetUnavailable`, after which any part may have been made: repeat with `again`. `TargetSchema` for a column
    /// that an identifier names and `product` does not have.
    pub async fn create(&mut self, products: &[NewProduct], again: bool) -> Result<Vec<Created>, Fault> {
        let shop = self.shop().await?;
        let mut answers = Vec::with_capacity(products.len());
        for products in products.chunks(PRODUCTS) {
            let mut drafts = self.drafts(products, &shop)?;
            let mut fit: Vec<&mut Draft> = drafts.iter_mut().filter_map(|draft| draft.as_mut().ok()).collect();
            if again {
                self.find_made(&mut fit).await?;
            }
            self.insert_products(&mut fit).await?;
            self.insert_children(&fit, &shop, again).await?;
            self.give_addresses(&fit, &shop).await?;
            crate::fault::failpoint::hit("before-going-live");
            if !self.publish(&fit).await? {
                self.drop_gone(&mut fit).await?;
            }
            answers.extend(drafts.into_iter().map(|draft| match draft {
                Ok(draft) => draft.answer(),
                Err(failed) => failed,
            }));
        }
        Ok(answers)
    }

    /// Which of these references stand in the shop, half made or whole: what an earlier attempt has begun.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn begun(&mut self, references: &[String]) -> Result<HashSet<String>, Fault> {
        let mut begun = HashSet::new();
        for references in references.chunks(PRODUCTS) {
            let sql = self.made(references);
            let found = self.rows::<FoundRow>(sql).await?;
            begun.extend(found.into_iter().map(|row| row.mark).filter(|mark| references.contains(mark)));
        }
        Ok(begun)
    }

    /// Takes the references of this session's new products out of `location`. To be called once the answers of
    /// [`Writer::create`] are stored durably; a reference left behind by a crash is harmless.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn settle(&mut self) -> Result<(), Fault> {
        while !self.unsettled.is_empty() {
            let from = self.unsettled.len().saturating_sub(PRODUCTS);
            let made = self.unsettled.get(from..).unwrap_or_default();
            let mut sql = Sql::new(format!("UPDATE {} SET `location` = '' WHERE `product_id` IN (", self.tables.product));
            sql.bind_list(made.iter().map(|(id, _)| *id))
                .push(") AND `location` IN (")
                .bind_list(made.iter().map(|(_, mark)| mark.as_str()))
                .push(")");
            self.run(sql).await?;
            self.unsettled.truncate(from);
        }
        Ok(())
    }

    /// As [`Writer::settle`], for products (id, reference) whose answers an earlier session stored before it was lost.
    pub async fn settle_earlier(&mut self, made: Vec<(u64, String)>) -> Result<(), Fault> {
        self.unsettled.extend(made);
        self.settle().await.map(drop)
    }

    pub(super) fn drafts(&self, products: &[NewProduct], shop: &Shop) -> Result<Vec<Result<Draft, Created>>, Fault> {
        let mut seen = HashSet::new();
        products
            .iter()
            .map(|product| {
                if !seen.insert(product.reference.as_str()) {
                    return Ok(Err(Created::Failed {
                        field: "reference".into(),
                        detail: format!("{} stands twice in one batch", product.reference),
                    }));
                }
                Draft::new(product, &self.schema, &self.tables, shop)
            })
            .collect()
    }

    /// Looks for what an earlier attempt made: one scan, since `model` has no index.
    pub(super) async fn find_made(&mut self, drafts: &mut [&mut Draft]) -> Result<(), Fault> {
        let references: Vec<String> = drafts.iter().map(|draft| draft.reference.clone()).collect();
        self.assign(self.made(&references), drafts).await
    }

    /// Asks for the products that carry one of these references.
    fn made(&self, references: &[String]) -> Sql {
        let mut sql = Sql::new(format!(
            "SELECT CAST(p.`product_id` AS SIGNED) AS product_id, CAST(p.`model` AS CHAR) AS mark, CAST(p.`date_added` AS CHAR(19)) AS date_added, 0 AS finished FROM {0} p WHERE p.`model` IN (",
            self.tables.product
        ));
        sql.bind_list(references.iter().map(String::as_str));
        sql.push(&format!(
            ") UNION ALL SELECT CAST(p.`product_id` AS SIGNED), CAST(p.`location` AS CHAR), CAST(p.`date_added` AS CHAR(19)), 1 FROM {0} p WHERE p.`location` IN (",
            self.tables.product
        ));
        sql.bind_list(references.iter().map(String::as_str)).push(")");
        sql
    }

    /// The rows of a search by reference, compared by bytes.
    async fn assign(&mut self, sql: Sql, drafts: &mut [&mut Draft]) -> Result<(), Fault> {
        if drafts.is_empty() {
            return Ok(());
        }
        // A person may have copied a product in the admin, model included: the finished one counts, else the first.
        let mut found = self.rows::<FoundRow>(sql).await?;
        found.sort_by_key(|row| (row.finished, std::cmp::Reverse(row.product_id)));
        let rows: HashMap<String, FoundRow> = found.into_iter().map(|row| (row.mark.clone(), row)).collect();
        for draft in drafts {
            if let Some(row) = rows.get(&draft.reference) {
                draft.product_id = u64::try_from(row.product_id).ok();
                draft.date_added.clone_from(&row.date_added);
                draft.finished = row.finished == 1;
            }
        }
        Ok(())
    }

    /// Step 1: hidden rows with the reference as model. Their ids are read back from behind the highest id that was there.
    pub(super) async fn insert_products(&mut self, drafts: &mut [&mut Draft]) -> Result<(), Fault> {
        let mut missing: Vec<&mut Draft> = drafts.iter_mut().filter(|draft| draft.product_id.is_none()).map(|draft| &mut **draft).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let bound = Sql::new(format!("SELECT CAST(IFNULL(MAX(`product_id`), 0) AS SIGNED) AS bound FROM {}", self.tables.product));
        let bound = self.rows::<BoundRow>(bound).await?.into_iter().next().map_or(0, |row| row.bound);
        let now = self.now().await?;
        let (columns, rows) = self.product_rows(&missing, &now)?;
        self.insert("INSERT", &self.tables.product.clone(), &columns, rows).await?;
        crate::fault::failpoint::hit("creating-product");
        let mut sql = Sql::new(format!(
            "SELECT CAST(p.`product_id` AS SIGNED) AS product_id, CAST(p.`model` AS CHAR) AS mark, CAST(p.`date_added` AS CHAR(19)) AS date_added, 0 AS finished FROM {} p WHERE p.`product_id` > ",
            self.tables.product
        ));
        sql.bind(bound).push(" AND p.`status` = 0");
        self.assign(sql, &mut missing).await
    }

    /// Step 3: the real model and status, where all else stands. Whether every row was found.
    pub(super) async fn publish(&mut self, drafts: &[&mut Draft]) -> Result<bool, Fault> {
        self.prepare_batch(&NEW).await?;
        let open: Vec<(u64, &Draft)> =
            drafts.iter().filter(|draft| !draft.finished).filter_map(|draft| Some((draft.product_id?, &**draft))).collect();
        let mut whole = true;
        for drafts in open.chunks(self.batch_rows()) {
            let rows = drafts
                .iter()
                .map(|(id, draft)| {
                    vec![Value::from(*id), draft.reference.as_str().into(), draft.model.as_str().into(), i64::from(draft.live).into()]
                })
                .collect();
            let batch = self.batch(&NEW, &["product_id", "reference", "model", "status"], rows).await?;
            let mut sql = Sql::new("UPDATE ");
            sql.append(&batch).push(&format!(
                " STRAIGHT_JOIN {} p ON p.`product_id` = b.`product_id` SET p.`model` = b.`model`, p.`status` = b.`status`, p.`location` = b.`reference`, \
                 p.`date_modified` = NOW() WHERE CAST(p.`model` AS BINARY) = CAST(b.`reference` AS BINARY)",
                self.tables.product
            ));
            whole &= self.run(sql).await? == drafts.len() as u64;
        }
        let made: Vec<(u64, String)> = drafts.iter().filter_map(|draft| Some((draft.product_id?, draft.reference.clone()))).collect();
        self.unsettled.extend(made);
        Ok(whole)
    }

    /// Somebody deleted a product while it was being made: it does not count as made.
    async fn drop_gone(&mut self, drafts: &mut [&mut Draft]) -> Result<(), Fault> {
        let ids: Vec<u64> = drafts.iter().filter_map(|draft| draft.product_id).collect();
        let standing = self.products(&ids).await?;
        for draft in drafts.iter_mut().filter(|draft| draft.product_id.is_some_and(|id| !standing.contains_key(&id))) {
            draft.product_id = None;
        }
        Ok(())
    }
}
