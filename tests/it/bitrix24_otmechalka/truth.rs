//! What otmechalka and the status fields must come to, told from the portal's objects by the document's tables alone. Shares no code with the
//! flow, so it cannot share its mistakes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tradesync::sandbox::{
    bitrix24::{Entity, Kind, fields, seed},
    otmechalka::{Client, Ticket},
};

use super::{SUCCESS, School};

/// What becomes of one object.
#[derive(Debug, PartialEq)]
pub enum Expected<T> {
    /// It stands in otmechalka, and its status says so.
    Stands(T),
    /// Nothing is sent, and its status says success.
    Nothing,
    /// Nothing is sent, and its status is a text that is no success.
    Error,
    /// Nothing is sent, and nobody writes its status.
    Untouched,
}

fn start() -> DateTime<Utc> {
    "2020-12-21T21:00:00Z".parse().unwrap()
}

fn ids(entity: &Entity, code: &str) -> Vec<i64> {
    match entity.fields.get(code) {
        Some(Value::Array(values)) => values.iter().filter_map(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok())).collect(),
        _ => Vec::new(),
    }
}

/// (courses, branch offices), by id.
fn groups(products: &[i64], branches: &[i64]) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut courses, mut offices) = (Vec::new(), Vec::new());
    let classroom: Vec<&str> = branches
        .iter()
        .filter_map(|branch| match branch {
            48 => Some("2634"),
            12_708 => Some("2635"),
            _ => None,
        })
        .collect();
    if products.contains(&404) && !classroom.is_empty() {
        courses.extend(["10987", "10988"]);
        offices.extend(classroom);
    }
    if products.contains(&410) {
        courses.extend(["10985", "10986"]);
        offices.push("2633");
    }
    (courses, offices)
}

pub fn client(contact: &Entity) -> Expected<[String; 6]> {
    if contact.created < start() {
        return Expected::Untouched;
    }
    let (products, branches) = (ids(contact, fields::PRODUCT), ids(contact, fields::BRANCH));
    if products.is_empty() || (products.contains(&404) && branches.is_empty()) {
        return Expected::Error;
    }
    let (mut courses, mut offices) = groups(&products, &branches);
    if courses.is_empty() {
        return Expected::Nothing;
    }
    let digits: String = contact.phones.first().map(|phone| phone.value.chars().filter(char::is_ascii_digit).collect()).unwrap_or_default();
    let birthdate = contact.text(fields::BIRTHDATE);
    let names = [fields::PUPIL_LAST_NAME, fields::PUPIL_FIRST_NAME, "LAST_NAME", "NAME"].map(|code| contact.text(code));
    let bad_date = !birthdate.is_empty() && birthdate.get(..10).is_none_or(|day| day.parse::<chrono::NaiveDate>().is_err());
    if names.iter().any(String::is_empty) || digits.len() < 10 || bad_date {
        return Expected::Error;
    }
    courses.sort_unstable();
    offices.sort_unstable();
    let phone = format!("7{}", &digits[digits.len() - 10..]);
    let day = birthdate.get(..10).unwrap_or_default().to_owned();
    let [last, first, parent_last, parent_first] = names;
    Expected::Stands([format!("{last} {first}"), phone, courses.join(","), offices.join(","), day, format!("{parent_last} {parent_first}")])
}

fn of_client(client: &Client) -> [String; 6] {
    let list = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.join(",")
    };
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let told = serde_json::to_value(client).unwrap();
    [
        format!("{} {}", client.last_name, client.first_name),
        client.phone.clone(),
        list(&client.courses),
        list(&client.branchoffices),
        text(told["birthdate"].as_str()),
        text(told["additional_data"].as_str()),
    ]
}

pub fn ticket(deal: &Entity, contacts: &BTreeMap<u64, Entity>) -> Expected<[String; 6]> {
    if deal.created < start() || deal.text("STAGE_ID") != "WON" {
        return Expected::Untouched;
    }
    let branches = ids(deal, fields::BRANCH);
    let known: Vec<&str> = branches
        .iter()
        .filter_map(|branch| match branch {
            186 => Some("2634"),
            12_706 => Some("2635"),
            _ => None,
        })
        .collect();
    if branches.is_empty() || known.len() > 1 {
        return Expected::Error;
    }
    let [office] = known.as_slice() else { return Expected::Nothing };
    let contact = deal.text("CONTACT_ID").parse::<u64>().ok().and_then(|id| contacts.get(&id));
    let seller = match deal.text("ASSIGNED_BY_ID").as_str() {
        "9" => "Андрей Примерный",
        "11" => "Нина Образцова",
        "13" => "Глеб Бывший",
        _ => return Expected::Error,
    };
    let ([row], Some(contact)) = (deal.rows.as_slice(), contact) else { return Expected::Error };
    let kopecks = |text: &str| text.parse::<i64>().map(|roubles| roubles * 100).unwrap_or(-1);
    let adds_up = kopecks(&row.price_brutto) - kopecks(&row.discount_sum) == kopecks(&row.price);
    let sold = deal.text(fields::SALE_DATE);
    // A type that otmechalka does not have is refused there.
    let known_type = seed::TICKETS.contains(&row.name.trim());
    if row.quantity != "1" || deal.text("CURRENCY_ID") != "RUB" || !adds_up || sold.is_empty() || !known_type {
        return Expected::Error;
    }
    // Without a client there is no ticket.
    if !matches!(client(contact), Expected::Stands(_)) {
        return Expected::Error;
    }
    Expected::Stands([
        row.name.trim().to_owned(),
        format!("{}.00/{}.00/{}.00", row.price_brutto, row.discount_sum, row.price),
        sold.get(..10).unwrap_or_default().to_owned(),
        (*office).to_owned(),
        seller.to_owned(),
        if deal.text(fields::PAYMENT) == "450" { "CASH" } else { "ONLINE" }.to_owned(),
    ])
}

