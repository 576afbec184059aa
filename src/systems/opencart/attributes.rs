//! Attributes of products ("Характеристики"): rows of `product_attribute`, one a language.

use std::collections::{BTreeMap, HashMap};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{
    session::{Reader, Writer},
    shop::Shop,
    sql::{Sql, Value},
    text,
};
use crate::fault::Fault;

/// Most ids in one query; a prepared statement takes at most 65,535 values.
const IDS_A_QUERY: usize = 10_000;

#[derive(QueryableByName)]
struct AttributeRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    language_id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    text: String,
}

/// Texts of attributes by name (as people read it, in one language) and by language (as stored, escaped).
pub type AttributeTexts = BTreeMap<String, BTreeMap<i64, String>>;

impl Reader {
    /// Attributes of these products in these groups, named in `language`.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn attributes(&mut self, ids: &[u64], groups: &[i64], language: i64) -> Result<HashMap<u64, AttributeTexts>, Fault> {
        let mut found: HashMap<u64, AttributeTexts> = HashMap::new();
        if groups.is_empty() {
            return Ok(found);
        }
        for ids in ids.chunks(IDS_A_QUERY) {
            let tables = &self.tables;
            let mut sql = Sql::new(format!(
                "SELECT CAST(v.`product_id` AS SIGNED) AS product_id, CAST(v.`language_id` AS SIGNED) AS language_id, d.`name` AS name, v.`text` AS `text` \
                 FROM {} v JOIN {} a ON a.`attribute_id` = v.`attribute_id` JOIN {} d ON d.`attribute_id` = a.`attribute_id` WHERE d.`language_id` = ",
                tables.product_attribute, tables.attribute, tables.attribute_description
            ));
            sql.bind(language).push(" AND a.`attribute_group_id` IN (").bind_list(groups.iter().copied());
            sql.push(") AND v.`product_id` IN (").bind_list(ids.iter().copied()).push(")");
            for row in self.rows::<AttributeRow>(sql).await? {
                let product = found.entry(u64::try_from(row.product_id).unwrap_or_default()).or_default();
                product.entry(text::unescape(&row.name)).or_default().insert(row.language_id, row.text);
            }
        }
        Ok(found)
    }
}

impl Writer {
    /// Puts texts of attributes (attribute, text as stored) in place in every language, over what stands there.
    pub(super) async fn put_attributes(&mut self, products: &[(i64, &[(i64, String)])], shop: &Shop) -> Result<(), Fault> {
        let rows: Vec<_> = products
            .iter()
            .flat_map(|(product, attributes)| attributes.iter().map(move |attribute| (*product, attribute)))
            .flat_map(|(product, (attribute, text))| {
                shop.languages.iter().map(move |language| {
                    BTreeMap::from([
                        ("product_id", Value::Int(product)),
                        ("attribute_id", Value::Int(*attribute)),
                        ("language_id", Value::Int(language.id)),
                        ("text", text.as_str().into()),
                    ])
                })
            })
            .collect();
        let table = self.tables.product_attribute.clone();
        self.put("REPLACE", &table, &rows, None).await
    }
}
