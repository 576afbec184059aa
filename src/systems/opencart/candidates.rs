//! Which of the owner's products may be the one that a source item means.
//!
//! No key column has an index, so a query scans the table (facts section 1): thousands of items go into one. The shop's collation
//! takes `ё` for `е` and ignores case and trailing blanks, so its answer is only a first sieve; bytes decide.

use std::collections::{BTreeMap, HashMap};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{options::KeyColumn, session::Reader, sql::Sql, text};
use crate::fault::{Code, Fault};

/// Most values in one query; a prepared statement takes at most 65,535. Each query is a scan.
const VALUES_A_QUERY: usize = 40_000;

/// Most different key columns.
const COLUMNS: usize = 6;

/// A product that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which product.
    pub product_id: u64,
    /// Its name in the shop's own language, as people read it; empty without one.
    pub name: String,
    /// What agreed, such as `sku=TST-1`, in the order of the question.
    pub matched: Vec<String>,
}

/// Key values of one source item: its id, and (column, value).
pub type Lookup = (String, Vec<(KeyColumn, String)>);

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = Text)]
    k0: String,
    #[diesel(sql_type = Text)]
    k1: String,
    #[diesel(sql_type = Text)]
    k2: String,
    #[diesel(sql_type = Text)]
    k3: String,
    #[diesel(sql_type = Text)]
    k4: String,
    #[diesel(sql_type = Text)]
    k5: String,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// What is looked for in one column: stored form -> (which lookup, which of its keys).
type Wanted = HashMap<String, Vec<(usize, usize)>>;

