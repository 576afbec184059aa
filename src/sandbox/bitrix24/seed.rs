//! The invented portal: the same numbers, the same people and sales. Most are in order; some are odd, each in one way, as the requirement's corner
//! cases and the sheets' traps name them.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use super::{
    super::billz2::chance::Chance,
    entity::{Entity, Row, User},
    fields::{BIRTHDATE, BRANCH, PAYMENT, PRODUCT, PUPIL_FIRST_NAME, PUPIL_LAST_NAME, SALE_DATE, STRANGER},
};

/// What is odd about a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactOddity {
    /// Nothing.
    None,
    /// It has no phone at all.
    NoPhone,
    /// Its only phone is no phone.
    BadPhone,
    /// It has two phones; the first counts.
    TwoPhones,
    /// It has no e-mail.
    NoEmail,
    /// The parent's whole name stands in NAME.
    NameInOneField,
    /// The pupil's names are empty.
    NoPupilName,
    /// Only products that the integration does not know.
    UnknownProduct,
    /// Classroom in a branch that the integration does not know.
    UnknownBranch,
    /// Classroom without a branch.
    NoBranch,
    /// Online, in an unknown branch.
    OnlineUnknownBranch,
    /// Classroom and online.
    BothProducts,
    /// Classroom in two branches.
    TwoBranches,
    /// Created before the synchronisation began.
    Old,
    /// The birthday is no date.
    BadBirthdate,
    /// The same pupil and phone as the contact before.
    Double,
}

/// The oddity of a contact by its number: one of fifty in each way, so that sixty contacts hold them all.
pub const fn contact_oddity(number: u64) -> ContactOddity {
    match number % 50 {
        4 => ContactOddity::NoPhone,
        7 => ContactOddity::BadPhone,
        9 => ContactOddity::TwoPhones,
        11 => ContactOddity::NoEmail,
        14 => ContactOddity::NameInOneField,
        17 => ContactOddity::NoPupilName,
        20 => ContactOddity::UnknownProduct,
        23 => ContactOddity::UnknownBranch,
        26 => ContactOddity::NoBranch,
        28 => ContactOddity::OnlineUnknownBranch,
        31 => ContactOddity::BothProducts,
        34 => ContactOddity::TwoBranches,
        37 => ContactOddity::Old,
        41 => ContactOddity::BadBirthdate,
        44 => ContactOddity::Double,
        _ => ContactOddity::None,
    }
}

/// What is odd about a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealOddity {
    /// Nothing.
    None,
    /// No product row.
    NoRow,
    /// Two product rows.
    TwoRows,
    /// Two pieces of one ticket.
    Quantity,
    /// Sold in dollars.
    NotRoubles,
    /// No contact.
    NoContact,
    /// Price without discount minus discount is not the price.
    PricesDoNotAddUp,
    /// Its employee resolves to nobody (a bot).
    EmployeeUnknown,
    /// Two known branches.
    TwoBranches,
    /// Only an unknown branch.
    UnknownBranch,
    /// One known branch and an unknown one.
    KnownAndUnknownBranch,
    /// The branch is empty.
    NoBranch,
    /// Lost.
    Lost,
    /// Still in work.
    New,
    /// Won in another pipeline.
    OtherPipeline,
    /// No subscription: a tournament.
    Tournament,
    /// Created before the synchronisation began.
    Old,
    /// Paid in cash.
    Cash,
    /// No day of sale.
    NoSaleDate,
}

/// The oddity of a deal by its number. Its contact may be odd besides: that of deal 37 is older than the synchronisation, that of deal 4 has no phone.
pub const fn deal_oddity(number: u64) -> DealOddity {
    match number % 50 {
        2 => DealOddity::NoRow,
        5 => DealOddity::TwoRows,
        8 => DealOddity::Quantity,
        10 => DealOddity::NotRoubles,
        12 => DealOddity::NoContact,
        13 => DealOddity::PricesDoNotAddUp,
        15 => DealOddity::EmployeeUnknown,
        16 => DealOddity::TwoBranches,
        18 => DealOddity::UnknownBranch,
        19 => DealOddity::KnownAndUnknownBranch,
        21 => DealOddity::NoBranch,
        24 => DealOddity::Lost,
        25 => DealOddity::New,
        27 => DealOddity::OtherPipeline,
        30 => DealOddity::Tournament,
        32 => DealOddity::Old,
        35 => DealOddity::Cash,
        38 => DealOddity::NoSaleDate,
        _ => DealOddity::None,
    }
}

