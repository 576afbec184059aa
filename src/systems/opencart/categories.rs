//! Categories: the shop's own tree with its names, and which categories products stand in.
//!
//! Names are read along `parent_id`, as the shop's menu does, and not along `category_path`, which is missing where a category was made
//! by something else than the admin. ocStore marks one category of a product as its main one (`main_category`).

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    batch::Layout,
    observe::Product,
    session::{Reader, Writer},
    sql::{Sql, Value},
    text::unescape,
};
use crate::fault::Fault;

/// Most ids in one query; a prepared statement takes at most 65,535 values.
const IDS_A_QUERY: usize = 10_000;
/// No tree is deeper; one that goes on is going round.
const DEEPEST: usize = 32;

/// A category of the shop, shown or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopCategory {
    /// `category_id`.
    pub id: i64,
    /// Names from the root down, in the language of the shop's administration.
    pub path: Vec<String>,
}

/// Which categories a product is to be put into and taken out of; all others are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    /// Which product; at most once a call.
    pub product_id: u64,
    /// Its `date_added` as observed: the witness.
    pub date_added: String,
    /// Put into these, the most fitting first: where a product has no main category, that becomes it.
    pub add: Vec<i64>,
    /// Taken out of these.
    pub remove: Vec<i64>,
}

#[derive(QueryableByName)]
struct CategoryRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    parent: i64,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

#[derive(QueryableByName)]
struct PairRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    category_id: i64,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

const FILINGS: Layout = Layout {
    name: "tradesync_batch_category",
    columns: &[("product_id", "BIGINT", "SIGNED"), ("date_added", "DATETIME", "DATETIME"), ("category_id", "BIGINT", "SIGNED")],
    key: None,
};

impl Reader {
    /// Every category with its names, by path.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn categories(&mut self) -> Result<Vec<ShopCategory>, Fault> {
        let code = match self.setting("config_admin_language").await? {
            Some(code) => Some(code),
            None => self.setting("config_language").await?,
        };
        // The administration's language, else any that has the name.
        let mut sql = Sql::new(format!(
            "SELECT CAST(c.`category_id` AS SIGNED) AS id, CAST(c.`parent_id` AS SIGNED) AS parent, COALESCE(\
             (SELECT d.`name` FROM {description} d JOIN {language} l ON l.`language_id` = d.`language_id` WHERE d.`category_id` = c.`category_id` AND l.`code` = ",
            description = self.tables.category_description,
            language = self.tables.language,
        ));
        sql.bind(code.unwrap_or_default()).push(&format!(
            " LIMIT 1), (SELECT d.`name` FROM {description} d WHERE d.`category_id` = c.`category_id` AND d.`name` <> '' ORDER BY d.`language_id` LIMIT 1)) AS name \
             FROM {category} c",
            description = self.tables.category_description,
            category = self.tables.category,
        ));
        let rows: HashMap<i64, CategoryRow> = self.rows::<CategoryRow>(sql).await?.into_iter().map(|row| (row.id, row)).collect();
        let mut categories: Vec<ShopCategory> = rows.keys().map(|id| ShopCategory { id: *id, path: path(&rows, *id) }).collect();
        categories.sort_by(|one, other| (&one.path, one.id).cmp(&(&other.path, other.id)));
        Ok(categories)
    }

    /// Ids of every category.
    pub async fn category_ids(&mut self) -> Result<BTreeSet<i64>, Fault> {
        let sql = Sql::new(format!("SELECT CAST(`category_id` AS SIGNED) AS id FROM {}", self.tables.category));
        Ok(self.rows::<IdRow>(sql).await?.into_iter().map(|row| row.id).collect())
    }

    /// Which categories these products stand in. Products without any are absent from the answer.
    pub async fn filed(&mut self, ids: &[u64]) -> Result<HashMap<u64, BTreeSet<i64>>, Fault> {
        let mut filed: HashMap<u64, BTreeSet<i64>> = HashMap::new();
        for ids in ids.chunks(IDS_A_QUERY) {
            let mut sql = Sql::new(format!(
                "SELECT CAST(c.`product_id` AS SIGNED) AS product_id, CAST(c.`category_id` AS SIGNED) AS category_id FROM {} c WHERE c.`product_id` IN (",
                self.tables.to_category
            ));
            sql.bind_list(ids.iter().copied()).push(")");
            for row in self.rows::<PairRow>(sql).await? {
                filed.entry(u64::try_from(row.product_id).unwrap_or_default()).or_default().insert(row.category_id);
            }
        }
        Ok(filed)
    }
}

