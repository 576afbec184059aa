//! Addresses of pages: rows of `seo_url`, one a language, each word once in a store.
//!
//! Only the admin's form keeps words apart (over all languages of a store; it also refuses one word for two languages), the table does
//! not. So words are chosen, looked up and stored while [`Writer::alone`] keeps our other sessions out: the table itself says which are
//! taken. A page that has an address keeps it: a person may have chosen it.

use std::collections::{BTreeMap, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{
    create_rows::Draft,
    keyword,
    session::Writer,
    shop::Shop,
    sql::{Sql, Value},
};
use crate::fault::Fault;

/// A page that is to have an address.
pub(super) struct Page {
    /// Of the product or manufacturer.
    pub(super) id: i64,
    /// Words for it, the best first; the last is one that nothing else should have.
    pub(super) candidates: Vec<String>,
}

#[derive(QueryableByName)]
struct AddressRow {
    #[diesel(sql_type = Text)]
    word: String,
    #[diesel(sql_type = BigInt)]
    language_id: i64,
}

impl Writer {
    /// Addresses of new products.
    pub(super) async fn give_addresses(&mut self, drafts: &[&mut Draft], shop: &Shop) -> Result<(), Fault> {
        let pages: Vec<Page> = drafts
            .iter()
            .filter(|draft| !draft.finished)
            .filter_map(|draft| Some(Page { id: i64::try_from(draft.product_id?).ok()?, candidates: draft.addresses.clone() }))
            .collect();
        self.alone().await?;
        let given = self.insert_addresses("product_id", pages, shop).await;
        self.together().await?;
        given
    }

    /// Gives these pages (`query` is `product_id` or `manufacturer_id`) an address in every language in which they have none. Only
    /// [`Writer::alone`]. Words that are all taken leave a page without one: it is reached by its number all the same.
    pub(super) async fn insert_addresses(&mut self, query: &str, pages: Vec<Page>, shop: &Shop) -> Result<(), Fault> {
        if pages.is_empty() {
            return Ok(());
        }
        let table = self.tables.seo_url.clone();
        let store = i64::from(self.options.store_id);
        let of = |id: i64| format!("{query}={id}");

        let mut sql = Sql::new(format!(
            "SELECT s.`query` AS word, CAST(s.`language_id` AS SIGNED) AS language_id FROM {table} s WHERE s.`store_id` = "
        ));
        sql.bind(store).push(" AND s.`query` IN (").bind_list(pages.iter().map(|page| of(page.id))).push(")");
        let standing: HashSet<(String, i64)> =
            self.rows::<AddressRow>(sql).await?.into_iter().map(|row| (row.word, row.language_id)).collect();

        let languages: Vec<(i64, String)> = shop.languages.iter().map(|language| (language.id, language.code.clone())).collect();
        let rounds = pages.iter().map(|page| page.candidates.len()).max().unwrap_or_default();
        let mut open: Vec<&Page> =
            pages.iter().filter(|page| languages.iter().any(|(id, _)| !standing.contains(&(of(page.id), *id)))).collect();
        let mut rows = Vec::new();
        let mut taken: HashSet<String> = HashSet::new();
        for round in 0..rounds {
            let wanted: Vec<(&Page, Vec<(i64, String)>)> = open
                .iter()
                .filter_map(|page| Some((*page, keyword::in_languages(page.candidates.get(round)?, &languages, shop.default_language_id))))
                .collect();
            let words: Vec<&str> = wanted.iter().flat_map(|(_, words)| words).map(|(_, word)| word.as_str()).collect();
            if words.is_empty() {
                break;
            }
            let mut sql = Sql::new(format!(
                "SELECT LOWER(s.`keyword`) AS word, CAST(s.`language_id` AS SIGNED) AS language_id FROM {table} s WHERE s.`store_id` = "
            ));
            sql.bind(store).push(" AND s.`keyword` IN (").bind_list(words).push(")");
            taken.extend(self.rows::<AddressRow>(sql).await?.into_iter().map(|row| row.word));
            let mut left = Vec::new();
            for (page, words) in wanted {
                if words.iter().any(|(_, word)| taken.contains(word)) {
                    left.push(page);
                    continue;
                }
                for (language, word) in words {
                    taken.insert(word.clone());
                    if !standing.contains(&(of(page.id), language)) {
                        rows.push(BTreeMap::from([
                            ("store_id", Value::Int(store)),
                            ("language_id", Value::Int(language)),
                            ("query", of(page.id).into()),
                            ("keyword", word.into()),
                        ]));
                    }
                }
            }
            open = left;
        }
        self.put("INSERT", &table, &rows, None).await
    }
}
