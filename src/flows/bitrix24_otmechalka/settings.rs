//! Settings of a `bitrix24-otmechalka` connection: names and defaults of design.md section 5, checked field by field. Every code of the
//! document is a default in `defaults.json`.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use rust_decimal::{Decimal, prelude::ToPrimitive};
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
};

/// Names of the secrets, with whether each must be given.
pub const SECRETS: &[(&str, bool)] = &[("bitrix24_webhook_url", true), ("otmechalka_key", false)];

/// Longest that a call of otmechalka may last.
pub(super) const LONGEST_TIMEOUT: Duration = Duration::from_secs(25);

/// How user fields begin: a status is written into nothing else.
const USER_FIELD: &str = "UF_CRM_";

/// Everything that can be set. Unknown names are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Bitrix24OtmechalkaSettings)]
pub struct Settings {
    /// `YYYY-MM-DD`, from its first minute in `timezone` on: what was created before is not synchronised.
    pub sync_start_date: String,
    /// The portal's time zone.
    pub timezone: String,
    /// Codes of the contact's fields.
    pub contact_fields: ContactFields,
    /// Codes of the deal's fields.
    pub deal_fields: DealFields,
    /// Which deals are subscriptions.
    pub deal_filter: DealFilter,
    /// What becomes of a ticket whose client was never sent because the contact is older than `sync_start_date`.
    pub old_contacts: OldContacts,
    /// Whether a client is linked to the branch office that sold them a ticket.
    pub link_branch_by_ticket: bool,
    /// What becomes of values.
    pub mapping: Mapping,
    /// The portal.
    pub bitrix24: Bitrix24,
    /// Where it goes.
    pub otmechalka: Otmechalka,
    /// Brakes of the engine.
    pub brakes: Value,
    /// No field of this flow can be locked by itself; locks of single contacts and deals: `/connections/{id}/locks`.
    pub locks: Vec<String>,
    /// How long a plan may be approved.
    pub plan_expiry: String,
    /// How long old values are kept.
    pub keep_changes: String,
    /// Share of failed items over which nothing is changed. 1 = never: who has wrong data must see its status.
    pub max_failed_share: Text,
}

/// Codes of fields of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactFields {
    /// The pupil's surname.
    pub last_name: String,
    /// The pupil's first name.
    pub first_name: String,
    /// Products (a list).
    pub product: String,
    /// Branches (a list).
    pub branch: String,
    /// The pupil's date of birth.
    pub birthdate: String,
    /// The parent's surname.
    pub parent_last_name: String,
    /// The parent's first name.
    pub parent_first_name: String,
    /// Where "Статус синхронизации" is written; nothing else ever is.
    pub status: String,
}

/// Codes of fields of a deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DealFields {
    /// Date of sale.
    pub sale_date: String,
    /// Branches (a list).
    pub branch: String,
    /// Way of payment.
    pub payment: String,
    /// Where "Статус синхронизации" is written.
    pub status: String,
}

/// Which deals are subscriptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DealFilter {
    /// Ids of pipelines; `null` = all. A stage without a prefix then stands for that of each of them.
    #[schema(value_type = Option<Vec<String>>)]
    pub categories: Option<Vec<Text>>,
    /// Stages, such as `WON` and `C3:WON`.
    pub stages: Vec<String>,
    /// Names or ids of products; `null` = all.
    #[schema(value_type = Option<Vec<String>>)]
    pub products: Option<Vec<Text>>,
}

/// What becomes of a ticket whose client was never sent because the contact is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OldContacts {
    /// It waits, with a status that says so.
    Park,
    /// The client is made from the old contact.
    Create,
}

/// What becomes of values. An entry with an empty text is switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Bitrix24OtmechalkaMapping)]
pub struct Mapping {
    /// Products of a contact, by the id of the list value: the direction each stands for.
    pub products: BTreeMap<String, String>,
    /// Branches of a contact, by the id of the list value.
    pub contact_branches: BTreeMap<String, String>,
    /// Branches of a deal, by the id of the list value.
    pub deal_branches: BTreeMap<String, String>,
    /// Ways of payment that are cash; all others are not.
    pub cash_payment: Vec<String>,
    /// What each direction is in otmechalka.
    pub directions: BTreeMap<String, Direction>,
    /// The exact name of each branch's office in otmechalka.
    pub branchoffices: BTreeMap<String, String>,
    /// Which price of the product row is the one without discount.
    pub price_initial: PriceInitial,
    /// The only currency that is taken.
    pub currency: String,
    /// Sent for every client: Bitrix24 knows no gender.
    pub gender: String,
    /// What is written into the status field when all is well.
    pub success: String,
}

/// A direction in otmechalka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OtmechalkaDirection)]
pub struct Direction {
    /// Exact names of its courses.
    pub courses: Vec<String>,
    /// Exact name of its branch office, whatever branch the contact has; `null` = that of the contact's branches.
    pub branchoffice: Option<String>,
}

/// Which price of the product row is the one without discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum PriceInitial {
    /// `PRICE_BRUTTO`.
    #[serde(rename = "PRICE_BRUTTO")]
    Brutto,
    /// `PRICE_NETTO`.
    #[serde(rename = "PRICE_NETTO")]
    Netto,
}