fn path(rows: &HashMap<i64, CategoryRow>, id: i64) -> Vec<String> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(id);
    while let Some(row) = next.and_then(|id| rows.get(&id))
        && names.len() < DEEPEST
        && seen.insert(row.id)
    {
        names.push(unescape(row.name.as_deref().unwrap_or_default()).trim().to_owned());
        next = Some(row.parent);
    }
    names.reverse();
    names
}

impl Writer {
    /// Puts products into categories and takes them out; answers how the products stand now, those that are gone left out. Only products
    /// that are still themselves (`date_added`) and the owner's are touched. Safe to repeat.
    ///
    /// Errors: `TargetUnavailable`, after which any part may have been written: repeat the same call.
    pub async fn file(&mut self, filings: &[Filing]) -> Result<HashMap<u64, Product>, Fault> {
        if filings.is_empty() {
            return Ok(HashMap::new());
        }
        self.prepare_batch(&FILINGS).await?;
        let rows = |of: fn(&Filing) -> &[i64]| -> Vec<Vec<Value>> {
            let row =
                |filing: &Filing, id: i64| vec![Value::from(filing.product_id), Value::from(filing.date_added.as_str()), Value::Int(id)];
            filings.iter().flat_map(|filing| of(filing).iter().map(move |id| row(filing, *id))).collect()
        };
        // Put in before taken out: no visitor finds a product in no category at all.
        for rows in rows(|filing| &filing.add).chunks(self.batch_rows()) {
            self.put_into(rows.to_vec()).await?;
        }
        for rows in rows(|filing| &filing.remove).chunks(self.batch_rows()) {
            self.take_out(rows.to_vec()).await?;
        }
        if self.schema.find(&self.tables.to_category, "main_category").is_some() {
            for rows in rows(|filing| filing.add.get(..1).unwrap_or_default()).chunks(self.batch_rows()) {
                self.give_main(rows.to_vec()).await?;
            }
        }
        self.products(&filings.iter().map(|filing| filing.product_id).collect::<Vec<_>>()).await
    }

    /// `FROM`/`JOIN` of the batch's rows with the owner's products that are still themselves, its condition included.
    async fn filing_batch(&mut self, rows: Vec<Vec<Value>>) -> Result<Sql, Fault> {
        let batch = self.batch(&FILINGS, &["product_id", "date_added", "category_id"], rows).await?;
        let mut sql = Sql::default();
        sql.append(&batch);
        sql.push(&format!(" JOIN {} p ON p.`product_id` = b.`product_id` AND p.`date_added` = b.`date_added` AND ", self.tables.product));
        self.seller.condition(&mut sql);
        Ok(sql)
    }

    async fn put_into(&mut self, rows: Vec<Vec<Value>>) -> Result<(), Fault> {
        let batch = self.filing_batch(rows).await?;
        let mut sql = Sql::new(format!("INSERT IGNORE INTO {} (`product_id`, `category_id`", self.tables.to_category));
        // Columns of modules that demand a value, main_category among them.
        let demanded: Vec<(String, Value)> = self
            .schema
            .columns(&self.tables.to_category)?
            .iter()
            .filter(|column| column.required() && !["product_id", "category_id"].contains(&column.name.to_ascii_lowercase().as_str()))
            .map(|column| Ok((crate::db::Ident::new(column.name.as_str())?.to_string(), column.neutral(None))))
            .collect::<Result<_, Fault>>()?;
        for (name, _) in &demanded {
            sql.push(&format!(", {name}"));
        }
        sql.push(") SELECT b.`product_id`, b.`category_id`");
        for (_, value) in demanded {
            sql.push(", ").bind(value);
        }
        sql.push(" FROM ").append(&batch);
        self.run(sql).await.map(drop)
    }

    async fn take_out(&mut self, rows: Vec<Vec<Value>>) -> Result<(), Fault> {
        let batch = self.filing_batch(rows).await?;
        let mut sql = Sql::new("DELETE c FROM ");
        sql.append(&batch);
        sql.push(&format!(" JOIN {} c ON c.`product_id` = b.`product_id` AND c.`category_id` = b.`category_id`", self.tables.to_category));
        self.run(sql).await.map(drop)
    }

