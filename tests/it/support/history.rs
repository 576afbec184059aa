//! What any history of a shop must come to, however it went.

use serde_json::Value;

use super::Stage;

impl Stage {
    /// The shop is whole: every product complete and visible under its own model, linked once, and nothing of ours half done.
    #[track_caller]
    pub fn assert_whole(&self, history: &str) {
        let none = |what: &str, query: &str| {
            let found = self.database.words(query);
            assert!(found.is_empty(), "{history}: {what}: {found:?}");
        };
        none(
            "products left under our temporary model",
            "SELECT CONCAT(product_id, ' ', model) AS words FROM oc_product WHERE model LIKE 'tradesync:%' LIMIT 5",
        );
        none(
            "products that still carry our reference",
            "SELECT CONCAT(product_id, ' ', location) AS words FROM oc_product WHERE location LIKE 'tradesync:%' LIMIT 5",
        );
        for (what, children, expected) in [
            ("descriptions in three languages", "oc_product_description", 3),
            ("a row for the store", "oc_product_to_store", 1),
            ("a category", "oc_product_to_category", 1),
            ("a layout", "oc_product_to_layout", 1),
        ] {
            none(
                &format!("products without {what}"),
                &format!(
                    "SELECT CONCAT(p.product_id, ' has ', (SELECT COUNT(*) FROM {children} c WHERE c.product_id = p.product_id)) AS words FROM oc_product p \
                     WHERE (SELECT COUNT(*) FROM {children} c WHERE c.product_id = p.product_id) <> {expected} LIMIT 5"
                ),
            );
            none(
                &format!("rows of {children} without a product"),
                &format!(
                    "SELECT CAST(c.product_id AS CHAR) AS words FROM {children} c LEFT JOIN oc_product p ON p.product_id = c.product_id WHERE p.product_id IS NULL LIMIT 5"
                ),
            );
        }
        none(
            "specials twice for one customer group",
            "SELECT CONCAT(product_id, ' ', COUNT(*)) AS words FROM oc_product_special GROUP BY product_id, customer_group_id HAVING COUNT(*) > 1 LIMIT 5",
        );
        none(
            "manufacturers twice",
            "SELECT CONCAT(name, ' ', COUNT(*)) AS words FROM oc_manufacturer GROUP BY LOWER(TRIM(name)) COLLATE utf8_bin HAVING COUNT(*) > 1 LIMIT 5",
        );
        none(
            "manufacturers half made",
            "SELECT m.name AS words FROM oc_manufacturer m WHERE (SELECT COUNT(*) FROM oc_manufacturer_to_store s WHERE s.manufacturer_id = m.manufacturer_id) <> 1 \
             OR (SELECT COUNT(*) FROM oc_seo_url u WHERE u.query = CONCAT('manufacturer_id=', m.manufacturer_id)) <> 3 LIMIT 5",
        );
        none(
            "attributes twice",
            "SELECT CONCAT(d.name, ' ', COUNT(*)) AS words FROM oc_attribute a JOIN oc_attribute_description d USING (attribute_id) WHERE d.language_id = 2 \
             GROUP BY a.attribute_group_id, LOWER(d.name) COLLATE utf8_bin HAVING COUNT(*) > 1 LIMIT 5",
        );
        none(
            "attribute groups twice",
            "SELECT CONCAT(name, ' ', COUNT(*)) AS words FROM oc_attribute_group_description WHERE language_id = 1 GROUP BY name HAVING COUNT(*) > 1 LIMIT 5",
        );
        for (what, table, id) in
            [("attributes", "oc_attribute", "attribute_id"), ("attribute groups", "oc_attribute_group", "attribute_group_id")]
        {
            none(
                &format!("{what} without a name in every language"),
                &format!(
                    "SELECT CAST(a.{id} AS CHAR) AS words FROM {table} a WHERE (SELECT COUNT(*) FROM {table}_description d WHERE d.{id} = a.{id}) <> 3 LIMIT 5"
                ),
            );
        }
        none(
            "attributes of a product that miss a language",
            "SELECT CONCAT(product_id, ' ', attribute_id) AS words FROM oc_product_attribute GROUP BY product_id, attribute_id HAVING COUNT(*) <> 3 LIMIT 5",
        );
        none(
            "attributes of no product",
            "SELECT CONCAT(v.product_id, ' ', v.attribute_id) AS words FROM oc_product_attribute v LEFT JOIN oc_product p USING (product_id) WHERE p.product_id IS NULL LIMIT 5",
        );
        none(
            "addresses twice in a store",
            "SELECT CONCAT(store_id, ' ', keyword, ' ', COUNT(*)) AS words FROM oc_seo_url GROUP BY store_id, keyword HAVING COUNT(*) > 1 LIMIT 5",
        );
        none(
            "pages with an address in some languages only",
            "SELECT CONCAT(query, ' ', COUNT(*)) AS words FROM oc_seo_url GROUP BY store_id, query HAVING COUNT(*) <> 3 LIMIT 5",
        );
        none(
            "products without a link",
            "SELECT CONCAT(p.product_id, ' ', p.model) AS words FROM oc_product p LEFT JOIN tradesync_links l ON SUBSTRING_INDEX(l.target_key, '#', 1) = CAST(p.product_id AS CHAR) COLLATE utf8mb4_bin \
             WHERE l.id IS NULL LIMIT 5",
        );
        none(
            "links without a product",
            "SELECT CONCAT(l.source_key, ' ', l.target_key) AS words FROM tradesync_links l LEFT JOIN oc_product p ON SUBSTRING_INDEX(l.target_key, '#', 1) = CAST(p.product_id AS CHAR) COLLATE utf8mb4_bin \
             WHERE l.state = 'linked' AND p.product_id IS NULL LIMIT 5",
        );
        none(
            "products linked twice",
            "SELECT CONCAT(target_key, ' ', COUNT(*)) AS words FROM tradesync_links WHERE state = 'linked' GROUP BY target_key HAVING COUNT(*) > 1 LIMIT 5",
        );
        none(
            "changes left half done",
            "SELECT CONCAT(c.run_id, ' ', c.source_key, ' ', c.state) AS words FROM tradesync_changes c JOIN tradesync_runs r ON r.id = c.run_id \
             WHERE c.state = 'applying' OR (c.state = 'planned' AND r.state NOT IN ('cancelled', 'failed', 'awaiting_approval')) LIMIT 5",
        );
    }

