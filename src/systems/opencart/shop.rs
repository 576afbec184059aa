//! What a shop says about itself: languages, customer groups, currency, defaults of new products.

use chrono::NaiveDate;
use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};

use super::{session::Reader, sql::Sql, text::Room};
use crate::fault::{Code, Fault};

/// One of the shop's languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language {
    /// `language_id`.
    pub id: i64,
    /// Code such as `ru-ru`.
    pub code: String,
    /// Whether visitors see it; products have texts in disabled ones too.
    pub enabled: bool,
}

/// What a shop says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// All languages, in the shop's order, disabled ones as well.
    pub languages: Vec<Language>,
    /// The store's own language, or the first one.
    pub default_language_id: i64,
    /// All customer groups: a special needs one row for each.
    pub customer_groups: Vec<i64>,
    /// Currency that prices are stored in (`config_currency`).
    pub currency: Option<String>,
    /// Offset of the shop's clock, such as `+05:00`.
    pub time_zone: String,
    /// Today by that clock.
    pub today: NaiveDate,
    /// Now by that clock, `YYYY-MM-DD HH:MM:SS`.
    pub now: String,
    /// Stock status for products without stock (`config_stock_status_id`, or the first; 0 without any).
    pub stock_status_id: i64,
    /// Default unit of weight, 0 without one.
    pub weight_class_id: i64,
    /// Default unit of length, 0 without one.
    pub length_class_id: i64,
    /// Classes of weight: (id, its unit in some language).
    pub weight_classes: Vec<(i64, String)>,
    /// What a product's name can hold.
    pub name_room: Room,
    /// What its description can hold.
    pub description_room: Room,
    /// Whether the admin notes new products for the Google extension.
    pub google_products: bool,
    /// What a person should know.
    pub notes: Vec<ShopNote>,
}

/// Something about a shop that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopNote {
    /// Its time zone is unknown to this host and to the database: UTC is used.
    TimeZoneUnknown(String),
    /// Its tables cannot hold characters such as emoji: they are left out of names and descriptions.
    NoEmoji,
}

#[derive(QueryableByName)]
struct LanguageRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = BigInt)]
    status: i64,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(QueryableByName)]
struct UnitRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    unit: String,
}

#[derive(QueryableByName)]
struct NowRow {
    #[diesel(sql_type = Text)]
    now: String,
}

impl Reader {
    /// What the shop says about itself, asked anew at each call.
    ///
    /// Errors: `TargetUnavailable`; `TargetSchema` if the shop has no language.
    pub async fn shop(&mut self) -> Result<Shop, Fault> {
        let languages = format!(
            "SELECT CAST(`language_id` AS SIGNED) AS id, `code` AS code, CAST(`status` AS SIGNED) AS status FROM {} ORDER BY `sort_order`, `language_id`",
            self.tables.language
        );
        let languages: Vec<Language> = self
            .rows::<LanguageRow>(Sql::new(languages))
            .await?
            .into_iter()
            .map(|row| Language { id: row.id, code: row.code, enabled: row.status != 0 })
            .collect();
        let own = self.setting("config_language").await?;
        let default_language_id = languages
            .iter()
            .find(|language| own.as_deref() == Some(language.code.as_str()))
            .or_else(|| languages.first())
            .map(|language| language.id)
            .ok_or_else(|| {
                Fault::new(Code::TargetSchema, format!("the table {} is empty: a shop needs a language", self.tables.language))
            })?;
        let groups =
            format!("SELECT CAST(`customer_group_id` AS SIGNED) AS id FROM {} ORDER BY `customer_group_id`", self.tables.customer_group);
        let mut customer_groups = self.ids(groups).await?;
        // Guests see the specials of this group, whether the dictionary lists it or not (facts section 3).
        let guests = self.number_setting("config_customer_group_id").await?;
        if let Some(guests) =
            guests.or(if customer_groups.is_empty() { Some(1) } else { None }).filter(|id| *id > 0 && !customer_groups.contains(id))
        {
            customer_groups.push(guests);
        }
        let stock_status_id = match self.number_setting("config_stock_status_id").await? {
            Some(id) => id,
            None => {
                let first = format!(
                    "SELECT CAST(`stock_status_id` AS SIGNED) AS id FROM {} ORDER BY `stock_status_id` LIMIT 1",
                    self.tables.stock_status
                );
                self.ids(first).await?.first().copied().unwrap_or(0)
            }
        };
        let weight_class_id = self.number_setting("config_weight_class_id").await?.unwrap_or(0);
        let length_class_id = self.number_setting("config_length_class_id").await?.unwrap_or(0);
        let now = self.now().await?;
        let today = now
            .get(..10)
            .and_then(|day| day.parse().ok())
            .ok_or_else(|| Fault::internal(format!("the shop's database gave a time that we cannot read: {now}")))?;
        let mut notes = self.notes.clone();
        if self.schema.find(&self.tables.description, "name").is_some_and(|column| !column.takes_all_characters()) {
            notes.push(ShopNote::NoEmoji);
        }
        Ok(Shop {
            languages,
            default_language_id,
            customer_groups,
            currency: self.setting("config_currency").await?,
            time_zone: self.time_zone.clone(),
            today,
            now,
            stock_status_id,
            weight_class_id,
            length_class_id,
            name_room: Room::from(self.schema.column(&self.tables.description, "name")?),
            description_room: Room::from(self.schema.column(&self.tables.description, "description")?),
            weight_classes: self.weight_classes().await?,
            google_products: self.google_products().await?,
            notes,
        })
    }

