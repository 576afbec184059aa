//! Which settings a rule or reason looked at: the answer to "why" names them with their values.

use serde_json::Value;

use super::Settings;

/// By the code of a rule or reason.
fn names(code: &str) -> &'static [&'static str] {
    match code {
        "stock_sum" | "stock_sum_limited" | "stock_selected" | "stock_selected_limited" => &["stock", "stock_buffer", "stock_cap"],
        "price_of_shop" | "no_price" | "price_unreadable" => &["price_shop", "rounding"],
        "price_converted" | "currency_without_rate" => &["price_shop", "currency", "rates", "rounding"],
        "price_below_minimum" => &["min_price", "rounding"],
        "promo" => &["price_shop", "rounding", "specials", "specials_scope"],
        "promo_ended" | "special_removed_price_changed" => &["specials", "specials_scope"],
        "changed" | "changed_but_undone" | "unchanged" => &["update_fields"],
        "link_proposed" | "link_ambiguous" | "link_auto" => &["linking", "link_keys"],
        "new_product" | "new_products_off" | "new_hidden" | "new_live" => &["new_products"],
        "new_without_stock_off" => &["new_without_stock"],
        "category_unmapped" | "default_category" => &["unmapped_category", "default_category_id"],
        "vanished" | "vanished_left" | "vanished_waiting" | "vanished_zero" | "vanished_disabled" | "vanished_returned" => {
            &["vanished", "vanished_delay"]
        }
        "site_sales_kept" | "site_sales_net" | "site_sales_counted" | "site_returns_kept" => &["site_sales", "stock", "stock_buffer"],
        "discount_ended" => &["specials", "specials_scope"],
        "service" | "bundle" => &["services"],
        "target_deleted" => &["deleted_in_shop"],
        _ => &[],
    }
}

impl Settings {
    /// The settings that a rule or reason looked at, with their values.
    pub fn behind(&self, code: &str) -> Vec<(&'static str, Value)> {
        let all = serde_json::to_value(self).unwrap_or_default();
        names(code).iter().map(|name| (*name, all.get(name).cloned().unwrap_or_default())).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_is_a_setting() {
        let settings = Settings::read(&json!({})).unwrap();
        let all = serde_json::to_value(&settings).unwrap();
        for line in include_str!("behind.rs").lines().take_while(|line| !line.contains("_ => &[]")).filter(|line| line.contains("=> &[")) {
            for name in line.split("=> &[").nth(1).unwrap().split('"').skip(1).step_by(2) {
                assert!(all.get(name).is_some(), "{name} is no setting");
            }
        }
    }
}
