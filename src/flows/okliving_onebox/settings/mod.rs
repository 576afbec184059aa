//! Settings of an `okliving-onebox` connection: names and defaults of design.md section 5, checked field by field.
//!
//! - [`words`]: settings that are one word of several
//! - [`check`]: what no single field's form shows

mod check;
pub mod words;

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    machine::{DeliveryAction, OrderAction},
    mapping::{self, Mapped, Mapping},
};
use crate::{
    domain::{clock, number},
    engine::settings::{self, Text},
    fault::FieldError,
    systems::{okliving, onebox},
};
use words::{BodyRoot, ContentField, Language, Paging, PasswordForm, Times, TokenBody, UpdateField};

/// Names of the secrets, with whether each must be given.
pub const SECRETS: &[(&str, bool)] = &[("okliving_client_secret", true), ("onebox_password", true), ("hook_token", false)];

/// Everything that can be set. Unknown names are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OklivingOneboxSettings)]
pub struct Settings {
    /// Where orders come from.
    pub okliving: Okliving,
    /// Orders that were placed before this are not sent to OneBox; `null` = since the connection was made.
    pub orders_since: Option<DateTime<Utc>>,
    /// Where they go.
    pub onebox: Onebox,
    /// By target (`recipient.phone`), where it comes from in an order; what is not named here keeps its default.
    pub mapping: Mapping,
    /// Names of the hook's fields.
    pub hook_fields: HookFields,
    /// Whether values of hooks are HTML-escaped, as OneBox's templates make them.
    pub hook_unescape: bool,
    /// Forms of waybill numbers by carrier: regular expressions, one of which must match the whole number.
    pub carriers: BTreeMap<String, String>,
    /// What a hook's action, or `stage:<statusid>`, does in the shop.
    pub status_map: BTreeMap<String, Transitions>,
    /// Brakes of the engine.
    pub brakes: Value,
    /// Fields that are never touched in any order; locks of single orders: `/connections/{id}/locks`.
    pub locks: Vec<UpdateField>,
    /// How long a plan may be approved.
    pub plan_expiry: String,
    /// How long reports and hooks are kept.
    pub keep_changes: String,
    /// Share of failed items over which nothing is sent.
    pub max_failed_share: Text,
}

/// OK Living.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Okliving {
    /// Its address.
    pub base_url: String,
    /// Name of the integration.
    pub client_id: String,
    /// Path of the token.
    pub token_path: String,
    /// How the login is sent.
    pub token_body: TokenBody,
    /// Path of the orders.
    pub orders_path: String,
    /// Path of the update.
    pub update_path: String,
    /// Body of `get-orders`: a template with `${from}`, `${to}`, `${page}`, `${offset}`, `${limit}`, `${cursor}`.
    pub request: Value,
    /// Body that asks for one order, with `${id}`; `null` = it is looked for in the ordinary list.
    pub order_request: Option<Value>,
    /// How pages are asked for.
    pub paging: Paging,
    /// Orders asked for per page.
    pub page_size: u32,
    /// How far every read goes back behind the one before: orders may become visible late.
    pub overlap: String,
    /// How often a read goes back further.
    pub sweep_every: String,
    /// How far it goes back then.
    pub sweep_back: String,
    /// Zone of times without one.
    pub timezone: String,
    /// How times are written into the request.
    pub times: Times,
    /// The shop's own words or numbers of states, where they are not Shopware's: `{"1": "open"}`.
    pub states: BTreeMap<String, String>,
    /// Whether waybill, delivery and order are sent in calls of their own.
    pub split_update: bool,
    /// Calls are so far apart.
    pub pause: String,
}

/// OneBox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OneboxSettings)]
pub struct Onebox {
    /// Address of the box.
    pub base_url: String,
    /// Login of the virtual employee.
    pub login: String,
    /// How the password is sent.
    pub password_form: PasswordForm,
    /// How long a token is used.
    pub token_life: String,
    /// Business process of new orders.
    pub workflow_id: Text,
    /// Stage of new orders.
    pub status_id: Text,
    /// Channel of new orders.
    pub source_id: Option<Text>,
    /// Currency of new orders.
    pub currency_id: Option<Text>,
    /// Title of new orders; `${number}` is the shop's number.
    pub order_name: String,
    /// What the root of a body is.
    pub body_root: BodyRoot,
    /// Begins our keys in OneBox. Another one makes every order anew.
    pub externalid_prefix: String,
    /// Whether phones begin with a plus.
    pub phone_plus: bool,
    /// Which field shows the order's text.
    pub content_field: ContentField,
    /// Custom fields: identifier in OneBox -> target of the mapping, such as `{"NpCityRef": "np.city_ref"}`.
    pub custom_fields: BTreeMap<String, String>,
    /// Language of the order's text.
    pub language: Language,
    /// Zone of the box.
    pub timezone: String,
    /// Where the waybill stands, for hooks that do not tell it; `null` = nowhere.
    pub ttn_field: Option<String>,
    /// Where the stage stands, for hooks that do not tell it; `null` = nowhere.
    pub stage_field: Option<String>,
    /// Where the comment for the customer stands, for hooks that do not tell it; `null` = nowhere.
    pub comment_field: Option<String>,
    /// Orders sent at once; those of one buyer never are.
    pub parallel: u8,
    /// Calls are so far apart.
    pub pause: String,
}

/// Names of the hook's fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HookFields {
    /// OneBox's id of the order.
    pub order: String,
    /// Our key of the order.
    pub externalid: String,
    /// Waybill.
    pub ttn: String,
    /// What is to be done: a key of `status_map`.
    pub action: String,
    /// Text for the order in the shop.
    pub comment: String,
    /// Stage of the order in OneBox.
    pub stage: String,
}

