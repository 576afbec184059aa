//! The settings that are one word of a few.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

impl UpdateField {
    /// Its name in reports and locks.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quantity => "quantity",
            Self::Price => "price",
            Self::Special => "special",
            Self::Name => "name",
            Self::Description => "description",
            Self::Images => "images",
            Self::Categories => "categories",
            Self::Attributes => "attributes",
            Self::Manufacturer => "manufacturer",
        }
    }
}

impl std::fmt::Display for UpdateField {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
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
