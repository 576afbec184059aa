//! `/sync/okliving-onebox/mapping-test`: a stored order through a mapping, before the mapping is used.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    Api,
    auth::Caller,
    json::{Body, Strict},
    problem::Answer,
};
use crate::engine::service::mapping_test::MappingTrial;

/// The flow that has a mapping of fields.
const FLOW: &str = "okliving-onebox";

/// What is to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingTestBody {
    /// Id of the connection.
    pub connection: String,
    /// Id of a stored order; give this or `raw`.
    #[serde(default)]
    pub order: Option<String>,
    /// An order as the shop sends it, instead of a stored one.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub raw: Option<Value>,
    /// Targets that differ from the connection's mapping; absent = as it is set.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub mapping: Option<Value>,
}

impl Body for MappingTestBody {
    const REQUIRED: &'static [&'static str] = &["connection"];
}

/// What a mapping makes of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappingTestView {
    /// Id of the order.
    pub order: String,
    /// Every target.
    pub fields: Vec<MappedTarget>,
    /// Its lines.
    pub lines: Vec<MappedLine>,
    /// Who takes the parcel: `recipient`, `customer` (the order names no recipient) or `nobody`.
    pub recipient: String,
    /// What a person should look at: the order is made all the same, flagged.
    pub problems: Vec<MappingProblem>,
    /// Why the order could not be used at all; null = it can.
    pub unusable: Option<MappingProblem>,
    /// What OneBox would be sent.
    pub onebox: Vec<SentField>,
}

/// One target of a mapping.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappedTarget {
    /// Its name.
    #[schema(example = "recipient.phone")]
    pub target: String,
    /// What it came to; empty = nothing.
    #[schema(example = "380670000001")]
    pub value: String,
    /// The JSON pointer that it stood at; null = nowhere, or the default.
    #[schema(example = "/recipient/phone")]
    pub from: Option<String>,
    /// What stood there.
    #[schema(example = "067 000 00 01")]
    pub raw: String,
    /// What was done to it.
    pub transforms: Vec<String>,
    /// It passed its checks.
    pub fine: bool,
    /// What a person should know.
    pub notes: Vec<MappingNote>,
}

/// A remark on a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappingNote {
    /// Stable code.
    pub code: String,
    /// The same as a sentence.
    pub text: String,
}

/// One line of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappedLine {
    /// The shop's id of the product.
    pub id: String,
    /// Its article.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// How many, as a decimal.
    pub quantity: String,
    /// Price of one, as a decimal.
    pub price: String,
}

/// Something that is wrong with an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct MappingProblem {
    /// The target.
    pub field: String,
    /// Stable code.
    pub code: String,
    /// The same as a sentence.
    pub text: String,
}

/// One field as OneBox would get it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentField {
    /// Its name in OneBox.
    pub field: String,
    /// Its value.
    pub value: Value,
}

/// Try a mapping
///
/// Sends a stored order (or one given as `raw`) through the mapping of a connection, with the targets in `mapping` laid over it, and shows for each
/// target its value, where it came from and what is wrong with it, and what OneBox would be sent. Nothing is stored, nothing is sent.
#[utoipa::path(tag = "Hooks", request_body = MappingTestBody, responses((status = 200, description = "What the mapping makes of it", body = MappingTestView)))]
#[post("/sync/okliving-onebox/mapping-test")]
pub async fn test_mapping(api: web::Data<Api>, caller: Caller, body: Strict<MappingTestBody>) -> Answer {
    let MappingTestBody { connection, order, raw, mapping } = body.value;
    let trial = MappingTrial { connection, item: order, raw, mapping };
    let shown = api.service.test_mapping(&caller.scope, FLOW, trial).await?;
    Ok(HttpResponse::Ok().json(shown))
}