/// What is done in the shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ShopTransitions)]
pub struct Transitions {
    /// Action on the delivery.
    pub delivery: Option<DeliveryAction>,
    /// Action on the order.
    pub order: Option<OrderAction>,
}

/// The defaults of design.md section 5; those of the mapping stand beside it.
pub fn defaults() -> Value {
    let mut all: Value = serde_json::from_str(include_str!("defaults.json")).unwrap_or(Value::Null);
    if let Some(mapping) = all.get_mut("mapping") {
        *mapping = serde_json::from_str(include_str!("../mapping/defaults.json")).unwrap_or(Value::Null);
    }
    all
}

impl Settings {
    /// Reads settings; every wrong field is reported at once, by its pointer below `/settings`.
    pub fn read(given: &Value) -> Result<Self, Vec<FieldError>> {
        let settings: Self = settings::read(given, &defaults())?;
        let errors = check::errors(&settings);
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Zone of the shop.
    pub fn zone(&self) -> Tz {
        Tz::from_str(&self.okliving.timezone).unwrap_or(Tz::Europe__Kyiv)
    }

    /// Zone of the box.
    pub fn onebox_zone(&self) -> Tz {
        Tz::from_str(&self.onebox.timezone).unwrap_or(Tz::Europe__Kyiv)
    }

    /// An order through the mapping.
    pub fn map(&self, order: &Value) -> Mapped {
        mapping::evaluate(order, &self.mapping, self.zone())
    }

    /// A state of the shop in the words of its machines.
    pub fn state_word<'a>(&'a self, word: &'a str) -> &'a str {
        self.okliving.states.get(word).map_or(word, String::as_str)
    }

    /// The carrier whose form a waybill number has.
    pub fn carrier(&self, ttn: &str) -> Option<&str> {
        let whole = |form: &String| Regex::new(&format!("^(?:{form})$")).is_ok_and(|form| form.is_match(ttn));
        self.carriers.iter().find(|(_, form)| whole(form)).map(|(carrier, _)| carrier.as_str())
    }

    /// From when on orders are sent; `made` is when the connection was.
    pub fn since(&self, made: DateTime<Utc>) -> DateTime<Utc> {
        // Shops write whole seconds.
        chrono::SubsecRound::trunc_subsecs(self.orders_since.unwrap_or(made), 0)
    }

    /// Length of `okliving.overlap`, as it is to be waited.
    pub fn overlap(&self) -> Duration {
        length(&self.okliving.overlap)
    }

    /// Length of `okliving.sweep_every`, as it is to be waited.
    pub fn sweep_every(&self) -> Duration {
        length(&self.okliving.sweep_every)
    }

    /// Length of `okliving.sweep_back`, as it is to be waited.
    pub fn sweep_back(&self) -> Duration {
        length(&self.okliving.sweep_back)
    }

    /// `max_failed_share` as a number.
    pub fn failed_share(&self) -> f64 {
        number::plain(self.max_failed_share.value()).parse().unwrap_or(1.0)
    }

    /// The paging as the client takes it.
    pub fn paging(&self) -> okliving::Paging {
        match self.okliving.paging {
            Paging::None => okliving::Paging::None,
            Paging::Page => okliving::Paging::Page,
            Paging::Offset => okliving::Paging::Offset,
            Paging::Cursor => okliving::Paging::Cursor,
        }
    }

    /// The form of times as the client takes it.
    pub fn times(&self) -> okliving::request::Times {
        match self.okliving.times {
            Times::Local => okliving::request::Times::Local(self.zone()),
            Times::Iso => okliving::request::Times::Iso,
        }
    }

    /// The form of the login as the client takes it.
    pub fn token_body(&self) -> okliving::TokenBody {
        match self.okliving.token_body {
            TokenBody::Json => okliving::TokenBody::Json,
            TokenBody::Form => okliving::TokenBody::Form,
        }
    }

    /// The form of the body as the client takes it.
    pub fn body_root(&self) -> onebox::BodyRoot {
        match self.onebox.body_root {
            BodyRoot::Array => onebox::BodyRoot::Array,
            BodyRoot::IndexedObject => onebox::BodyRoot::IndexedObject,
        }
    }

    /// The form of the password as the client takes it.
    pub fn password_form(&self) -> onebox::PasswordForm {
        match self.onebox.password_form {
            PasswordForm::Plain => onebox::PasswordForm::Plain,
            PasswordForm::Md5 => onebox::PasswordForm::Md5,
        }
    }

    /// The settings that a rule or reason looked at, with their values: the answer to "why".
    pub fn behind(&self, code: &str) -> Vec<(&'static str, Value)> {
        let all = serde_json::to_value(self).unwrap_or_default();
        let value = |name: &&'static str| (*name, all.pointer(&format!("/{}", name.replace('.', "/"))).cloned().unwrap_or_default());
        names(code).iter().map(value).collect()
    }
}

fn length(text: &str) -> Duration {
    clock::scaled(clock::parse_duration(text).unwrap_or_default())
}

/// By the code of a rule or reason.
fn names(code: &str) -> &'static [&'static str] {
    match code {
        "order_before_since" => &["orders_since"],
        "order_flagged" | "order_unusable" | "order_field" | "order_field_missing" => &["mapping"],
        "bad_ttn" => &["carriers"],
        "hook_action_unknown" | "shop_transition" | "transition_not_possible" => &["status_map"],
        "onebox_setting" => &["onebox.workflow_id", "onebox.status_id", "onebox.externalid_prefix"],
        _ => &[],
    }
}

#[cfg(test)]
pub(super) mod tests;
