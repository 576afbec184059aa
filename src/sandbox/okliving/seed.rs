//! Invented orders: the same numbers, the same orders. Most are in order, some are odd.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::{
    super::billz2::chance::{Chance, mix},
    order::{Line, Order, Person, Shape},
};

const SURNAMES: [&str; 8] = ["Тестова", "Прикладна", "Зразкова", "Вигадана", "Д'яченко", "Мар’яненко", "Ґудзик", "Їжакова"];
const NAMES: [&str; 6] = ["Олена", "В'ячеслав", "Софія", "Іван", "Соломія", "Євген"];
const CITIES: [(&str, &str); 4] =
    [("Львів", "Львівська"), ("Київ", "Київська"), ("Кам'янець-Подільський", "Хмельницька"), ("Одеса", "Одеська")];
const GOODS: [(&str, &str, u32); 4] = [
    ("PL-150-GR", "Плед 150x200", 79_950),
    ("PO-50-WH", "Подушка 50x70", 34_900),
    ("RU-70-BL", "Рушник 70x140", 24_925),
    ("KO-200", "Ковдра 200x220", 189_900),
];

/// The layout of an order by its number: three of ten are not as the sheet proposes.
pub const fn shape(number: u64) -> Shape {
    match number % 20 {
        3 => Shape::CustomerName,
        6 => Shape::NoRecipient,
        9 => Shape::FlatShipping,
        12 => Shape::DeliveryAddress,
        15 => Shape::Courier,
        _ => Shape::Plain,
    }
}

/// The id of an order by its number: digits, some with zeros before them, some 32 hex digits.
pub fn id(number: u64) -> String {
    if number.is_multiple_of(17) {
        return format!("{:016x}{:016x}", mix(number), mix(number ^ 0xFFFF));
    }
    if number.is_multiple_of(13) { format!("000{number:07}") } else { (100_000_000 + number).to_string() }
}

fn pick<'a>(chance: &mut Chance, words: &[&'a str]) -> &'a str {
    chance.pick(words).copied().unwrap_or_default()
}

fn phone(chance: &mut Chance) -> String {
    let digits = format!("{:07}", chance.below(10_000_000));
    let (a, b, c) = (digits.get(..3).unwrap_or_default(), digits.get(3..5).unwrap_or_default(), digits.get(5..).unwrap_or_default());
    match chance.below(4) {
        0 => format!("+38 (050) {a}-{b}-{c}"),
        1 => format!("067{digits}"),
        2 => format!("38063{digits}"),
        _ => format!("8 (097) {a} {b} {c}"),
    }
}

fn person(chance: &mut Chance) -> Person {
    Person {
        last_name: pick(chance, &SURNAMES).to_owned(),
        first_name: pick(chance, &NAMES).to_owned(),
        middle_name: if chance.percent(30) { "Іванівна".to_owned() } else { String::new() },
        phone: phone(chance),
    }
}

fn reference(value: u64) -> String {
    uuid::Builder::from_random_bytes(((u128::from(mix(value)) << 64) | u128::from(mix(value ^ 7))).to_be_bytes()).into_uuid().to_string()
}

/// Order `number` as it was placed at a moment.
pub fn order(number: u64, seed: u64, created: DateTime<Utc>) -> Order {
    let mut chance = Chance::new(seed, 0x6f6b_0000_0000 + number);
    let customer = person(&mut chance);
    // Half of the parcels go to somebody else.
    let recipient = if chance.percent(50) { person(&mut chance) } else { customer.clone() };
    let (city, region) = chance.pick(&CITIES).copied().unwrap_or_default();
    let warehouse = chance.between(1, 40);
    let shape = shape(number);
    let count = chance.between(1, 3);
    let first = chance.below(GOODS.len() as u64);
    let lines = (0..count)
        .filter_map(|place| GOODS.iter().cycle().nth(usize::try_from(first + place).unwrap_or_default()))
        .enumerate()
        .map(|(place, (sku, name, kopecks))| Line {
            id: (880 + u64::from(*kopecks) % 97).to_string(),
            sku: (*sku).to_owned(),
            name: (*name).to_owned(),
            price: format!("{}.{:02}", kopecks / 100, kopecks % 100),
            quantity: place as u32 + 1,
        })
        .collect();
    let courier = shape == Shape::Courier;
    Order {
        id: id(number),
        number: if number.is_multiple_of(17) { (100_000_000 + number).to_string() } else { id(number) },
        created,
        updated: created,
        visible: created,
        payment: if chance.percent(60) { "cod" } else { "card" }.to_owned(),
        customer_id: (5_000 + number).to_string(),
        email: format!("buyer{number}@example.com"),
        customer,
        recipient: (shape != Shape::NoRecipient).then_some(recipient),
        city: city.to_owned(),
        region: region.to_owned(),
        city_ref: reference(city.len() as u64),
        warehouse: if courier {
            String::new()
        } else {
            format!("Відділення №{warehouse}: вул. Прикладна, {warehouse}")
        },
        warehouse_number: if courier { String::new() } else { warehouse.to_string() },
        warehouse_ref: if courier { String::new() } else { reference(1_000 + warehouse) },
        address: courier.then(|| format!("вул. Прикладна, {warehouse}, кв. 7")),
        lines,
        shape,
        ..Order::default()
    }
}

/// The orders that are there at the beginning: one each five minutes, long ago, so that no clock is before them.
pub fn orders(count: usize, seed: u64) -> BTreeMap<String, Order> {
    // 2021-03-14 09:00:00 UTC.
    let start = DateTime::from_timestamp(1_615_712_400, 0).unwrap_or_default();
    (1..=count as u64)
        .map(|number| {
            let order = order(number, seed, start + Duration::minutes(5 * i64::try_from(number).unwrap_or_default()));
            (order.id.clone(), order)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_orders_and_no_id_twice() {
        assert_eq!(orders(200, 3), orders(200, 3));
        assert_ne!(orders(200, 3), orders(200, 4));
        assert_eq!(orders(2_000, 3).len(), 2_000);
        assert!(id(13).starts_with("000") && id(17).len() == 32);
    }
}
