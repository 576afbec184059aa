//! Settings of a `billz-opencart` connection: names and defaults of design.md section 5, checked field by field.

mod behind;
mod check;
mod words;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use words::*;

use crate::{
    domain::{clock, number::RoundingMode},
    engine::settings::{self, Text},
    fault::FieldError,
};

/// Names of the secrets, with whether each must be given.
pub const SECRETS: &[(&str, bool)] = &[("secret", true), ("username", false), ("opencart_database_url", false), ("bridge_secret", false)];

/// Everything that can be set. Unknown names are refused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which Billz the seller uses (requirement section 1).
    pub api: Api,
    /// Address of Billz; `null` = the vendor's.
    pub base_url: Option<String>,
    /// Billz 1: `iss` of the token that we make, if the seller's account asks for a certain one; `null` = `tradesync`.
    pub token_issuer: Option<String>,
    /// When an incremental run turns full: `auto` or a duration.
    pub full_every: String,
    /// How long one read feeds the other shops of the connection.
    pub read_reuse: String,
    /// Fields of existing products that follow Billz (requirement section 4.2).
    pub update_fields: Vec<UpdateField>,
    /// Whether a single match is linked without asking.
    pub linking: Linking,
    /// By what a product is recognised before it is linked.
    pub link_keys: Vec<LinkKey>,
    /// Column of `oc_product` that holds barcodes.
    pub barcode_column: String,
    /// Column of `oc_product` that holds the sku.
    pub sku_column: String,
    /// Column of `oc_product` that holds the model.
    pub model_column: String,
    /// Whose stock counts: all enabled shops, or the one being synchronised.
    pub stock: Stock,
    /// Pieces kept back from the site.
    pub stock_buffer: u32,
    /// Most pieces shown on the site.
    pub stock_cap: Option<u32>,
    /// Billz shop whose price counts; `null` = the shop being synchronised.
    pub price_shop: Option<String>,
    /// Currency of prices in OpenCart; `null` = its `config_currency`.
    pub currency: Option<String>,
    /// Currency -> factor into the shop's currency.
    pub rates: BTreeMap<String, Text>,
    /// How prices are rounded.
    pub rounding: Rounding,
    /// What a fall explained by orders on the site means.
    pub site_sales: SiteSales,
    /// How a special ends.
    pub specials: Specials,
    /// Which specials we may end.
    pub specials_scope: SpecialsScope,
    /// What becomes of goods that the shop does not have.
    pub new_products: NewProducts,
    /// Whether goods without stock are created.
    pub new_without_stock: bool,
    /// Prices below this are junk rows.
    pub min_price: Text,
    /// Whether services and bundles are goods.
    pub services: bool,
    /// Whether variants become products or options.
    pub variants: Variants,
    /// What becomes of a linked product that a person deleted in the shop.
    pub deleted_in_shop: DeletedInShop,
    /// What becomes of goods that vanish from Billz.
    pub vanished: Vanished,
    /// How long goods must be gone.
    pub vanished_delay: String,
    /// What becomes of new goods whose category is not mapped.
    pub unmapped_category: UnmappedCategory,
    /// OpenCart category for `unmapped_category: "default"`.
    #[schema(value_type = Option<u64>)]
    pub default_category_id: Option<Text>,
    /// Attribute group for unmapped properties.
    pub attribute_group: String,
    /// Pictures.
    pub images: Images,
    /// The shop's database.
    pub opencart: OpenCart,
    /// Brakes of the engine.
    pub brakes: Value,
    /// Fields that are never touched in any product; locks of single products: `/connections/{id}/locks`.
    pub locks: Vec<UpdateField>,
    /// How long a plan may be approved.
    pub plan_expiry: String,
    /// How long old values are kept.
    pub keep_changes: String,
    /// Share of failed items over which nothing is changed.
    pub max_failed_share: Text,
}

/// How prices are rounded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// To multiples of this; `0` = not at all.
    pub step: Text,
    /// Which way.
    pub mode: RoundingMode,
}