    async fn weight_classes(&mut self) -> Result<Vec<(i64, String)>, Fault> {
        let sql = format!(
            "SELECT CAST(d.`weight_class_id` AS SIGNED) AS id, d.`unit` AS unit FROM {} d JOIN {} c ON c.`weight_class_id` = d.`weight_class_id` ORDER BY d.`weight_class_id`, d.`language_id`",
            self.tables.weight_class_description, self.tables.weight_class
        );
        Ok(self.rows::<UnitRow>(Sql::new(sql)).await?.into_iter().map(|row| (row.id, row.unit)).collect())
    }

    /// The default installation has an event that adds a row for every new product (facts section 2).
    async fn google_products(&mut self) -> Result<bool, Fault> {
        if !self.schema.has(&self.tables.google_product) {
            return Ok(false);
        }
        let sql = format!(
            "SELECT CAST(COUNT(*) AS SIGNED) AS id FROM {} WHERE `trigger` = 'admin/model/catalog/product/addProduct/after' AND `action` = 'extension/advertise/google/addProduct' AND `status` = 1",
            self.tables.event
        );
        Ok(self.ids(sql).await?.first().is_some_and(|count| *count > 0))
    }

    /// Whether the shop has this tax class.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn has_tax_class(&mut self, id: i64) -> Result<bool, Fault> {
        let mut sql =
            Sql::new(format!("SELECT CAST(`tax_class_id` AS SIGNED) AS id FROM {} WHERE `tax_class_id` = ", self.tables.tax_class));
        sql.bind(id);
        Ok(!self.rows::<IdRow>(sql).await?.is_empty())
    }

    /// Whether the shop has this stock status.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn has_stock_status(&mut self, id: i64) -> Result<bool, Fault> {
        let mut sql = Sql::new(format!(
            "SELECT CAST(`stock_status_id` AS SIGNED) AS id FROM {} WHERE `stock_status_id` = ",
            self.tables.stock_status
        ));
        sql.bind(id);
        Ok(!self.rows::<IdRow>(sql).await?.is_empty())
    }

    /// Now by the shop's clock.
    pub(super) async fn now(&mut self) -> Result<String, Fault> {
        let rows = self.rows::<NowRow>(Sql::new("SELECT DATE_FORMAT(NOW(), '%Y-%m-%d %H:%i:%s') AS now")).await?;
        rows.into_iter().next().map(|row| row.now).ok_or_else(|| Fault::internal("the shop's database did not say the time"))
    }

    async fn ids(&mut self, sql: String) -> Result<Vec<i64>, Fault> {
        Ok(self.rows::<IdRow>(Sql::new(sql)).await?.into_iter().map(|row| row.id).collect())
    }

    async fn number_setting(&mut self, key: &str) -> Result<Option<i64>, Fault> {
        Ok(self.setting(key).await?.and_then(|text| text.trim().parse().ok()))
    }
}