/// The portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bitrix24 {
    /// 2 on ordinary plans, 5 on Enterprise.
    pub requests_per_second: Text,
    /// Of the seconds that a method may run in ten minutes (480), so many are used.
    pub operating_seconds: u64,
    /// How far a read reaches back behind the former one.
    pub overlap: String,
    /// How old the last read of everything may become.
    pub full_every: String,
}

/// otmechalka. Its API is only proposed, so all of it can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Otmechalka {
    /// Its address.
    pub base_url: String,
    /// A header with its text, such as `Authorization: Token {key}` or `Authorization: Basic {basic}`; `null` = none.
    pub auth_header: Option<String>,
    /// Where clients are.
    pub clients_path: String,
    /// Where tickets are.
    pub tickets_path: String,
    /// Pace of calls.
    pub requests_per_second: Text,
    /// For one call; 25s at most, since a call must end before a run's lease could.
    pub timeout: String,
    /// How long after a lost answer what was made may still not be found.
    pub lookup_lag: String,
    /// Whether courses and branch offices are sent by id or by name.
    pub ids_as: IdsAs,
    /// Ids of courses by their exact names.
    pub courses: BTreeMap<String, String>,
    /// Ids of branch offices by their exact names.
    pub branchoffices: BTreeMap<String, String>,
    /// A refusal with one of these words speaks of the limit of 5000 active clients.
    pub limit_words: Vec<String>,
}

/// How courses and branch offices are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdsAs {
    /// By id.
    Id,
    /// By name.
    Name,
}

/// The defaults, in `defaults.json`.
pub fn defaults() -> Value {
    serde_json::from_str(include_str!("defaults.json")).unwrap_or(Value::Null)
}

impl Settings {
    /// Reads settings; every wrong field is reported at once, by its pointer below `/settings`.
    pub fn read(given: &Value) -> Result<Self, Vec<FieldError>> {
        let settings: Self = settings::read(given, &defaults())?;
        let errors = super::wrong::fields(&settings);
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// The first moment that counts: 00:00 of `sync_start_date` in the portal's zone. Where a clock change leaves that minute out, the next.
    pub fn start(&self) -> Option<DateTime<Utc>> {
        let day = NaiveDate::parse_from_str(&self.sync_start_date, "%Y-%m-%d").ok()?;
        let zone: Tz = self.timezone.parse().ok()?;
        (0..4)
            .find_map(|hour| zone.from_local_datetime(&day.and_time(NaiveTime::from_hms_opt(hour, 0, 0)?)).earliest())
            .map(|start| start.to_utc())
    }

    /// Calls of the portal are so far apart.
    pub fn portal_spacing(&self) -> Duration {
        spacing(&self.bitrix24.requests_per_second)
    }

    /// Calls of otmechalka are so far apart.
    pub fn otmechalka_spacing(&self) -> Duration {
        spacing(&self.otmechalka.requests_per_second)
    }

    /// The settings that a rule or reason looked at, with their values: the answer to "why".
    pub fn behind(&self, code: &str) -> Vec<(&'static str, Value)> {
        let all = serde_json::to_value(self).unwrap_or_default();
        let value = |name: &&'static str| (*name, all.pointer(&format!("/{}", name.replace('.', "/"))).cloned().unwrap_or_default());
        names(code).iter().map(value).collect()
    }
}

/// Time between calls, rounded up to a millisecond.
pub(super) fn spacing(per_second: &Text) -> Duration {
    let millis = Decimal::ONE_THOUSAND.checked_div(per_second.value()).and_then(|millis| millis.ceil().to_u64());
    Duration::from_millis(millis.unwrap_or(1_000))
}

/// A duration that was checked before.
pub(super) fn duration(text: &str) -> Duration {
    clock::parse_duration(text).unwrap_or_default()
}

/// By the code of a rule or reason.
fn names(code: &str) -> &'static [&'static str] {
    match code {
        "before_start_date" | "client_too_old" => &["sync_start_date", "timezone", "old_contacts"],
        "not_a_subscription" => &["deal_filter"],
        "nothing_supported" => &["mapping.products", "mapping.contact_branches", "mapping.directions"],
        "deal_branch_not_supported" | "deal_branch_several" => &["mapping.deal_branches"],
        "otmechalka_id_missing" => &["otmechalka.ids_as", "otmechalka.courses", "otmechalka.branchoffices"],
        "deal_prices_do_not_add_up" => &["mapping.price_initial"],
        "deal_not_roubles" => &["mapping.currency"],
        _ => &[],
    }
}

/// What is wrong with a share from 0 to 1.
pub(super) fn is_share(text: &Text) -> bool {
    number::parse_decimal(&text.0).is_some_and(|share| (Decimal::ZERO..=Decimal::ONE).contains(&share))
}

/// What is wrong with brakes.
pub(super) fn wrong_brakes(brakes: &Value) -> Vec<FieldError> {
    limits::check(brakes)
}

/// Whether a code is that of a user field.
pub(super) fn is_user_field(code: &str) -> bool {
    code.strip_prefix(USER_FIELD)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

#[cfg(test)]
#[path = "settings_tests.rs"]
pub(super) mod tests;