/// Names of tickets, as otmechalka has them too.
pub const TICKETS: [&str; 4] = ["6 КМС индивидуальные 45 мин", "8 групповых занятий", "Он-лайн 4 занятия", "12 групповых занятий"];
/// The employee whom nobody finds.
pub const NOBODY: u64 = 4_040;
/// A person who edits by hand.
pub const PERSON: u64 = 9;

const SURNAMES: [&str; 8] = ["Тестова", "Примерова", "Образцова", "Выдумкина", "Ладьина", "Слонова", "Пешкина", "Конева"];
const PUPILS: [&str; 8] = ["Аля", "Боря", "Вера", "Гриша", "Даша", "Егор", "Женя", "Зоя"];
const PARENTS: [&str; 4] = ["Мария", "Ольга", "Пётр", "Иван"];

/// Id of contact `number`.
pub const fn contact_id(number: u64) -> u64 {
    1_000 + 2 * number
}

/// Id of deal `number`.
pub const fn deal_id(number: u64) -> u64 {
    96_000 + 2 * number
}

/// Another first name for a pupil than the one it has.
pub fn other_pupil(chance: &mut Chance, but: &str) -> String {
    let others: Vec<&str> = PUPILS.into_iter().filter(|name| *name != but).collect();
    chance.pick(&others).copied().unwrap_or_default().to_owned()
}

fn pick<'a>(chance: &mut Chance, words: &[&'a str]) -> &'a str {
    chance.pick(words).copied().unwrap_or_default()
}

/// When thing `number` was made: one a quarter of an hour, so several thousand fill two months. Long ago, so that no clock is before it.
fn created(number: u64, old: bool) -> DateTime<Utc> {
    // 2021-01-11 09:00:00 and 2020-11-02 09:00:00 in Moscow.
    let start = if old { 1_604_296_800 } else { 1_610_344_800 };
    let minutes = i64::try_from(number % 20_000 / 5).unwrap_or_default() * 15;
    DateTime::from_timestamp(start, 0).unwrap_or_default() + Duration::minutes(if old { minutes % 10_000 } else { minutes })
}

fn phone(number: u64, form: u64) -> String {
    let digits = format!("{:07}", number % 10_000_000);
    let (a, b, c) = (digits.get(..3).unwrap_or_default(), digits.get(3..5).unwrap_or_default(), digits.get(5..).unwrap_or_default());
    match form {
        0 => format!("8 (999) {a}-{b}-{c}"),
        1 => format!("+7 (999) {digits}"),
        2 => format!("999{digits}"),
        _ => format!("+7999{digits}"),
    }
}

/// The contacts of a new portal.
pub fn contacts(count: usize, seed: u64) -> BTreeMap<u64, Entity> {
    (1..=count as u64).map(|number| (contact_id(number), contact(number, seed))).collect()
}

