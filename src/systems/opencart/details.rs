//! What a product says of itself beside price and stock: names, descriptions, manufacturer, attributes. Read and changed.
//!
//! Each statement carries the witness and the owner's condition, as in [`super::update`]. The old values are not in the way: who lets
//! texts follow another system wants its word to stand. One product a statement, since texts differ and change seldom.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{
    attributes::AttributeTexts,
    session::{Reader, Writer},
    shop::Shop,
    sql::Sql,
    text::{self, Room},
    update::{Written, classify_identity},
};
use crate::{db::Ident, fault::Fault};

/// Most ids in one query; a prepared statement takes at most 65,535 values.
const IDS_A_QUERY: usize = 10_000;

/// Details as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// By language: name as stored, escaped.
    pub names: BTreeMap<i64, String>,
    /// By language: description as stored, escaped.
    pub descriptions: BTreeMap<i64, String>,
    /// Name of the manufacturer as people read it; `None` without one.
    pub manufacturer: Option<String>,
    /// Attributes of the groups that were asked for.
    pub attributes: AttributeTexts,
}

/// A text for a product: one for all languages, or one for each of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Texts {
    /// The same in every language.
    All(String),
    /// By language, as it stood there: stored without any change. Other languages of a text stay, those of an attribute go.
    Stored(BTreeMap<i64, String>),
}

/// What is to be written. Fields without a value are left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetailsUpdate {
    /// Which product.
    pub product_id: u64,
    /// Its `date_added` as observed: the witness.
    pub date_added: String,
    /// Plain names.
    pub name: Option<Texts>,
    /// Descriptions as safe HTML.
    pub description: Option<Texts>,
    /// Manufacturer, 0 = none.
    pub manufacturer_id: Option<i64>,
    /// Attribute -> text; one that is stored in no language is taken away. Attributes that are not named stay.
    pub attributes: BTreeMap<i64, Texts>,
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    language_id: i64,
    #[diesel(sql_type = Text)]
    text: String,
}

impl Reader {
    async fn texts_of(&mut self, ids: &[u64], column: &str) -> Result<Vec<TextRow>, Fault> {
        let mut found = Vec::new();
        for ids in ids.chunks(IDS_A_QUERY) {
            let mut sql = Sql::new(format!(
                "SELECT CAST(d.`product_id` AS SIGNED) AS product_id, CAST(d.`language_id` AS SIGNED) AS language_id, d.`{column}` AS `text` FROM {} d WHERE d.`product_id` IN (",
                self.tables.description
            ));
            sql.bind_list(ids.iter().copied()).push(")");
            found.extend(self.rows::<TextRow>(sql).await?);
        }
        Ok(found)
    }

    async fn manufacturers_of(&mut self, ids: &[u64]) -> Result<Vec<TextRow>, Fault> {
        let mut found = Vec::new();
        for ids in ids.chunks(IDS_A_QUERY) {
            let mut sql = Sql::new(format!(
                "SELECT CAST(p.`product_id` AS SIGNED) AS product_id, 0 AS language_id, m.`name` AS `text` FROM {} p JOIN {} m ON m.`manufacturer_id` = p.`manufacturer_id` WHERE p.`product_id` IN (",
                self.tables.product, self.tables.manufacturer
            ));
            sql.bind_list(ids.iter().copied()).push(")");
            found.extend(self.rows::<TextRow>(sql).await?);
        }
        Ok(found)
    }

    /// The details of these products, as far as they are asked for. `attribute_group` is a name.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn details(
        &mut self,
        ids: &[u64],
        (names, descriptions, manufacturer): (bool, bool, bool),
        attribute_group: Option<&str>,
        language: i64,
    ) -> Result<HashMap<u64, Details>, Fault> {
        let mut found: HashMap<u64, Details> = ids.iter().map(|id| (*id, Details::default())).collect();
        let at = |id: i64| u64::try_from(id).unwrap_or_default();
        if names {
            for row in self.texts_of(ids, "name").await? {
                found.entry(at(row.product_id)).or_default().names.insert(row.language_id, row.text);
            }
        }
        if descriptions {
            for row in self.texts_of(ids, "description").await? {
                found.entry(at(row.product_id)).or_default().descriptions.insert(row.language_id, row.text);
            }
        }
        if manufacturer {
            for row in self.manufacturers_of(ids).await? {
                found.entry(at(row.product_id)).or_default().manufacturer = Some(text::unescape(&row.text));
            }
        }
        if let Some(group) = attribute_group {
            let groups = self.dictionary(&super::Dictionary::AttributeGroups).await?;
            let groups: Vec<i64> = groups.get(&super::same_name(group)).map(|standing| standing.id).into_iter().collect();
            for (id, attributes) in self.attributes(ids, &groups, language).await? {
                found.entry(id).or_default().attributes = attributes;
            }
        }
        Ok(found)
    }
}

impl Writer {
    /// Writes details; one answer each, in the same order. Safe to repeat.
    ///
    /// Errors: `TargetUnavailable`, after which any part may have been written: repeat the same call.
    pub async fn update_details(&mut self, updates: &[DetailsUpdate]) -> Result<Vec<Written>, Fault> {
        let mut doubtful = HashSet::new();
        let shop = if updates.is_empty() { None } else { Some(self.shop().await?) };
        for update in updates {
            let Some(shop) = &shop else { break };
            if !self.update_one(update, shop).await? {
                doubtful.insert(update.product_id);
            }
        }
        if doubtful.is_empty() {
            return Ok(vec![Written::Done; updates.len()]);
        }
        let now = self.products(&doubtful.iter().copied().collect::<Vec<_>>()).await?;
        Ok(updates
            .iter()
            .map(|update| match doubtful.contains(&update.product_id) {
                true => classify_identity(&update.date_added, now.get(&update.product_id)),
                false => Written::Done,
            })
            .collect())
    }