fn of_ticket(ticket: &Ticket) -> [String; 6] {
    let told = serde_json::to_value(ticket).unwrap();
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    [
        text("ticket_type"),
        format!("{}/{}/{}", text("price_initial"), text("discount"), text("price_final")),
        text("selling_date"),
        text("selling_branchoffice"),
        text("employee"),
        text("payment_method"),
    ]
}

impl School {
    /// Fails unless otmechalka and the statuses are what the portal says.
    #[track_caller]
    pub fn must_agree(&self, when: &str) {
        self.contacts_must_agree(when);
        self.deals_must_agree(when);
    }

    #[track_caller]
    pub fn contacts_must_agree(&self, when: &str) {
        let mut wrong = Vec::new();
        for (id, contact) in self.portal().contacts() {
            let stands: Vec<_> = self.otmechalka().clients_of(&id.to_string()).iter().map(of_client).collect();
            wrong.extend(differs(&client(&contact), &stands, &contact.status()).map(|what| format!("contact {id}: {what}")));
        }
        assert!(wrong.is_empty(), "{when}: {:#?}", &wrong[..wrong.len().min(5)]);
        self.nothing_else_was_written(when);
    }

    #[track_caller]
    pub fn deals_must_agree(&self, when: &str) {
        let (mut wrong, contacts) = (Vec::new(), self.portal().contacts());
        for (id, deal) in self.portal().deals() {
            let stands: Vec<_> = self.otmechalka().tickets_of(&id.to_string()).iter().map(of_ticket).collect();
            wrong.extend(differs(&ticket(&deal, &contacts), &stands, &deal.status()).map(|what| format!("deal {id}: {what}")));
        }
        assert!(wrong.is_empty(), "{when}: {:#?}", &wrong[..wrong.len().min(5)]);
        self.nothing_else_was_written(when);
    }

    /// No doubles; nothing but the status field, and never the text that stood there already; no limit met.
    #[track_caller]
    pub fn nothing_else_was_written(&self, when: &str) {
        assert!(self.otmechalka().doubles().is_empty(), "{when}: doubles {:?}", self.otmechalka().doubles());
        for write in self.portal().writes() {
            assert_eq!(write.fields.keys().collect::<Vec<_>>(), [fields::STATUS], "{when}: {write:?}");
            assert!(write.changed || !write.applied, "{when}: written twice: {write:?}");
        }
        let state = self.portal().state();
        assert_eq!((state.refused_rate, state.refused_operating), (0, 0), "{when}: the portal's limits were met");
    }

    /// How many objects of a kind are to come to each end.
    pub fn expected(&self, kind: Kind) -> (usize, usize, usize) {
        let contacts = self.portal().contacts();
        let ends: Vec<Expected<[String; 6]>> = match kind {
            Kind::Contact => contacts.values().map(client).collect(),
            Kind::Deal => self.portal().deals().values().map(|deal| ticket(deal, &contacts)).collect(),
        };
        let of = |is: fn(&Expected<[String; 6]>) -> bool| ends.iter().filter(|end| is(end)).count();
        (of(|end| matches!(end, Expected::Stands(_))), of(|end| *end == Expected::Nothing), of(|end| *end == Expected::Error))
    }
}

fn differs(expected: &Expected<[String; 6]>, stands: &[[String; 6]], status: &str) -> Option<String> {
    let right = match expected {
        Expected::Stands(fields) => stands == [fields.clone()] && status == SUCCESS,
        Expected::Nothing => stands.is_empty() && status == SUCCESS,
        Expected::Error => stands.is_empty() && !status.is_empty() && status != SUCCESS,
        Expected::Untouched => stands.is_empty() && status.is_empty(),
    };
    (!right).then(|| format!("expected {expected:?}, stands {stands:?}, status «{status}»"))
}
