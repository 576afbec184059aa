//! An order as the answer lays it out (sheet 4.1 and the variants of 7).

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Kyiv;
use serde_json::{Map, Number, Value, json};

use super::{Money, Order, Person, Shape, Switches, Times, machine::Machine};

/// A moment as the shop writes it.
pub fn moment(at: DateTime<Utc>, times: Times) -> String {
    match times {
        Times::Local => at.with_timezone(&Kyiv).format("%Y-%m-%d %H:%M:%S").to_string(),
        Times::Iso => at.format("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string(),
    }
}

fn kopecks(price: &str) -> u64 {
    let (whole, part) = price.split_once('.').unwrap_or((price, "00"));
    whole.parse::<u64>().unwrap_or_default() * 100 + part.parse::<u64>().unwrap_or_default()
}

fn money(kopecks: u64, how: Money) -> Value {
    let text = format!("{}.{:02}", kopecks / 100, kopecks % 100);
    match how {
        Money::Text => json!(text),
        Money::Number => text.parse::<Number>().map_or(Value::Null, Value::Number),
        Money::Minor => json!(kopecks),
    }
}

fn full(person: &Person) -> String {
    [&person.last_name, &person.first_name, &person.middle_name].map(String::as_str).join(" ").trim_end().to_owned()
}

fn state<M: Machine>(state: M, number: u8, switches: &Switches) -> Value {
    if switches.status_numbers { json!(number) } else { json!(state.word()) }
}

/// One order.
pub fn of(order: &Order, switches: &Switches) -> Value {
    let shape = switches.shape.unwrap_or(order.shape);
    let recipient = order.recipient.as_ref().unwrap_or(&order.customer);
    let mut subtotal = 0;
    let products: Vec<Value> = order
        .lines
        .iter()
        .map(|line| {
            let price = kopecks(&line.price);
            let total = price * u64::from(line.quantity);
            subtotal += total;
            json!({"id": line.id, "sku": line.sku, "name": line.name, "price": money(price, switches.money), "quantity": line.quantity,
                "total": money(total, switches.money)})
        })
        .collect();
    let zero = money(0, switches.money);
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| {
        all.insert(name.to_owned(), value);
    };
    put("id", json!(order.id));
    put("number", json!(order.number));
    put("created_at", json!(moment(order.created, switches.times)));
    put("updated_at", json!(moment(order.updated, switches.times)));
    put(
        "statuses",
        json!({"order": state(order.order, order.order as u8, switches), "delivery": state(order.delivery, order.delivery as u8, switches),
            "payment": "open"}),
    );
    put("note", json!(order.note));
    put("tracking_number", json!(order.tracking_number));
    put("payment", json!({"type": order.payment, "status": "open"}));
    put("products", json!(products));
    let total = money(subtotal, switches.money);
    put("totals", json!({"subtotal": total, "discount": zero, "shipping": zero, "grand_total": total, "currency": "UAH"}));
    if shape == Shape::CustomerName {
        put(
            "customer",
            json!({"id": order.customer_id, "name": full(&order.customer), "phone": order.customer.phone, "email": order.email}),
        );
        put("recipient", json!({"name": full(recipient), "phone": recipient.phone}));
    } else {
        let buyer = &order.customer;
        put(
            "customer",
            json!({"id": order.customer_id, "first_name": buyer.first_name, "last_name": buyer.last_name, "middle_name": buyer.middle_name,
                "phone": buyer.phone, "email": order.email}),
        );
        if shape != Shape::NoRecipient {
            put(
                "recipient",
                json!({"first_name": recipient.first_name, "last_name": recipient.last_name, "middle_name": recipient.middle_name,
                    "phone": recipient.phone}),
            );
        }
    }
    match shape {
        Shape::FlatShipping => {
            put("shipping_type", json!("nova_poshta_warehouse"));
            put("shipping_city", json!(order.city));
            put("shipping_city_ref", json!(order.city_ref));
            put("shipping_warehouse", json!(order.warehouse));
            put("shipping_warehouse_ref", json!(order.warehouse_ref));
            put("shipping_price", zero);
        }
        Shape::DeliveryAddress => put(
            "delivery_address",
            json!({"city": order.city, "region": order.region, "warehouse": order.warehouse, "warehouse_number": order.warehouse_number,
                "city_ref": order.city_ref, "warehouse_ref": order.warehouse_ref}),
        ),
        _ => {
            let courier = order.address.is_some();
            let given = |text: &String| if text.is_empty() { Value::Null } else { json!(text) };
            put(
                "shipping",
                json!({"type": if courier { "nova_poshta_courier" } else { "nova_poshta_warehouse" }, "price": zero, "city": order.city,
                    "region": order.region, "city_ref": order.city_ref, "warehouse": given(&order.warehouse),
                    "warehouse_number": given(&order.warehouse_number), "warehouse_ref": given(&order.warehouse_ref), "address": order.address}),
            );
        }
    }
    Value::Object(all)
}
