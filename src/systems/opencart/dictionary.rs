//! Rows that products share by name: manufacturers, attribute groups, attributes. Found, or made once.
//!
//! No key of the shop keeps two sessions from making one brand twice, and its collation takes `ё` for `е` and `é` for `e`. So names
//! are compared here, and whoever makes rows holds [`Writer::alone`], a lock of the shop's server that ends with its session. Which
//! names are about to be made is claimed by the caller in tables of ours first.
//!
//! A maker may die between a row and its texts: [`Writer::make_entry`] takes up such a row where it is told that this may have
//! happened, and everything else is put in place by key, so that making is safe to repeat.

use std::collections::{BTreeMap, HashMap};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{
    addresses::Page,
    keyword::{self, is_apostrophe},
    session::{Reader, Writer, lock_name},
    shop::Shop,
    sql::{Sql, Value},
    text,
};
use crate::{
    db::Ident,
    fault::{Code, Fault, failpoint},
};

/// How long a maker waits for another one, in seconds, and how often. Too low: two large first imports fail each other; too high: a
/// maker whose host lost its power, and whose session the server still keeps, holds everybody up.
const ALONE_SECONDS: u32 = 20;
const ALONE_TRIES: usize = 3;

/// Which dictionary.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dictionary {
    /// Brands.
    Manufacturers,
    /// Groups of attributes.
    AttributeGroups,
    /// Attributes of one group.
    Attributes {
        /// `attribute_group_id`.
        group: i64,
    },
    /// Options of which one value is chosen.
    Options,
    /// Values of one option.
    OptionValues {
        /// `option_id`.
        option: i64,
    },
}

/// A name that is looked for, and to be made if it is not there. Plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In every language that has none of its own.
    pub name: String,
    /// In some languages: (first part of the language's code such as `uz`, name).
    pub translations: Vec<(String, String)>,
}

impl Entry {
    /// One name for all languages.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), translations: Vec::new() }
    }

    fn in_language(&self, code: &str) -> &str {
        let primary = code.split(['-', '_']).next().unwrap_or_default();
        self.translations.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(primary)).map_or(&self.name, |(_, name)| name)
    }
}

/// What stands in a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: i64,
    /// Whether everything that belongs to it is there: a manufacturer shows in this store, others have a name in every language.
    pub complete: bool,
}

/// Names that mean the same: trimmed, without regard to case, to the kind of spaces and to the sign used for an apostrophe. Accents and
/// `ё` count, other than for the shop's collation.
pub fn same_name(name: &str) -> String {
    let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().map(|letter| if is_apostrophe(letter) { '\'' } else { letter }).flat_map(char::to_lowercase).collect()
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    complete: i64,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(QueryableByName)]
struct LockRow {
    #[diesel(sql_type = BigInt)]
    got: i64,
}

/// Tables and columns of one dictionary whose names stand in a table of texts.
struct Texts {
    table: Ident,
    texts: Ident,
    id: &'static str,
    parent: Option<(&'static str, i64)>,
    /// Only rows of which one is chosen count (`type`), and such are made.
    one_of: bool,
}

impl Texts {
    /// Which rows belong to the dictionary.
    fn limit(&self, sql: &mut Sql, mut word: &'static str) {
        if let Some((column, parent)) = self.parent {
            sql.push(&format!(" {word} e.`{column}` = ")).bind(parent);
            word = "AND";
        }
        if self.one_of {
            sql.push(&format!(" {word} e.`type` IN ('select', 'radio')"));
        }
    }
}

impl Reader {
    /// Everything in a dictionary, by [`same_name`]. Of several rows with one name the first counts.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn dictionary(&mut self, which: &Dictionary) -> Result<HashMap<String, Standing>, Fault> {
        let sql = match self.texts(which) {
            None => {
                let mut sql = Sql::new(format!(
                    "SELECT CAST(m.`manufacturer_id` AS SIGNED) AS id, m.`name` AS name, CAST(EXISTS (SELECT 1 FROM {} s WHERE s.`manufacturer_id` = m.`manufacturer_id` AND s.`store_id` = ",
                    self.tables.manufacturer_to_store
                ));
                sql.bind(i64::from(self.options.store_id));
                sql.push(&format!(") AS SIGNED) AS complete FROM {} m ORDER BY m.`manufacturer_id`", self.tables.manufacturer));
                sql
            }
            Some(limited) => {
                let Texts { table, texts, id, .. } = &limited;
                let mut sql = Sql::new(format!(
                    "SELECT CAST(e.`{id}` AS SIGNED) AS id, d.`name` AS name, CAST((SELECT COUNT(*) FROM {texts} t WHERE t.`{id}` = e.`{id}`) >= (SELECT COUNT(*) FROM {}) AS SIGNED) AS complete \
                     FROM {table} e JOIN {texts} d ON d.`{id}` = e.`{id}`",
                    self.tables.language
                ));
                limited.limit(&mut sql, "WHERE");
                sql.push(&format!(" ORDER BY e.`{id}`, d.`language_id`"));
                sql
            }
        };
        let mut standing = HashMap::new();
        for row in self.rows::<NameRow>(sql).await? {
            standing.entry(same_name(&text::unescape(&row.name))).or_insert(Standing { id: row.id, complete: row.complete != 0 });
        }
        Ok(standing)
    }