    /// The shop's state is the expected one; the message names the first difference.
    #[track_caller]
    pub fn assert_state(&self, expected: &[String], history: &str) {
        let state = self.database.shop_state();
        let missing: Vec<&String> = expected.iter().filter(|row| !state.contains(row)).take(3).collect();
        let surplus: Vec<&String> = state.iter().filter(|row| !expected.contains(row)).take(3).collect();
        assert!(
            missing.is_empty() && surplus.is_empty() && state.len() == expected.len(),
            "{history}: {} products instead of {}\nmissing: {missing:#?}\nsurplus: {surplus:#?}",
            state.len(),
            expected.len()
        );
    }

    /// Models of the simulated Billz are unique where they are not empty, save its deliberate twins: names tell those apart.
    #[track_caller]
    pub fn assert_no_product_twice(&self, history: &str) {
        let twice = self.database.words(
            "SELECT CONCAT(p.model, ' ', d.name, ' ', COUNT(*)) AS words FROM oc_product p JOIN oc_product_description d ON d.product_id = p.product_id AND d.language_id = 1 \
             GROUP BY p.model, p.ean, d.name HAVING COUNT(*) > 1 LIMIT 5",
        );
        assert!(twice.is_empty(), "{history}: products twice: {twice:?}");
    }

    /// The only run of a stream that is queued or running, by the database.
    pub fn live_runs(&self) -> i64 {
        self.database.number("SELECT COUNT(*) AS number FROM tradesync_runs WHERE state IN ('queued', 'running')")
    }
}

/// A run that did all there was to do.
#[track_caller]
pub fn assert_done(run: &Value, history: &str) {
    assert!(matches!(run["state"].as_str(), Some("succeeded" | "partial")), "{history}: {run}");
    assert_eq!(run["whole"], true, "{history}: {run}");
}