fn contact(number: u64, seed: u64) -> Entity {
    let oddity = contact_oddity(number);
    // A double is the person before it once more, under an id of its own.
    let who = if oddity == ContactOddity::Double { number - 1 } else { number };
    let mut chance = Chance::new(seed, 0x6224_0000 + who);
    let surname = pick(&mut chance, &SURNAMES).to_owned();
    let (pupil, parent) = (pick(&mut chance, &PUPILS), pick(&mut chance, &PARENTS));
    let year = chance.between(2_008, 2_017);
    let birthdate = format!("{year}-{:02}-{:02}T03:00:00+03:00", chance.between(1, 12), chance.between(1, 28));
    let (online, skolkovo) = (chance.percent(30), chance.percent(40));
    let mut made = Entity::new();
    made.id = contact_id(number);
    made.created = created(number, oddity == ContactOddity::Old);
    made.modified = made.created + Duration::seconds(i64::try_from(number % 3).unwrap_or_default());
    made.modified_by = PERSON;
    made.set("NAME", parent);
    made.set("LAST_NAME", surname.as_str());
    made.set("ASSIGNED_BY_ID", "9");
    made.set("CREATED_BY_ID", "9");
    made.set("EXPORT", "Y");
    made.set("TYPE_ID", "1");
    made.set("BIRTHDATE", "1985-01-02T03:00:00+03:00");
    made.set(PUPIL_LAST_NAME, surname.as_str());
    made.set(PUPIL_FIRST_NAME, pupil);
    made.set(BIRTHDATE, birthdate);
    made.set(PRODUCT, if online { json!([410]) } else { json!([404]) });
    made.set(BRANCH, if skolkovo { json!([12_708]) } else { json!([48]) });
    made.set(STRANGER, json!([62]));
    if oddity != ContactOddity::NoPhone {
        let first = if oddity == ContactOddity::BadPhone { "спросить у мамы".to_owned() } else { phone(who, who % 4) };
        made = made.with_phone(&first);
    }
    if oddity != ContactOddity::NoEmail {
        made = made.with_email(&format!("parent{who}@example.test"));
    }
    match oddity {
        ContactOddity::TwoPhones => made = made.with_phone(&phone(who + 5_000_000, 3)),
        ContactOddity::NameInOneField => {
            made.set("NAME", format!("{parent} {surname}"));
            made.set("LAST_NAME", "");
        }
        ContactOddity::NoPupilName => {
            made.fields.remove(PUPIL_LAST_NAME);
            made.fields.remove(PUPIL_FIRST_NAME);
        }
        ContactOddity::UnknownProduct => made.set(PRODUCT, json!([430])),
        ContactOddity::UnknownBranch => {
            made.set(PRODUCT, json!([404]));
            made.set(BRANCH, json!([348]));
        }
        ContactOddity::NoBranch => {
            made.set(PRODUCT, json!([404]));
            made.fields.remove(BRANCH);
        }
        ContactOddity::OnlineUnknownBranch => {
            made.set(PRODUCT, json!([410]));
            made.set(BRANCH, json!([348]));
        }
        ContactOddity::BothProducts => made.set(PRODUCT, json!([404, 410])),
        ContactOddity::TwoBranches => {
            made.set(PRODUCT, json!([404]));
            made.set(BRANCH, json!([48, 12_708]));
        }
        ContactOddity::BadBirthdate => made.set(BIRTHDATE, "не помнит"),
        _ => {}
    }
    made
}

/// A good product row: price without discount minus discount is the price.
pub fn row(ticket: &str, full: u32, discount: u32) -> Row {
    Row {
        product_id: 60_130,
        // The requirement's sample begins with a space.
        name: format!(" {ticket}"),
        price: format!("{}", full - discount.min(full)),
        price_brutto: full.to_string(),
        price_netto: full.to_string(),
        discount_sum: discount.to_string(),
        quantity: "1".to_owned(),
    }
}

/// The deals of a new portal; each belongs to one of its contacts.
pub fn deals(count: usize, contacts: usize, seed: u64) -> BTreeMap<u64, Entity> {
    (1..=count as u64).map(|number| (deal_id(number), deal(number, contacts as u64, seed))).collect()
}

