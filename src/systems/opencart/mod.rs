//! OpenCart 3.0.3.8 (and its relatives such as ocStore) as a database: what stands in a shop, and how it is changed.
//!
//! | you want to know | read |
//! |---|---|
//! | which shop, whose products | [`options`], `seller` |
//! | how a session is opened and locked | `session` ([`Reader`], [`Writer`]) |
//! | what stands there | `shop`, `observe`, `candidates` |
//! | what the site itself has sold | `sales` |
//! | how products are changed | `update`, `details` (texts, manufacturer, attributes), [`special`] (pure), `special_write`, `batch` |
//! | which categories there are, and which products stand in them | `categories` |
//! | how products are made | `create`, `create_rows`, `attributes`, `addresses` (SEO), `keyword`, `weight`, `text` |
//! | what products share by name | [`dictionary`] |
//! | sizes and colours with their own stock | `option_values` |
//! | pictures | `pictures` (rows), `image_folder` (files), [`bridge`] (files, where the disk is not ours) |
//! | what is cleared afterwards | `cache` |
//! | statements, columns found at run time | `sql`, `schema` |
//!
//! Quirks that shape everything here (measured; facts about OpenCart):
//! - 134 of 136 tables are MyISAM: no transactions, one lock a table. So every step is safe to repeat, writes wait behind readers
//!   (`low_priority_updates`), and a batch has at most 1,000 rows.
//! - The shop is never strict and sets its own `sql_mode` and `time_zone`; so do we, and we check lengths and numbers ourselves,
//!   since a lenient server cuts and bends them silently.
//! - No foreign and hardly any unique keys; ids are reused after a restore. A product is itself only with its `date_added`.
//! - Text is stored HTML-escaped once. The shop's collation ignores case, accents and trailing blanks.

mod addresses;
mod attributes;
mod batch;
pub mod bridge;
mod cache;
mod candidates;
mod categories;
mod create;
mod create_rows;
#[cfg(test)]
mod create_tests;
mod details;
pub mod dictionary;
mod image_folder;
mod keyword;
mod observe;
mod option_values;
pub mod options;
mod pictures;
mod sales;
mod schema;
mod seller;
mod session;
mod shop;
pub mod special;
mod special_write;
mod sql;
#[cfg(test)]
mod testing;
mod text;
mod update;
#[cfg(test)]
mod update_tests;
mod weight;
mod zone;

pub use crate::db::DatabaseUrl;
pub use bridge::Bridge;
pub use cache::Forget;
pub use candidates::{Lookup, Match};
pub use categories::{Filing, ShopCategory};
pub use create::{Created, NewProduct, Note};
pub use details::{Details, DetailsUpdate, Texts};
pub use dictionary::{Dictionary, Entry, Standing, same_name};
pub use image_folder::ImageFolder;
pub use observe::{Product, Special};
pub use option_values::{OptionValueUpdate, ProductOption};
pub use options::{KeyColumn, Options, SellerAdapter};
pub use pictures::{PicturesAgain, ProductPictures, Standing as StandingPictures};
pub use sales::{Shelf, Sold};
pub use session::{Reader, Writer};
pub use shop::{Language, Shop, ShopNote};
pub use special::{Ending, Scope, SpecialOp, SpecialWish, Want, plan_specials, special_differs, special_is_live, visible_special};
pub use text::{Room, escape, unescape};
pub use update::{ProductUpdate, Written};
pub use weight::{Weight, WeightUnit};
