//! Settings of a `kaktus-insales` connection: names and defaults of design.md section 5, checked field by field.

use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::{clock, number},
    engine::{
        brakes::limits,
        settings::{self, Text},
    },
    fault::FieldError,
    systems::kaktus,
};

/// Names of the secrets, with whether each must be given.
pub const SECRETS: &[(&str, bool)] = &[("kaktus_login", true), ("kaktus_password", true), ("insales_password", true)];

/// The one field that is written.
pub const QUANTITY: &str = "quantity";

/// Warehouses that a shop of InSales can have (facts/insales.md section 4.2).
const MOST_WAREHOUSES: u8 = 12;
/// Shortest that `insales.full_every` may be: below it the budget would go into sweeps alone.
const SHORTEST_FULL: Duration = Duration::from_secs(60);
/// Longest path, name or identifier.
const LONGEST: usize = 190;

/// Everything that can be set. Unknown names are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KaktusInsalesSettings)]
pub struct Settings {
    /// Where stock comes from.
    pub kaktus: Kaktus,
    /// Where it goes.
    pub insales: Insales,
    /// Pieces kept back from the shop.
    pub stock_buffer: u32,
    /// Most pieces shown in the shop.
    pub stock_cap: Option<u32>,
    /// What becomes of barcodes that Kaktus does not list.
    pub missing: Missing,
    /// Whether bundles are written, whose stock follows their components otherwise.
    pub bundles: bool,
    /// Whether variants whose stock InSales does not track (null) are written.
    pub unlimited: bool,
    /// Brakes of the engine.
    pub brakes: Value,
    /// Fields that are never touched in any variant; locks of single variants: `/connections/{id}/locks`.
    pub locks: Vec<UpdateField>,
    /// How long a plan may be approved.
    pub plan_expiry: String,
    /// How long old values are kept.
    pub keep_changes: String,
    /// Share of failed items over which nothing is changed.
    pub max_failed_share: Text,
}

/// Kaktus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kaktus {
    /// Its address; the test contour is https://app-test.kak2c.ru.
    pub base_url: String,
    /// Path of the login.
    pub auth_path: String,
    /// Path of the products.
    pub products_path: String,
    /// Header `Domain`, if the account wants one.
    pub domain: Option<String>,
    /// Which number of a stock row counts. `stockTotal` most likely includes what is reserved for orders.
    pub quantity_field: String,
    /// A number of the same row that is taken off it, such as the reserved part.
    pub minus_field: Option<String>,
    /// Warehouses whose stock is summed, by name or id; `null` = all.
    pub warehouses: Option<Vec<String>>,
    /// Whether goods out of use take part.
    pub inactive: bool,
    /// Rows asked for per page.
    pub page_size: u32,
    /// Calls are so far apart.
    pub pause: String,
}

/// InSales.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Insales {
    /// Address of the shop.
    pub base_url: String,
    /// The application's identifier.
    pub app_id: String,
    /// `array_index` of the warehouse that takes the stock; `null` = the only one.
    pub warehouse: Option<u8>,
    /// How old the last sweep over the whole catalogue may become where it is too large for one in every run.
    pub full_every: String,
}

/// What becomes of barcodes that Kaktus does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// They stay as they are (requirement 3.5).
    Leave,
    /// They go to 0, after a read that was proven whole, under the brakes.
    Zero,
}

/// A field that follows Kaktus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StockField)]
pub enum UpdateField {
    /// Stock.
    Quantity,
}

impl std::fmt::Display for UpdateField {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Quantity => out.write_str(QUANTITY),
        }
    }
}

/// The defaults of design.md section 5, in `defaults.json`.
pub fn defaults() -> Value {
    serde_json::from_str(include_str!("defaults.json")).unwrap_or(Value::Null)
}

