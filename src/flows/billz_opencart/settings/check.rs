//! What can be wrong with settings, field by field, with the pointer of each.

use rust_decimal::Decimal;

use super::{Settings, UnmappedCategory};
use crate::{
    domain::{clock, name, number},
    engine::{brakes::limits, settings::wrong_address},
    fault::FieldError,
    remote::guard::host_form,
    systems::opencart::escape as escape_html,
};

/// Longest `token_issuer`: it travels in a header with every call.
const LONGEST_ISSUER: usize = 190;
/// Most that `images.max_bytes` may be: a file is held in memory while it is checked.
const MOST_BYTES: u64 = 50_000_000;
/// Length of `oc_attribute_group_description.name`.
const GROUP: usize = 64;

impl Settings {
    /// What no single field shows: values out of range, and fields that need each other.
    pub(super) fn rules(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, detail: String| errors.push(FieldError::new(format!("/settings{pointer}"), detail));
        if let Some(issuer) = &self.token_issuer
            && (issuer.trim().is_empty() || issuer.chars().count() > LONGEST_ISSUER || issuer.chars().any(char::is_control))
        {
            wrong("/token_issuer", format!("must be a text of 1 to {LONGEST_ISSUER} characters, such as kmall.uz"));
        }
        if let Some(detail) = self.base_url.as_ref().and_then(|address| wrong_address(address, "https://api-admin.billz.ai")) {
            wrong("/base_url", detail);
        }
        for (pointer, text, word) in [
            ("/full_every", &self.full_every, Some("auto")),
            ("/read_reuse", &self.read_reuse, None),
            ("/vanished_delay", &self.vanished_delay, None),
            ("/plan_expiry", &self.plan_expiry, None),
            ("/keep_changes", &self.keep_changes, None),
        ] {
            if Some(text.as_str()) != word
                && let Err(detail) = clock::parse_duration(text)
            {
                wrong(pointer, detail);
            }
        }
        for (pointer, text) in
            [("/rounding/step", &self.rounding.step), ("/min_price", &self.min_price), ("/max_failed_share", &self.max_failed_share)]
        {
            if number::parse_decimal(&text.0).is_none_or(|value| value.is_sign_negative()) {
                wrong(pointer, format!("`{}` is no decimal of 0 or more", text.0));
            }
        }
        for (currency, rate) in &self.rates {
            if number::parse_decimal(&rate.0).is_none_or(|value| value <= Decimal::ZERO) {
                wrong(&format!("/rates/{currency}"), format!("`{}` is no rate above 0", rate.0));
            }
        }
        for (pointer, column) in
            [("/barcode_column", &self.barcode_column), ("/sku_column", &self.sku_column), ("/model_column", &self.model_column)]
        {
            if name::plain(column).is_none() {
                wrong(pointer, format!("`{column}` is no name of a column"));
            }
        }
        if !self.opencart.table_prefix.is_empty() && name::plain(&self.opencart.table_prefix).is_none() {
            wrong(
                "/opencart/table_prefix",
                format!("`{}` is no prefix of tables; use letters, digits and _ only", self.opencart.table_prefix),
            );
        }
        if let Some(category) = &self.default_category_id
            && category.0.parse::<u32>().is_err()
        {
            wrong("/default_category_id", format!("`{}` is no category id; it is a whole number", category.0));
        }
        if self.attribute_group.trim().is_empty() || escape_html(&self.attribute_group).chars().count() > GROUP {
            wrong("/attribute_group", format!("must be a name of 1 to {GROUP} characters"));
        }
        for (place, host) in self.images.allow_hosts.iter().enumerate() {
            if host_form(host).is_none() || host.contains('/') {
                wrong(
                    &format!("/images/allow_hosts/{place}"),
                    format!("`{host}` is no host; write for example pictures.example, without port"),
                );
            }
        }
        if !(1..=MOST_BYTES).contains(&self.images.max_bytes) {
            wrong("/images/max_bytes", format!("must be from 1 to {MOST_BYTES}"));
        }
        if let Some(address) = &self.opencart.bridge_url
            && !url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        {
            wrong(
                "/opencart/bridge_url",
                format!("`{address}` is no address; write for example https://shop.example/index.php?route=extension/module/tradesync"),
            );
        }
        if self.unmapped_category == UnmappedCategory::Default && self.default_category_id.is_none() {
            wrong("/default_category_id", "unmapped_category is \"default\", so a category id is needed here".into());
        }
        self.seller_rules(&mut wrong);
        for error in limits::check(&self.brakes) {
            wrong(&format!("/brakes{}", error.pointer), error.detail);
        }
        errors
    }

    fn seller_rules(&self, wrong: &mut impl FnMut(&str, String)) {
        let seller = &self.opencart.seller;
        for (name, column) in [
            ("link_table", &seller.link_table),
            ("product_column", &seller.product_column),
            ("seller_column", &seller.seller_column),
            ("product_table_column", &seller.product_table_column),
        ] {
            if let Some(column) = column
                && name::plain(column).is_none()
            {
                wrong(&format!("/opencart/seller/{name}"), format!("`{column}` is no name of a table or column"));
            }
        }
        if seller.link_table.is_none() && seller.product_table_column.is_none() {
            for (name, given) in [
                ("seller_value", seller.seller_value.is_some()),
                ("product_column", seller.product_column.is_some()),
                ("seller_column", seller.seller_column.is_some()),
                ("extra", !seller.extra.is_empty()),
            ] {
                if given {
                    wrong(&format!("/opencart/seller/{name}"), "needs link_table or product_table_column".into());
                }
            }
        }
        if seller.link_table.is_some() && seller.product_table_column.is_some() {
            wrong("/opencart/seller/product_table_column", "give either link_table or product_table_column".into());
        }
        if seller.link_table.is_some() {
            for (name, given) in [("product_column", seller.product_column.is_some()), ("seller_column", seller.seller_column.is_some())] {
                if !given {
                    wrong(&format!("/opencart/seller/{name}"), "is needed with link_table".into());
                }
            }
        }
        if (seller.link_table.is_some() || seller.product_table_column.is_some()) && seller.seller_value.is_none() {
            wrong("/opencart/seller/seller_value", "is needed: which seller's products these are".into());
        }
    }
}