fn deal(number: u64, contacts: u64, seed: u64) -> Entity {
    let oddity = deal_oddity(number);
    let mut chance = Chance::new(seed, 0x6225_0000 + number);
    let full = 1_000 * u32::try_from(chance.between(2, 12)).unwrap_or_default();
    let discount = if chance.percent(50) { 300 } else { 0 };
    let ticket = pick(&mut chance, &TICKETS);
    let skolkovo = chance.percent(40);
    let seller = chance.between(0, 2);
    let mut made = Entity::new();
    made.id = deal_id(number);
    made.created = created(number, oddity == DealOddity::Old);
    made.modified = made.created + Duration::seconds(i64::try_from(number % 3).unwrap_or_default());
    made.modified_by = PERSON;
    made.rows.push(row(ticket, full, discount));
    let owner = contact_id((number - 1).checked_rem(contacts).unwrap_or_default() + 1);
    made.set("TITLE", format!("Заказ {number}"));
    made.set("TYPE_ID", "SALE");
    made.set("STAGE_ID", "WON");
    made.set("CATEGORY_ID", "0");
    made.set("PROBABILITY", "100");
    made.set("CURRENCY_ID", "RUB");
    made.set("OPPORTUNITY", format!("{}.00", full - discount));
    made.set("CONTACT_ID", owner.to_string());
    made.set("ASSIGNED_BY_ID", (9 + 2 * seller).to_string());
    made.set("CREATED_BY_ID", "9");
    made.set("OPENED", "Y");
    made.set("CLOSED", "Y");
    made.set("ADDITIONAL_INFO", "a:2:{s:9:\"ORDERPAID\";b:1;s:8:\"CANCELED\";b:0;}");
    made.set(SALE_DATE, format!("{}T03:00:00+03:00", made.created.format("%Y-%m-%d")));
    made.set(BRANCH, if skolkovo { json!([12_706]) } else { json!([186]) });
    made.set(PAYMENT, if number.is_multiple_of(3) { "454" } else { "452" });
    let first = made.rows.first_mut();
    match (oddity, first) {
        (DealOddity::NoRow, _) => made.rows.clear(),
        (DealOddity::TwoRows, _) => made.rows.push(row(TICKETS[1], 3_000, 0)),
        (DealOddity::Quantity, Some(row)) => row.quantity = "2".to_owned(),
        (DealOddity::PricesDoNotAddUp, Some(row)) => row.price = (full + 1).to_string(),
        (DealOddity::Tournament, Some(row)) => {
            row.product_id = 70_001;
            row.name = "Турнир выходного дня".to_owned();
        }
        (DealOddity::NotRoubles, _) => made.set("CURRENCY_ID", "USD"),
        (DealOddity::NoContact, _) => made.set("CONTACT_ID", "0"),
        (DealOddity::EmployeeUnknown, _) => made.set("ASSIGNED_BY_ID", NOBODY.to_string()),
        (DealOddity::TwoBranches, _) => made.set(BRANCH, json!([186, 12_706])),
        (DealOddity::UnknownBranch, _) => made.set(BRANCH, json!([580])),
        (DealOddity::KnownAndUnknownBranch, _) => made.set(BRANCH, json!([580, 186])),
        (DealOddity::NoBranch, _) => {
            made.fields.remove(BRANCH);
        }
        (DealOddity::Lost, _) => made.set("STAGE_ID", "LOSE"),
        (DealOddity::New, _) => made.set("STAGE_ID", "NEW"),
        (DealOddity::OtherPipeline, _) => {
            made.set("CATEGORY_ID", "3");
            made.set("STAGE_ID", "C3:WON");
        }
        (DealOddity::Cash, _) => made.set(PAYMENT, "450"),
        (DealOddity::NoSaleDate, _) => {
            made.fields.remove(SALE_DATE);
        }
        _ => {}
    }
    made
}

/// The employees; 1 is the technical user of the webhook.
pub fn users() -> BTreeMap<u64, User> {
    let user = |id, name: &str, last_name: &str, active| {
        (id, User { id, name: name.to_owned(), last_name: last_name.to_owned(), email: format!("employee{id}@example.test"), active })
    };
    [
        user(1, "Обмен", "Данными", true),
        user(9, "Андрей", "Примерный", true),
        user(11, "Нина", "Образцова", true),
        user(13, "Глеб", "Бывший", false),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_portal() {
        assert_eq!(contacts(120, 7), contacts(120, 7));
        assert_ne!(contacts(120, 7), contacts(120, 8));
        assert_eq!(deals(120, 60, 7), deals(120, 60, 7));
        let made = deals(120, 60, 7);
        assert_eq!(made[&deal_id(61)].text("CONTACT_ID"), contact_id(1).to_string());
    }
}