impl Settings {
    /// Reads settings; every wrong field is reported at once, by its pointer below `/settings`.
    pub fn read(given: &Value) -> Result<Self, Vec<FieldError>> {
        let settings: Self = settings::read(given, &defaults())?;
        let errors = settings.rules();
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// What no single field's form shows.
    fn rules(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, detail: String| errors.push(FieldError::new(format!("/settings{pointer}"), detail));
        if let Some(detail) = settings::wrong_address(&self.kaktus.base_url, kaktus::BASE_URL) {
            wrong("/kaktus/base_url", detail);
        }
        let shop = "https://shop-name.myinsales.ru";
        match settings::wrong_address(&self.insales.base_url, shop) {
            _ if self.insales.base_url.is_empty() => wrong("/insales/base_url", format!("is required: the shop's address, such as {shop}")),
            Some(detail) => wrong("/insales/base_url", detail),
            None => {}
        }
        if self.insales.app_id.trim().is_empty() {
            wrong("/insales/app_id", "is required: the application's identifier from the shop's back office".into());
        }
        for (pointer, text) in [
            ("/kaktus/auth_path", Some(&self.kaktus.auth_path)),
            ("/kaktus/products_path", Some(&self.kaktus.products_path)),
            ("/kaktus/quantity_field", Some(&self.kaktus.quantity_field)),
            ("/kaktus/minus_field", self.kaktus.minus_field.as_ref()),
            ("/kaktus/domain", self.kaktus.domain.as_ref()),
            ("/insales/app_id", Some(&self.insales.app_id).filter(|id| !id.trim().is_empty())),
        ] {
            if text.is_some_and(|text| text.trim().is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control)) {
                wrong(pointer, format!("must be a text of 1 to {LONGEST} characters"));
            }
        }
        if self.kaktus.warehouses.as_ref().is_some_and(|names| names.is_empty() || names.iter().any(|name| name.trim().is_empty())) {
            wrong("/kaktus/warehouses", "must name one warehouse at least; null means all of them".into());
        }
        if !(1..=kaktus::LARGEST_PAGE).contains(&self.kaktus.page_size) {
            wrong("/kaktus/page_size", format!("must be from 1 to {}", kaktus::LARGEST_PAGE));
        }
        if self.insales.warehouse.is_some_and(|index| index >= MOST_WAREHOUSES) {
            wrong("/insales/warehouse", format!("must be the array_index of a warehouse, 0 to {}", MOST_WAREHOUSES - 1));
        }
        for (pointer, text) in [
            ("/kaktus/pause", &self.kaktus.pause),
            ("/insales/full_every", &self.insales.full_every),
            ("/plan_expiry", &self.plan_expiry),
            ("/keep_changes", &self.keep_changes),
        ] {
            if let Err(detail) = clock::parse_duration(text) {
                wrong(pointer, detail);
            }
        }
        if clock::parse_duration(&self.insales.full_every).is_ok_and(|every| every < SHORTEST_FULL) {
            wrong("/insales/full_every", "must be 60s or more; small catalogues are swept in every run anyway".into());
        }
        if number::parse_decimal(&self.max_failed_share.0).is_none_or(|share| share.is_sign_negative() || share > Decimal::ONE) {
            wrong("/max_failed_share", format!("`{}` is no share from 0 to 1", self.max_failed_share.0));
        }
        for error in limits::check(&self.brakes) {
            wrong(&format!("/brakes{}", error.pointer), error.detail);
        }
        errors
    }

    /// Length of `insales.full_every`, as it is to be waited.
    pub fn full_every(&self) -> Duration {
        clock::scaled(clock::parse_duration(&self.insales.full_every).unwrap_or(SHORTEST_FULL))
    }

    /// Length of `kaktus.pause`.
    pub fn pause(&self) -> Duration {
        clock::parse_duration(&self.kaktus.pause).unwrap_or_default()
    }

    /// The settings that a rule or reason looked at, with their values: the answer to "why".
    pub fn behind(&self, code: &str) -> Vec<(&'static str, Value)> {
        let all = serde_json::to_value(self).unwrap_or_default();
        let value = |name: &&'static str| (*name, all.pointer(&format!("/{}", name.replace('.', "/"))).cloned().unwrap_or_default());
        names(code).iter().map(value).collect()
    }
}