/// Pictures.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Folder for pictures inside the shop's `image/catalog`, absolute or below `TRADESYNC_IMAGE_ROOT`, under which it must lie. `null` =
    /// by the bridge, or none.
    pub dir: Option<String>,
    /// Hosts (without port) that pictures may come from although they are in a private network.
    pub allow_hosts: Vec<String>,
    /// Largest file, in bytes.
    pub max_bytes: u64,
}

/// The shop's database.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenCart {
    /// Prefix of its tables.
    pub table_prefix: String,
    /// Store within it.
    pub store_id: u32,
    /// Folder of its file cache, if this process can reach it.
    #[schema(value_type = Option<String>)]
    pub cache_dir: Option<PathBuf>,
    /// Address of the bridge.
    pub bridge_url: Option<String>,
    /// Tax class of new products; `null` = none.
    pub tax_class_id: Option<u32>,
    /// Stock status that new products show when they are sold out; `null` = the shop's own (`config_stock_status_id`).
    pub stock_status_id: Option<u32>,
    /// How a product belongs to a seller.
    pub seller: Seller,
}

/// How a product belongs to a seller (facts/opencart.md section 10). All absent = every product is the owner's.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// Table that links products and sellers.
    pub link_table: Option<String>,
    /// Its column with the product.
    pub product_column: Option<String>,
    /// Its column with the seller.
    pub seller_column: Option<String>,
    /// The seller's value there.
    pub seller_value: Option<SellerValue>,
    /// Constants for further columns of a new row.
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
    /// Column of `oc_product` with the seller, instead of a table.
    pub product_table_column: Option<String>,
}

/// A seller's id, given as text or number; kept as text.
pub type SellerValue = Text;

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

    /// Column and value of a key for a new product, if there is a value.
    pub fn column_of(
        &self,
        key: LinkKey,
        value: String,
    ) -> Result<Option<(crate::systems::opencart::KeyColumn, String)>, crate::fault::Fault> {
        let column = match key {
            LinkKey::Sku => &self.sku_column,
            LinkKey::Barcode => &self.barcode_column,
            LinkKey::Model => &self.model_column,
        };
        if value.is_empty() { Ok(None) } else { Ok(Some((crate::systems::opencart::KeyColumn::new(column.as_str())?, value))) }
    }

    /// Length of `full_every`; `None` = auto.
    pub fn full_every(&self) -> Option<Duration> {
        clock::parse_duration(&self.full_every).ok()
    }

    /// Length of `vanished_delay`, as it is to be waited.
    pub fn vanished_delay(&self) -> Duration {
        clock::scaled(clock::parse_duration(&self.vanished_delay).unwrap_or(Duration::MAX / 2))
    }

    /// Length of `read_reuse`.
    pub fn read_reuse(&self) -> Duration {
        clock::parse_duration(&self.read_reuse).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(given: Value) -> Vec<String> {
        Settings::read(&given).err().unwrap_or_default().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn nothing_set_means_the_documented_defaults() {
        let settings = Settings::read(&json!({}));
        assert!(settings.is_ok_and(|settings| settings.stock == Stock::Sum
            && settings.opencart.table_prefix == "oc_"
            && settings.full_every().is_none()));
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let found = pointers(json!({"api": "billz3", "colour": 1, "opencart": {"table_prefix": 5}, "rounding": {"stepp": "1"}}));
        assert_eq!(found, ["/settings/api", "/settings/colour", "/settings/opencart/table_prefix", "/settings/rounding/stepp"]);
        assert_eq!(pointers(json!({"rates": {"USD": "abc"}, "full_every": "soon"})), ["/settings/full_every", "/settings/rates/USD"]);
    }

    #[test]
    fn null_means_the_default() {
        assert!(Settings::read(&json!({"stock": null, "opencart": {"cache_dir": null}})).is_ok());
    }

    #[test]
    fn sql_never_gets_in_through_names() {
        assert_eq!(pointers(json!({"sku_column": "sku; DROP TABLE x"})), ["/settings/sku_column"]);
        assert_eq!(pointers(json!({"opencart": {"table_prefix": "oc_`"}})), ["/settings/opencart/table_prefix"]);
    }

    #[test]
    fn the_default_category_is_needed_where_it_is_used() {
        assert_eq!(pointers(json!({"unmapped_category": "default"})), ["/settings/default_category_id"]);
    }
}
