//! Settings of a `billz-opencart` connection: names and defaults of design.md section 5, checked field by field.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    domain::{
        clock, name,
        number::{self, RoundingMode},
    },
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
    pub default_category_id: Option<u64>,
    /// Attribute group for unmapped properties.
    pub attribute_group: String,
    /// Pictures.
    pub images: Images,
    /// The shop's database.
    pub opencart: OpenCart,
    /// Brakes of the engine.
    pub brakes: Value,
    /// Locks of the engine.
    pub locks: Value,
    /// How long a plan may be approved.
    pub plan_expiry: String,
    /// How long old values are kept.
    pub keep_changes: String,
    /// Share of failed items over which nothing is changed.
    pub max_failed_share: Text,
}

/// A decimal that may be given as text or as a number; kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            other => Err(serde::de::Error::custom(format!("{other} is no decimal; write it as text, for example \"12650.5\""))),
        }
    }
}

impl Text {
    /// Its value; checked before, so that a missing one is zero.
    pub fn value(&self) -> Decimal {
        number::parse_decimal(&self.0).unwrap_or_default()
    }
}

macro_rules! words {
    ($(#[$doc:meta] $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* $(,)? })*) => {
        $(
            #[$doc]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
            #[serde(rename_all = "snake_case")]
            pub enum $name { $($(#[$variant_doc])* $variant),* }
        )*
    };
}

words! {
    /// Which Billz.
    Api {
        /// Billz 1.0.
        Billz1,
        /// Billz 2.0.
        Billz2,
    }
    /// A field that follows Billz.
    UpdateField {
        /// Stock.
        Quantity,
        /// Price.
        Price,
        /// "Акция".
        Special,
        /// Name.
        Name,
        /// Description.
        Description,
        /// Pictures.
        Images,
        /// Categories.
        Categories,
        /// Attributes.
        Attributes,
        /// Manufacturer.
        Manufacturer,
    }
    /// Whether links are made without asking.
    Linking {
        /// A person confirms.
        Confirm,
        /// One match is enough.
        Auto,
    }
    /// By what a product is recognised.
    LinkKey {
        /// Billz's sku in the sku column.
        Sku,
        /// Billz's barcode in the barcode column.
        Barcode,
        /// Billz's sku or id in the model column.
        Model,
    }
    /// Whose stock counts.
    Stock {
        /// All enabled shops that were read at least once.
        Sum,
        /// The shop being synchronised.
        Selected,
    }
    /// Falls explained by site orders.
    SiteSales {
        /// Keep until Billz moves.
        Keep,
        /// Subtract from what Billz says.
        Net,
        /// Write what Billz says.
        Ignore,
    }
    /// How a special ends.
    Specials {
        /// The row is deleted.
        Remove,
        /// It ends yesterday.
        Close,
    }
    /// Which specials we may end.
    SpecialsScope {
        /// Any, as the requirement says.
        All,
        /// Only those that we wrote.
        Own,
    }
    /// New goods.
    NewProducts {
        /// Created but not shown.
        Hidden,
        /// Created and shown.
        Live,
        /// Not created.
        Off,
    }
    /// Variants of one good.
    Variants {
        /// Each is a product.
        Separate,
        /// One product with options.
        Options,
    }
    /// A linked product that a person deleted.
    DeletedInShop {
        /// Stays deleted.
        Leave,
        /// Is made again.
        Recreate,
    }
    /// Goods that vanish from Billz.
    Vanished {
        /// Stay as they are.
        Leave,
        /// Quantity 0.
        Zero,
        /// Hidden.
        Disable,
    }
    /// New goods without a mapped category.
    UnmappedCategory {
        /// Wait for a mapping.
        Inbox,
        /// Go to `default_category_id`.
        Default,
    }
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
    /// Folder below the service's image root.
    pub dir: Option<String>,
    /// Hosts that pictures may come from although they are private.
    pub allow_hosts: Vec<String>,
    /// Largest file.
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

/// Lays what the user set over the defaults; objects are merged, `null` keeps a default of `null`.
fn complete(given: &Value) -> Value {
    fn merge(base: &mut Value, over: &Value) {
        match (base, over) {
            (Value::Object(base), Value::Object(over)) => {
                for (name, value) in over {
                    match base.get_mut(name) {
                        Some(_) if value.is_null() => {}
                        Some(inner) => merge(inner, value),
                        None => {
                            base.insert(name.clone(), value.clone());
                        }
                    }
                }
            }
            (base, over) => *base = over.clone(),
        }
    }
    let mut all = defaults();
    merge(&mut all, given);
    all
}

impl Settings {
    /// Reads settings; every wrong field is reported at once, by its pointer below `/settings`.
    pub fn read(given: &Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = given else {
            return Err(vec![FieldError::new("/settings", "must be an object")]);
        };
        let mut errors: Vec<FieldError> = fields.iter().filter_map(|(name, value)| wrong_field(name, value)).collect();
        if errors.is_empty() {
            match serde_json::from_value::<Self>(complete(given)) {
                Ok(settings) => {
                    errors.extend(settings.rules());
                    if errors.is_empty() {
                        return Ok(settings);
                    }
                }
                Err(error) => errors.push(FieldError::new("/settings", error.to_string())),
            }
        }
        Err(errors)
    }

    fn rules(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, detail: String| errors.push(FieldError::new(format!("/settings{pointer}"), detail));
        if self.api == Api::Billz1 {
            wrong("/api", "billz1 is not served by this version; use billz2".into());
        }
        if let Some(address) = &self.base_url {
            match url::Url::parse(address) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {}
                _ => wrong("/base_url", format!("`{address}` is no address; write for example https://api-admin.billz.ai")),
            }
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
        if self.unmapped_category == UnmappedCategory::Default && self.default_category_id.is_none() {
            wrong("/default_category_id", "unmapped_category is \"default\", so a category id is needed here".into());
        }
        for (place, field) in self.update_fields.iter().enumerate() {
            if !matches!(field, UpdateField::Quantity | UpdateField::Price | UpdateField::Special) {
                wrong(&format!("/update_fields/{place}"), "this version updates quantity, price and special only".into());
            }
        }
        for (pointer, served) in [
            ("/variants", self.variants == Variants::Separate),
            ("/vanished", self.vanished == Vanished::Leave),
            ("/deleted_in_shop", self.deleted_in_shop == DeletedInShop::Leave),
        ] {
            if !served {
                wrong(pointer, "this version serves the default only".into());
            }
        }
        self.seller_rules(&mut wrong);
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

    /// Length of `read_reuse`.
    pub fn read_reuse(&self) -> Duration {
        clock::parse_duration(&self.read_reuse).unwrap_or_default()
    }
}

/// What is wrong with one field, taken for itself: unknown, or of a wrong form. Pointers reach into nested objects.
fn wrong_field(name: &str, value: &Value) -> Option<FieldError> {
    let known = defaults();
    if known.get(name).is_none() {
        return Some(FieldError::new(format!("/settings/{}", escape(name)), "there is no such setting"));
    }
    let mut alone = Map::new();
    alone.insert(name.to_owned(), value.clone());
    let error = serde_path_to_error::deserialize::<_, Settings>(complete(&Value::Object(alone))).err()?;
    let path: String = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(format!("/{index}")),
            serde_path_to_error::Segment::Map { key } => Some(format!("/{}", escape(key))),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
        })
        .collect();
    let path = if path.is_empty() { format!("/{}", escape(name)) } else { path };
    Some(FieldError::new(format!("/settings{path}"), error.into_inner().to_string()))
}

/// A JSON pointer's own escapes (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
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
