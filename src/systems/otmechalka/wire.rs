//! Bodies as the proposal writes them (fact sheet, section 5).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A client (visitor). The same body makes and changes one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The outside id: the contact's id.
    pub origin_id: String,
    /// The pupil's surname.
    pub last_name: String,
    /// The pupil's first name.
    pub first_name: String,
    /// Digits only.
    pub phone: String,
    /// First e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Ids or names of courses.
    pub courses: Vec<String>,
    /// Ids or names of branch offices.
    pub branchoffices: Vec<String>,
    /// `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    /// `M` or `F`.
    pub gender: String,
    /// Surname and first name of the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_data: Option<String>,
}

/// A ticket (subscription). There is no call that changes one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The outside id: the deal's id.
    pub origin_id: String,
    /// The outside id of its client.
    pub client_origin_id: String,
    /// Name of its type.
    pub ticket_type: String,
    /// Price without discount, roubles with two decimals.
    pub price_initial: String,
    /// Discount.
    pub discount: String,
    /// Price with discount.
    pub price_final: String,
    /// `YYYY-MM-DD`.
    pub selling_date: String,
    /// Id or name of the branch office that sold it.
    pub selling_branchoffice: String,
    /// First name and surname of who sold it.
    pub employee: String,
    /// `CASH` or `ONLINE`.
    pub payment_method: String,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The service's own id.
    pub id: String,
    /// All that it told.
    pub body: Value,
}

impl Found {
    /// A list of ids or names in what was told, as texts; `None` where it is not told.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let one = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Object(object) => {
                object.get("id").or_else(|| object.get("name")).map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
            }
            _ => None,
        };
        self.body.get(name)?.as_array().map(|values| values.iter().filter_map(one).collect())
    }
}
