//! `GET /v2/category`: the merchant's tree of categories, as a flat list (fact sheet, section 4.4).
//!
//! Names may be empty and repeated, `subRows` null. What is broken in one row is left out with its own id only: its branch still counts.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    LARGEST_PAGE, classify,
    client::{Client, address, rows},
    wire::Category,
};
use crate::{
    fault::Fault,
    remote::lenient::{raw, reference, text},
};

/// No list of categories is longer; a remote that goes on is going round.
const PAGES: u32 = 50;
/// No tree is deeper.
const DEEPEST: usize = 32;
/// Longest id that can be kept.
const LONGEST_KEY: usize = 191;

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(default, deserialize_with = "reference")]
    id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    name: String,
    #[serde(default, deserialize_with = "reference")]
    parent_id: Option<String>,
    #[serde(default, borrow, rename = "subRows", deserialize_with = "raw")]
    sub_rows: Option<&'a RawValue>,
}

/// A row and what is below it.
fn flatten(row: &RawValue, above: Option<&str>, depth: usize, found: &mut Vec<Category>) {
    let Ok(node) = serde_json::from_str::<Node<'_>>(row.get()) else { return };
    // Where a row stands says more than what it says of itself.
    let parent_id = above.map(str::to_owned).or(node.parent_id);
    let id = node.id.filter(|id| id.chars().count() <= LONGEST_KEY);
    let below = id.clone().or_else(|| parent_id.clone());
    if let Some(id) = id {
        found.push(Category { id, name: node.name.trim().to_owned(), parent_id });
    }
    if depth < DEEPEST
        && let Some(rows) = node.sub_rows.and_then(|rows| serde_json::from_str::<Option<Vec<&RawValue>>>(rows.get()).ok().flatten())
    {
        rows.into_iter().for_each(|row| flatten(row, below.as_deref(), depth + 1, found));
    }
}

impl Client {
    /// All categories, each once, parents before their children.
    ///
    /// Errors: as every call; `remote-protocol` for an answer without `categories`.
    pub async fn categories(&self) -> Result<Vec<Category>, Fault> {
        let (mut categories, mut known, mut seen) = (Vec::new(), HashSet::new(), 0);
        for page in 1..=PAGES {
            let mut url = address(self.base_url(), "/v2/category");
            url.query_pairs_mut()
                .append_pair("limit", &LARGEST_PAGE.to_string())
                .append_pair("page", &page.to_string())
                .append_pair("is_deleted", "false");
            let answer = self
                .get("GET /v2/category", url, |reply| {
                    classify::judge(reply, |envelope| {
                        rows(
                            envelope,
                            |envelope| envelope.categories,
                            "categories",
                            |row| {
                                let mut branch = Vec::new();
                                flatten(row, None, 0, &mut branch);
                                branch
                            },
                        )
                    })
                })
                .await?;
            let before = categories.len();
            seen += answer.value.rows.len() as u64;
            categories.extend(answer.value.rows.into_iter().flatten().filter(|category: &Category| known.insert(category.id.clone())));
            // Whether `count` counts roots or all is not documented: then a page that brings nothing new is the last.
            if seen >= answer.value.count || categories.len() == before {
                break;
            }
        }
        Ok(categories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(text: &str) -> Vec<(String, String, Option<String>)> {
        let mut found = Vec::new();
        let row: &RawValue = serde_json::from_str(text).unwrap();
        flatten(row, None, 0, &mut found);
        found.into_iter().map(|category| (category.id, category.name, category.parent_id)).collect()
    }

    #[test]
    fn the_tree_is_read_with_all_its_quirks() {
        let row = |id: &str, name: &str, parent: Option<&str>| (id.to_owned(), name.to_owned(), parent.map(str::to_owned));
        let tree = r#"{"id":"a","name":"Одежда","parent_id":"","subRows":[
            {"id":"b","name":"","parent_id":"a","subRows":null},
            {"id":"c","name":"Футболки ","parent_id":"elsewhere","subRows":[{"id":"d","name":"Поло","parent_id":""}]},
            {"name":"without an id","subRows":[{"id":"e","name":null,"subRows":[]}]},
            5
        ]}"#;
        assert_eq!(
            flat(tree),
            [
                row("a", "Одежда", None),
                row("b", "", Some("a")),
                row("c", "Футболки", Some("a")),
                row("d", "Поло", Some("c")),
                row("e", "", Some("a")),
            ]
        );
        // A list that is flat after all tells its parents itself.
        assert_eq!(flat(r#"{"id":"b","name":"x","parent_id":"a"}"#), [row("b", "x", Some("a"))]);
        assert_eq!(flat(r#"{"id":"b","parent_id":"00000000-0000-0000-0000-000000000000","subRows":"?"}"#), [row("b", "", None)]);
    }
}