/// By the code of a rule or reason.
fn names(code: &str) -> &'static [&'static str] {
    match code {
        "kaktus_stock" | "kaktus_stock_limited" => {
            &["kaktus.quantity_field", "kaktus.minus_field", "kaktus.warehouses", "stock_buffer", "stock_cap"]
        }
        "kaktus_without_stock" | "kaktus_stock_unreadable" => &["kaktus.quantity_field", "kaktus.minus_field"],
        "kaktus_other_warehouses" => &["kaktus.warehouses"],
        "kaktus_inactive" | "kaktus_doubled" => &["kaktus.inactive"],
        "kaktus_missing_left" | "kaktus_missing_zero" => &["missing"],
        "insales_bundle" => &["bundles"],
        "insales_unlimited" => &["unlimited"],
        _ => &[],
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// The least that must be set, with more over it.
    pub fn given(over: Value) -> Value {
        let mut all = json!({"insales": {"base_url": "https://shop.example", "app_id": "app"}});
        for (name, value) in over.as_object().cloned().unwrap_or_default() {
            match all.get_mut(&name) {
                Some(Value::Object(inner)) => inner.extend(value.as_object().cloned().unwrap_or_default()),
                _ => all[name] = value,
            }
        }
        all
    }

    fn pointers(over: Value) -> Vec<String> {
        Settings::read(&given(over)).err().unwrap_or_default().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn the_shop_is_all_that_must_be_told() {
        let settings = Settings::read(&given(json!({}))).expect("enough");
        assert_eq!((settings.kaktus.base_url.as_str(), settings.kaktus.page_size), (kaktus::BASE_URL, 100));
        assert_eq!((settings.missing, settings.full_every()), (Missing::Leave, Duration::from_secs(600)));
        let missing = Settings::read(&json!({})).expect_err("no shop");
        assert_eq!(
            missing.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(),
            ["/settings/insales/base_url", "/settings/insales/app_id"]
        );
    }

    #[test]
    fn every_wrong_field_is_named() {
        assert_eq!(pointers(json!({"colour": 1})), ["/settings/colour"]);
        assert_eq!(pointers(json!({"kaktus": {"quantity": "x"}})), ["/settings/kaktus/quantity"]);
        assert_eq!(pointers(json!({"missing": "hide", "stock_buffer": -1})), ["/settings/missing", "/settings/stock_buffer"]);
        assert_eq!(
            pointers(json!({"kaktus": {"warehouses": []}, "insales": {"full_every": "5s", "warehouse": 12}})),
            ["/settings/kaktus/warehouses", "/settings/insales/warehouse", "/settings/insales/full_every"]
        );
        assert_eq!(pointers(json!({"insales": {"base_url": "https://app:secret@shop.example"}})), ["/settings/insales/base_url"]);
        assert_eq!(
            pointers(json!({"kaktus": {"page_size": 0, "pause": "soon"}, "max_failed_share": 2})),
            ["/settings/kaktus/page_size", "/settings/kaktus/pause", "/settings/max_failed_share"]
        );
        assert_eq!(pointers(json!({"locks": ["price"]})), ["/settings/locks/0"]);
    }

    #[test]
    fn every_setting_behind_a_rule_is_one() {
        let settings = Settings::read(&given(json!({}))).expect("enough");
        let all = serde_json::to_value(&settings).expect("JSON");
        for code in [
            "kaktus_stock",
            "kaktus_without_stock",
            "kaktus_other_warehouses",
            "kaktus_inactive",
            "kaktus_missing_zero",
            "insales_bundle",
            "insales_unlimited",
        ] {
            let behind = settings.behind(code);
            assert!(!behind.is_empty(), "{code}");
            for (name, _) in behind {
                assert!(all.pointer(&format!("/{}", name.replace('.', "/"))).is_some(), "{name} is no setting");
            }
        }
    }
}