    /// Whether every statement found the product.
    async fn update_one(&mut self, update: &DetailsUpdate, shop: &Shop) -> Result<bool, Fault> {
        let mut found = true;
        if let Some(names) = &update.name {
            let room = shop.name_room;
            found &= self.write_texts(update, names, "name", |text| room.plain(text), shop).await?;
        }
        if let Some(descriptions) = &update.description {
            let room = shop.description_room;
            found &= self.write_texts(update, descriptions, "description", |text| room.html(text), shop).await?;
        }
        if let Some(manufacturer) = update.manufacturer_id {
            let mut sql = Sql::new(format!("UPDATE {} p SET p.`manufacturer_id` = ", self.tables.product));
            sql.bind(manufacturer).push(", p.`date_modified` = NOW() WHERE ");
            self.only(&mut sql, update);
            found &= self.run(sql).await? > 0;
        }
        if !update.attributes.is_empty() {
            found &= self.write_attributes(update, shop).await?;
        }
        Ok(found)
    }

    /// Adds the condition that this is the product that was seen, and the owner's.
    fn only(&self, sql: &mut Sql, update: &DetailsUpdate) {
        sql.push("p.`product_id` = ").bind(update.product_id);
        sql.push(" AND p.`date_added` = ").bind(update.date_added.as_str()).push(" AND ");
        self.seller.condition(sql);
    }

    async fn write_texts(
        &mut self,
        update: &DetailsUpdate,
        texts: &Texts,
        column: &'static str,
        stored: impl Fn(&str) -> String,
        shop: &Shop,
    ) -> Result<bool, Fault> {
        let column = Ident::new(column)?;
        let each: Vec<(Option<i64>, String)> = match texts {
            Texts::All(text) => vec![(None, stored(text))],
            Texts::Stored(texts) => texts.iter().map(|(language, text)| (Some(*language), text.clone())).collect(),
        };
        let title = column.name() == "name" && self.schema.find(&self.tables.description, "meta_title").is_some();
        let mut found = true;
        for (language, text) in
            each.into_iter().filter(|(language, _)| language.is_none_or(|id| shop.languages.iter().any(|known| known.id == id)))
        {
            let mut sql = Sql::new(format!(
                "UPDATE {} d JOIN {} p ON p.`product_id` = d.`product_id` SET ",
                self.tables.description, self.tables.product
            ));
            if title {
                // A title that only repeated the name goes on doing so; assignments are carried out from left to right.
                sql.push("d.`meta_title` = IF(CAST(d.`meta_title` AS BINARY) = CAST(d.`name` AS BINARY), ")
                    .bind(text.as_str())
                    .push(", d.`meta_title`), ");
            }
            sql.push(&format!("d.{column} = ")).bind(text.as_str()).push(", p.`date_modified` = NOW() WHERE ");
            if let Some(language) = language {
                sql.push("d.`language_id` = ").bind(language).push(" AND ");
            }
            self.only(&mut sql, update);
            found &= self.run(sql).await? > 0;
        }
        Ok(found)
    }

    async fn write_attributes(&mut self, update: &DetailsUpdate, shop: &Shop) -> Result<bool, Fault> {
        let table = self.tables.product_attribute.clone();
        let room = Room::from(self.schema.column(&table, "text")?);
        let mut touch = Sql::new(format!("UPDATE {} p SET p.`date_modified` = NOW() WHERE ", self.tables.product));
        self.only(&mut touch, update);
        if self.run(touch).await? == 0 {
            return Ok(false);
        }
        let known = |language: &i64| shop.languages.iter().any(|known| known.id == *language);
        let rows: Vec<(i64, i64, String)> = update
            .attributes
            .iter()
            .flat_map(|(attribute, texts)| match texts {
                Texts::All(text) => shop.languages.iter().map(|language| (*attribute, language.id, room.plain(text))).collect::<Vec<_>>(),
                Texts::Stored(texts) => texts
                    .iter()
                    .filter(|(language, _)| known(language))
                    .map(|(language, text)| (*attribute, *language, text.clone()))
                    .collect(),
            })
            .collect();
        if !rows.is_empty() {
            let mut sql = Sql::new(format!(
                "INSERT INTO {table} (`product_id`, `attribute_id`, `language_id`, `text`) SELECT p.`product_id`, v.`attribute_id`, v.`language_id`, v.`text` FROM {} p JOIN (",
                self.tables.product
            ));
            for (place, (attribute, language, text)) in rows.iter().enumerate() {
                sql.push(if place == 0 { "SELECT " } else { " UNION ALL SELECT " }).bind(*attribute);
                sql.push(" AS `attribute_id`, ").bind(*language).push(" AS `language_id`, ").bind(text.as_str()).push(" AS `text`");
            }
            sql.push(") v WHERE ");
            self.only(&mut sql, update);
            sql.push(" ON DUPLICATE KEY UPDATE `text` = VALUES(`text`)");
            self.run(sql).await?;
        }
        for (attribute, texts) in &update.attributes {
            let Texts::Stored(texts) = texts else { continue };
            let mut sql = Sql::new(format!(
                "DELETE v FROM {table} v JOIN {} p ON p.`product_id` = v.`product_id` WHERE v.`attribute_id` = ",
                self.tables.product
            ));
            sql.bind(*attribute);
            if !texts.is_empty() {
                sql.push(" AND v.`language_id` NOT IN (").bind_list(texts.keys().copied()).push(")");
            }
            sql.push(" AND ");
            self.only(&mut sql, update);
            self.run(sql).await?;
        }
        Ok(true)
    }
}
