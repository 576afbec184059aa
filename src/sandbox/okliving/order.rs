//! What the shop holds: orders with buyer, recipient, parcel and lines.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::machine::{DeliveryState, OrderState};

/// A person with a phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// Surname.
    pub last_name: String,
    /// First name.
    pub first_name: String,
    /// Patronymic; often empty.
    pub middle_name: String,
    /// As it was typed.
    pub phone: String,
}

/// A line of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// The product's id.
    pub id: String,
    /// Its number.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// Price of one, a decimal text with two places.
    pub price: String,
    /// How many.
    pub quantity: u32,
}

/// How an order is laid out in the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// As the sheet proposes.
    #[default]
    Plain,
    /// The buyer's and the recipient's names are one string each.
    CustomerName,
    /// There is no recipient; it is the buyer.
    NoRecipient,
    /// `shipping_city`, `shipping_warehouse` ... at the top.
    FlatShipping,
    /// `delivery_address` instead of `shipping`.
    DeliveryAddress,
    /// A courier's address instead of a branch.
    Courier,
}

/// A transition that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: DateTime<Utc>,
    /// `order` or `delivery`.
    pub machine: String,
    /// What was asked for.
    pub action: String,
    /// State before.
    pub from: String,
    /// State after.
    pub to: String,
}

/// An order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// Opaque.
    pub id: String,
    /// What people read; mostly the id.
    pub number: String,
    /// When it was placed.
    pub created: DateTime<Utc>,
    /// When anything of it was last changed.
    pub updated: DateTime<Utc>,
    /// From when on it is in lists.
    pub visible: DateTime<Utc>,
    /// State of the order.
    pub order: OrderState,
    /// State of the delivery.
    pub delivery: DeliveryState,
    /// `cod` or `card`.
    pub payment: String,
    /// The buyer's id.
    pub customer_id: String,
    /// The buyer's e-mail.
    pub email: String,
    /// Who bought.
    pub customer: Person,
    /// Who gets the parcel, if it is told.
    pub recipient: Option<Person>,
    /// City.
    pub city: String,
    /// Region.
    pub region: String,
    /// Nova Poshta's id of the city.
    pub city_ref: String,
    /// Name of the branch, number and street.
    pub warehouse: String,
    /// Its number.
    pub warehouse_number: String,
    /// Nova Poshta's id of it.
    pub warehouse_ref: String,
    /// Where a courier goes.
    pub address: Option<String>,
    /// Waybill number.
    pub tracking_number: Option<String>,
    /// All notes, one below the other.
    pub note: String,
    /// What was bought.
    pub lines: Vec<Line>,
    /// How it is laid out.
    pub shape: Shape,
    /// Transitions made by calls of the API.
    pub steps: Vec<Step>,
}