    /// Where a product has no main category, this becomes it.
    async fn give_main(&mut self, rows: Vec<Vec<Value>>) -> Result<(), Fault> {
        let batch = self.filing_batch(rows).await?;
        let table = &self.tables.to_category;
        let mut sql = Sql::new("UPDATE ");
        sql.append(&batch);
        sql.push(&format!(
            " JOIN {table} c ON c.`product_id` = b.`product_id` AND c.`category_id` = b.`category_id` \
             LEFT JOIN {table} m ON m.`product_id` = b.`product_id` AND m.`main_category` = 1 SET c.`main_category` = 1 WHERE m.`product_id` IS NULL"
        ));
        self.run(sql).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::opencart::testing::{ADDED, Kit};

    fn filing(product_id: u64, add: &[i64], remove: &[i64]) -> Filing {
        Filing { product_id, date_added: ADDED.into(), add: add.to_vec(), remove: remove.to_vec() }
    }

    #[tokio::test]
    async fn names_are_in_the_language_of_the_administration() {
        let mut kit = Kit::new();
        kit.run("UPDATE oc_setting SET value = 'en-gb' WHERE `key` IN ('config_admin_language', 'config_language')");
        kit.run("UPDATE oc_category_description SET name = 'T-shirts &amp; more' WHERE category_id = 24 AND language_id = (SELECT language_id FROM oc_language WHERE code = 'en-gb')");
        let parent: i64 = kit.cell("SELECT parent_id FROM oc_category WHERE category_id = 24").parse().unwrap();
        let above = kit.cell(&format!(
            "SELECT d.name FROM oc_category_description d JOIN oc_language l ON l.language_id = d.language_id WHERE d.category_id = {parent} AND l.code = 'en-gb'"
        ));
        let mut reader = Reader::open(&kit.options()).await.unwrap();
        let categories = reader.categories().await.unwrap();
        let found = categories.iter().find(|category| category.id == 24).unwrap();
        assert_eq!(found.path, [above, "T-shirts & more".to_owned()]);
        let count: usize = kit.cell("SELECT COUNT(*) FROM oc_category").parse().unwrap();
        assert_eq!((categories.len(), reader.category_ids().await.unwrap().len()), (count, count));
        // A loop of parents ends, and a category without any name is there all the same.
        kit.run(&format!(
            "UPDATE oc_category SET parent_id = 24 WHERE category_id = {parent}; DELETE FROM oc_category_description WHERE category_id = 33"
        ));
        let categories = reader.categories().await.unwrap();
        assert_eq!(categories.len(), count);
        assert!(categories.iter().any(|category| category.id == 33 && category.path == [""]));
    }

    #[tokio::test]
    async fn only_what_is_named_moves_and_only_the_owners_own_products() {
        let mut kit = Kit::new();
        let options = kit.seller_options();
        for id in 1..=4 {
            kit.product(id, "x", 1, "1");
            kit.run(&format!("INSERT INTO oc_ms_product VALUES ({id}, {}, 1, 1)", if id == 3 { 7 } else { 42 }));
            kit.run(&format!("INSERT INTO oc_product_to_category (product_id, category_id) VALUES ({id}, 20), ({id}, 33)"));
        }
        kit.run("UPDATE oc_product SET date_added = '2025-05-05 05:05:05' WHERE product_id = 4");
        let mut writer = Writer::open(&options, "c1").await.unwrap();
        let filings =
            [filing(1, &[24, 33], &[20]), filing(2, &[], &[33]), filing(3, &[24], &[20]), filing(4, &[24], &[20]), filing(9, &[24], &[])];
        for _ in 0..2 {
            let standing = writer.file(&filings).await.unwrap();
            assert_eq!(standing.len(), 4);
            assert!(!standing[&3].owned);
            let filed = writer.filed(&[1, 2, 3, 4, 9]).await.unwrap();
            assert_eq!(filed[&1], BTreeSet::from([24, 33]));
            assert_eq!(filed[&2], BTreeSet::from([20]));
            assert_eq!(filed[&3], BTreeSet::from([20, 33]), "another seller's");
            assert_eq!(filed[&4], BTreeSet::from([20, 33]), "another product under the same number");
            assert!(!filed.contains_key(&9), "no ghost");
        }
    }

    #[tokio::test]
    async fn ocstores_main_category_is_given_once_and_never_taken_from_another() {
        let mut kit = Kit::new();
        kit.run("ALTER TABLE oc_product_to_category ADD main_category TINYINT(1) NOT NULL");
        for id in 1..=2 {
            kit.product(id, "x", 1, "1");
        }
        kit.run("INSERT INTO oc_product_to_category (product_id, category_id, main_category) VALUES (2, 20, 1)");
        let mut writer = kit.writer().await;
        writer.file(&[filing(1, &[24, 33], &[]), filing(2, &[24], &[])]).await.unwrap();
        let rows = "SELECT GROUP_CONCAT(product_id, ':', category_id, '=', main_category ORDER BY product_id, category_id) FROM oc_product_to_category";
        assert_eq!(kit.cell(rows), "1:24=1,1:33=0,2:20=1,2:24=0");
    }
}