    fn texts(&self, which: &Dictionary) -> Option<Texts> {
        let tables = &self.tables;
        match which {
            Dictionary::Manufacturers => None,
            Dictionary::AttributeGroups => Some(Texts {
                table: tables.attribute_group.clone(),
                texts: tables.attribute_group_description.clone(),
                id: "attribute_group_id",
                parent: None,
                one_of: false,
            }),
            Dictionary::Attributes { group } => Some(Texts {
                table: tables.attribute.clone(),
                texts: tables.attribute_description.clone(),
                id: "attribute_id",
                parent: Some(("attribute_group_id", *group)),
                one_of: false,
            }),
            Dictionary::Options => Some(Texts {
                table: tables.option.clone(),
                texts: tables.option_description.clone(),
                id: "option_id",
                parent: None,
                one_of: true,
            }),
            Dictionary::OptionValues { option } => Some(Texts {
                table: tables.option_value.clone(),
                texts: tables.option_value_description.clone(),
                id: "option_value_id",
                parent: Some(("option_id", *option)),
                one_of: false,
            }),
        }
    }

    /// The name as the dictionary would hold it, cut to its column; `None` for one of which nothing is left.
    pub fn entry_name(&self, which: &Dictionary, name: &str) -> Option<String> {
        let table = self.texts(which).map_or_else(|| self.tables.manufacturer.clone(), |texts| texts.texts);
        let column = self.schema.find(&table, "name")?;
        let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let fitted = text::unescape(&text::fit(&words, column).text).trim().to_owned();
        (!fitted.is_empty()).then_some(fitted)
    }
}

impl Writer {
    /// Begins to be the only session, of all that write into this shop, that makes shared rows; end it by [`Writer::together`].
    ///
    /// Errors: `TargetUnavailable` if another one keeps at it for a minute.
    pub async fn alone(&mut self) -> Result<(), Fault> {
        for _ in 0..ALONE_TRIES {
            let mut sql = Sql::new("SELECT CAST(IFNULL(GET_LOCK(");
            sql.bind(self.shared_rows()).push(&format!(", {ALONE_SECONDS}), 0) AS SIGNED) AS got"));
            if self.rows::<LockRow>(sql).await?.into_iter().next().is_some_and(|row| row.got == 1) {
                return Ok(());
            }
        }
        Err(Fault::new(
            Code::TargetUnavailable,
            "another session keeps making manufacturers, attributes or addresses in the shop's database",
        ))
    }

    /// Lets the others at the shared rows again.
    pub async fn together(&mut self) -> Result<(), Fault> {
        let mut sql = Sql::new("SELECT CAST(IFNULL(RELEASE_LOCK(");
        sql.bind(self.shared_rows()).push("), 0) AS SIGNED) AS got");
        self.rows::<LockRow>(sql).await.map(drop)
    }

    /// By database and prefix as the server knows them: connections may call one server by several names.
    fn shared_rows(&self) -> String {
        lock_name(&format!("{}/{}", self.options.url.database(), self.options.table_prefix), "shared rows")
    }

    /// Makes a row, or puts right the one that stands (`id`); its id. `cut_short` says that an earlier making may have left a row
    /// without its name. Only [`Writer::alone`].
    ///
    /// Errors: `TargetUnavailable`, after which a part may have been made: repeat with `cut_short`.
    pub async fn make_entry(
        &mut self,
        which: &Dictionary,
        entry: &Entry,
        id: Option<i64>,
        cut_short: bool,
        shop: &Shop,
    ) -> Result<i64, Fault> {
        match self.texts(which) {
            None => self.make_manufacturer(entry, id, shop).await,
            Some(texts) => self.make_texts(&texts, entry, id, cut_short, shop).await,
        }
    }