impl Reader {
    /// The owner's products that agree byte by byte in at least one key, by source id; items without any are absent.
    /// Empty values never agree. A value agrees also with its HTML-escaped form, as the shop's admin stores it.
    ///
    /// Errors: `TargetSchema` for a key column that `product` does not have; `ConfigInvalid` for more than six.
    pub async fn matches(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Match>>, Fault> {
        let mut columns: Vec<&KeyColumn> = Vec::new();
        for (column, _) in lookups.iter().flat_map(|(_, keys)| keys) {
            if !columns.contains(&column) {
                self.schema.column(&self.tables.product, column.name())?;
                columns.push(column);
            }
        }
        if columns.len() > COLUMNS {
            return Err(Fault::new(Code::ConfigInvalid, format!("at most {COLUMNS} different key columns can be compared")));
        }
        let columns: Vec<KeyColumn> = columns.into_iter().cloned().collect();

        // (lookup, product) -> which of its keys agreed
        let mut found: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
        let mut from = 0;
        while from < lookups.len() {
            let (wanted, next) = gather(lookups, from, &columns);
            from = next;
            if wanted.iter().all(HashMap::is_empty) {
                continue;
            }
            let sql = self.question(&columns, &wanted);
            for row in self.rows::<KeyRow>(sql).await? {
                let id = u64::try_from(row.product_id).unwrap_or_default();
                let cells = [row.k0, row.k1, row.k2, row.k3, row.k4, row.k5];
                for (wanted, cell) in wanted.iter().zip(&cells) {
                    for (lookup, key) in wanted.get(cell).into_iter().flatten() {
                        let keys = found.entry((*lookup, id)).or_default();
                        if !keys.contains(key) {
                            keys.push(*key);
                        }
                    }
                }
            }
        }
        if found.is_empty() {
            return Ok(HashMap::new());
        }

        let mut names = self.names(found.keys().map(|(_, id)| *id).collect()).await?;
        let mut matches: HashMap<String, Vec<Match>> = HashMap::new();
        for ((lookup, product_id), mut agreed) in found {
            let Some((source, keys)) = lookups.get(lookup) else { continue };
            agreed.sort_unstable();
            let matched =
                agreed.into_iter().filter_map(|key| keys.get(key)).map(|(column, value)| format!("{}={value}", column.name())).collect();
            let name = names.entry(product_id).or_default().clone();
            matches.entry(source.clone()).or_default().push(Match { product_id, name, matched });
        }
        Ok(matches)
    }

    /// Whether the owner has more products in the shop than `linked`; if not, nothing can be found for a new item.
    pub async fn owns_more_than(&mut self, linked: u64) -> Result<bool, Fault> {
        let mut sql = Sql::new(format!("SELECT COUNT(*) AS count FROM {} p WHERE ", self.tables.product));
        self.seller.condition(&mut sql);
        let count = self.rows::<CountRow>(sql).await?.into_iter().next().map_or(0, |row| row.count);
        Ok(u64::try_from(count).unwrap_or_default() > linked)
    }

    fn question(&self, columns: &[KeyColumn], wanted: &[Wanted]) -> Sql {
        let mut sql = Sql::new("SELECT CAST(p.`product_id` AS SIGNED) AS product_id");
        for place in 0..COLUMNS {
            match columns.get(place) {
                Some(column) => sql.push(&format!(", IFNULL(CAST(p.{column} AS CHAR), '') AS k{place}")),
                None => sql.push(&format!(", '' AS k{place}")),
            };
        }
        sql.push(&format!(" FROM {} p WHERE (", self.tables.product));
        // Converted, since a value with a letter that the column's character set lacks would fail the whole query.
        let mut first = true;
        for (column, wanted) in columns.iter().zip(wanted).filter(|(_, wanted)| !wanted.is_empty()) {
            sql.push(if first { "" } else { " OR " }).push(&format!("CONVERT(p.{column} USING utf8mb4) IN ("));
            sql.bind_list(wanted.keys().map(String::as_str)).push(")");
            first = false;
        }
        // Not what a creation of ours has left half made: that is found by its reference and completed.
        sql.push(") AND p.`model` NOT LIKE 'tradesync:%' AND ");
        self.seller.condition(&mut sql);
        sql
    }

    async fn names(&mut self, mut ids: Vec<u64>) -> Result<HashMap<u64, String>, Fault> {
        ids.sort_unstable();
        ids.dedup();
        let language = self.shop().await?.default_language_id;
        let mut names = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(VALUES_A_QUERY) {
            let mut sql = Sql::new(format!(
                "SELECT CAST(d.`product_id` AS SIGNED) AS product_id, d.`name` AS name FROM {} d WHERE d.`language_id` = ",
                self.tables.description
            ));
            sql.bind(language).push(" AND d.`product_id` IN (").bind_list(ids.iter().copied()).push(")");
            for row in self.rows::<NameRow>(sql).await? {
                names.insert(u64::try_from(row.product_id).unwrap_or_default(), text::unescape(&row.name));
            }
        }
        Ok(names)
    }
}

/// Takes lookups from `from` on until a query is full; what is wanted in each column, and where to go on.
fn gather(lookups: &[Lookup], from: usize, columns: &[KeyColumn]) -> (Vec<Wanted>, usize) {
    let mut wanted: Vec<Wanted> = vec![Wanted::new(); columns.len()];
    let (mut count, mut next) = (0, from);
    for (number, (_, keys)) in lookups.iter().enumerate().skip(from) {
        if count > 0 && count + keys.len() * 2 > VALUES_A_QUERY {
            break;
        }
        next = number + 1;
        for (place, (column, value)) in keys.iter().enumerate().filter(|(_, (_, value))| !value.is_empty()) {
            let Some(wanted) = columns.iter().position(|known| known == column).and_then(|at| wanted.get_mut(at)) else { continue };
            let escaped = text::escape(value);
            let forms = if escaped == *value { vec![escaped] } else { vec![value.clone(), escaped] };
            for form in forms {
                count += 1;
                wanted.entry(form).or_default().push((number, place));
            }
        }
    }
    (wanted, next)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Kit, *};
    use crate::db::Ident;

    fn lookup(source: &str, keys: &[(&str, &str)]) -> Lookup {
        (source.to_owned(), keys.iter().map(|(column, value)| (Ident::new(*column).unwrap(), (*value).to_owned())).collect())
    }

    #[tokio::test]
    async fn bytes_decide_among_the_sellers_own_products() {
        let mut kit = Kit::new();
        let options = kit.seller_options();
        for (id, sku, seller) in [
            (1, "TST-1", 42),
            (2, "tst-1", 42),
            (3, "TST-1 ", 42),
            (4, "TST-1", 7),
            (5, "Ёлка", 42),
            (6, "Елка", 42),
            (7, "A&amp;B", 42),
            (8, "", 42),
            (9, "café", 42),
        ] {
            kit.product(id, sku, 1, "1");
            kit.run(&format!("INSERT INTO oc_ms_product VALUES ({id}, {seller}, 1, 1)"));
        }
        kit.run("UPDATE oc_product SET ean = '4780000000017' WHERE product_id IN (1, 6)");
        kit.run("INSERT INTO oc_product_description (product_id, language_id, name, description, tag, meta_title, meta_description, meta_keyword) VALUES (1, 1, 'Том &amp; Джерри', '', '', '', '', '')");
        let mut reader = Reader::open(&options).await.unwrap();
        let lookups = [
            lookup("a", &[("sku", "TST-1"), ("ean", "4780000000017")]),
            lookup("b", &[("sku", "Елка")]),
            lookup("c", &[("sku", "A&B"), ("model", "m7")]),
            lookup("d", &[("sku", ""), ("ean", "")]),
            lookup("e", &[("sku", "cafe"), ("model", "M1")]),
            lookup("f", &[("sku", "'; DROP TABLE oc_product; -- 📱")]),
        ];
        let matches = reader.matches(&lookups).await.unwrap();
        let seen = |source: &str| {
            matches
                .get(source)
                .map(|all| all.iter().map(|one| (one.product_id, one.matched.join(" "))).collect::<Vec<_>>())
                .unwrap_or_default()
        };
        assert_eq!(seen("a"), [(1, "sku=TST-1 ean=4780000000017".to_owned()), (6, "ean=4780000000017".to_owned())]);
        assert_eq!(seen("b"), [(6, "sku=Елка".to_owned())]);
        assert_eq!(seen("c"), [(7, "sku=A&B model=m7".to_owned())]);
        assert!(seen("d").is_empty() && seen("e").is_empty() && seen("f").is_empty());
        assert_eq!(matches["a"][0].name, "Том & Джерри");
        assert!(reader.owns_more_than(7).await.unwrap() && !reader.owns_more_than(8).await.unwrap());
        let fault = reader.matches(&[lookup("a", &[("barcode", "1")])]).await.unwrap_err();
        assert!(fault.code == Code::TargetSchema && fault.detail.contains("barcode"), "{fault}");
    }

    #[tokio::test]
    async fn thousands_go_into_one_question() {
        let mut kit = Kit::new();
        let options = kit.seller_options();
        kit.run("CREATE TEMPORARY TABLE digits (d INT); INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)");
        kit.run("CREATE TEMPORARY TABLE digits2 SELECT * FROM digits; CREATE TEMPORARY TABLE digits3 SELECT * FROM digits; CREATE TEMPORARY TABLE digits4 SELECT * FROM digits");
        kit.product(1, "s1", 1, "1");
        kit.run("INSERT INTO oc_product SELECT NULL, CONCAT('m', n), CONCAT('s', n), '', '', '', '', '', '', 1, 5, NULL, 0, 1, 1, 0, 0, '0000-00-00', 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, NOW(), NOW() FROM (SELECT 2 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM digits a, digits2 b, digits3 c, digits4 e) t");
        kit.run("ALTER TABLE oc_ms_product DROP PRIMARY KEY; INSERT INTO oc_ms_product SELECT product_id, 42, 1, 1 FROM oc_product");
        let mut reader = Reader::open(&options).await.unwrap();
        let lookups: Vec<Lookup> = (1..=5_000)
            .map(|n| lookup(&n.to_string(), &[("sku", &format!("s{n}")), ("model", &format!("x{n}")), ("ean", &format!("{n}"))]))
            .collect();
        let began = std::time::Instant::now();
        let matches = reader.matches(&lookups).await.unwrap();
        assert_eq!(matches.len(), 5_000);
        let took = began.elapsed();
        // The seller's table has no index at all here (facts section 10: TMD).
        assert!(took < std::time::Duration::from_secs(5), "{took:?}");
        println!("5,000 lookups among 10,001 products of a seller without an index: {took:?}");
        let began = std::time::Instant::now();
        let ids: Vec<u64> = (1..=5_000).collect();
        assert!(reader.products(&ids).await.unwrap().values().all(|product| product.owned));
        println!("5,000 products observed: {:?}", began.elapsed());
        let mut writer = crate::systems::opencart::Writer::open(&options, "c1").await.unwrap();
        let added = kit.cell("SELECT MIN(date_added) FROM oc_product WHERE product_id > 1");
        let rows: Vec<_> = (2..=5_001u64)
            .map(|id| crate::systems::opencart::ProductUpdate {
                date_added: added.clone(),
                ..crate::systems::opencart::testing::change(id, (1, 2), ("1", "1"))
            })
            .collect();
        let began = std::time::Instant::now();
        let written = writer.update(&rows).await.unwrap();
        println!("5,000 products updated: {:?} {:?}", began.elapsed(), written[0]);
    }
}