    async fn make_manufacturer(&mut self, entry: &Entry, id: Option<i64>, shop: &Shop) -> Result<i64, Fault> {
        let tables = self.tables.clone();
        let id = match id {
            Some(id) => id,
            None => {
                let name = text::fit(&entry.name, self.schema.column(&tables.manufacturer, "name")?).text;
                self.put("INSERT", &tables.manufacturer, &[[("name", Value::from(name)), ("sort_order", Value::Int(0))].into()], None)
                    .await?;
                self.last_id().await?
            }
        };
        failpoint::hit("shared-row-half-made");
        let page = Page { id, candidates: keyword::candidates(&entry.name, "", &id.to_string()) };
        self.insert_addresses("manufacturer_id", vec![page], shop).await?;
        if self.schema.has(&tables.manufacturer_description) {
            let name = text::fit(&entry.name, self.schema.column(&tables.manufacturer, "name")?).text;
            let row = |language: i64| {
                let texts = ["name", "meta_title", "meta_h1"].map(|column| (column, Value::from(name.as_str())));
                [("manufacturer_id", Value::Int(id)), ("language_id", language.into())].into_iter().chain(texts).collect()
            };
            let rows: Vec<BTreeMap<&str, Value>> = shop.languages.iter().map(|language| row(language.id)).collect();
            self.put("INSERT IGNORE", &tables.manufacturer_description, &rows, None).await?;
        }
        let shown = BTreeMap::from([("manufacturer_id", Value::Int(id)), ("store_id", i64::from(self.options.store_id).into())]);
        self.put("INSERT IGNORE", &tables.manufacturer_to_store, &[shown], None).await?;
        Ok(id)
    }

    async fn make_texts(&mut self, texts: &Texts, entry: &Entry, id: Option<i64>, cut_short: bool, shop: &Shop) -> Result<i64, Fault> {
        let nameless = if id.is_none() && cut_short { self.nameless(texts).await? } else { None };
        let id = match id.or(nameless) {
            Some(id) => id,
            None => {
                let mut row = BTreeMap::from([("sort_order", Value::Int(0))]);
                row.extend(texts.parent.map(|(column, parent)| (column, Value::Int(parent))));
                row.extend(texts.one_of.then(|| ("type", "select".into())));
                self.put("INSERT", &texts.table, &[row], None).await?;
                self.last_id().await?
            }
        };
        failpoint::hit("shared-row-half-made");
        let column = self.schema.column(&texts.texts, "name")?.clone();
        let rows: Vec<_> = shop
            .languages
            .iter()
            .map(|language| {
                let name = text::fit(entry.in_language(&language.code), &column).text;
                let row = [(texts.id, Value::Int(id)), ("language_id", language.id.into()), ("name", name.into())];
                // Names of option values carry their option as well; other tables do not have the column, and it is left out.
                row.into_iter().chain(texts.parent.map(|(column, parent)| (column, Value::Int(parent)))).collect()
            })
            .collect();
        self.put("INSERT IGNORE", &texts.texts, &rows, None).await?;
        Ok(id)
    }

    /// A row whose maker died before it had a name.
    async fn nameless(&mut self, texts: &Texts) -> Result<Option<i64>, Fault> {
        let mut sql = Sql::new(format!(
            "SELECT CAST(e.`{id}` AS SIGNED) AS id FROM {table} e LEFT JOIN {names} d ON d.`{id}` = e.`{id}` WHERE d.`{id}` IS NULL",
            id = texts.id,
            table = texts.table,
            names = texts.texts
        ));
        texts.limit(&mut sql, "AND");
        sql.push(&format!(" ORDER BY e.`{}` LIMIT 1", texts.id));
        Ok(self.rows::<IdRow>(sql).await?.into_iter().next().map(|row| row.id))
    }

    async fn last_id(&mut self) -> Result<i64, Fault> {
        let rows = self.rows::<IdRow>(Sql::new("SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS id")).await?;
        rows.into_iter().next().map(|row| row.id).filter(|id| *id > 0).ok_or_else(|| Fault::internal("a new row got no id"))
    }
}

#[cfg(test)]
mod tests {
    use super::same_name;

    #[test]
    fn names_mean_the_same_without_regard_to_case_spaces_and_apostrophes_only() {
        assert_eq!(same_name("  LC \u{a0}Waikiki "), same_name("lc waikiki"));
        assert_eq!(same_name("Oʻzbekiston"), same_name("O‘ZBEKISTON"));
        assert_ne!(same_name("Ёлка"), same_name("Елка"));
        assert_ne!(same_name("Élan"), same_name("Elan"));
    }
}
