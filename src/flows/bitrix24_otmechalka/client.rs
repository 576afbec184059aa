//! A contact into a client of otmechalka (requirement, "Маппинг полей контакта").
//!
//! Order of questions: is anything of it supported at all? Only then: is all that is needed there, and can it be read? So a contact that has
//! nothing to do with otmechalka never gets an error.

use super::{
    mapping::{self, directions, groups},
    phone,
    record::Contact,
    settings::Settings,
    verdict::Verdict,
};
use crate::{
    engine::model::Reason,
    systems::{bitrix24::wire, otmechalka::Client},
};

/// What a contact comes to.
pub fn of(contact: &Contact, settings: &Settings) -> Verdict<Client> {
    let known = directions(&settings.mapping, &contact.products);
    let found = groups(&settings.mapping, &contact.products, &contact.branches);
    // Whether a branch is missing is no matter of taste: the classroom needs one, and an empty field is a mistake of the one who filled it in.
    let needs_branch = known.iter().any(|direction| direction.branchoffice.is_none());
    if contact.products.is_empty() {
        return Verdict::Wrong(Reason::new("product_empty"));
    }
    if needs_branch && contact.branches.is_empty() {
        return Verdict::Wrong(Reason::new("branch_empty"));
    }
    if found.is_empty() {
        return Verdict::Ignored(Reason::new("nothing_supported"));
    }
    Verdict::of(client(contact, settings, &found))
}

fn client(contact: &Contact, settings: &Settings, found: &mapping::Groups) -> Result<Client, Reason> {
    let wrong = |code: &str| Err(Reason::new(code));
    let split = |code: &str, other: &str| Err(Reason::new(code).with("other", other));
    match (contact.last_name.as_str(), contact.first_name.as_str()) {
        ("", "") => return wrong("pupil_name_empty"),
        ("", first) => return split("pupil_last_name_empty", first),
        (last, "") => return split("pupil_first_name_empty", last),
        _ => {}
    }
    match (contact.parent_last_name.as_str(), contact.parent_first_name.as_str()) {
        ("", "") => return wrong("parent_name_empty"),
        ("", first) => return split("parent_last_name_empty", first),
        (last, "") => return split("parent_first_name_empty", last),
        _ => {}
    }
    if contact.phone.is_empty() {
        return wrong("phone_empty");
    }
    let phone = phone::digits(&contact.phone).ok_or_else(|| Reason::new("contact_phone_unreadable").with("value", &contact.phone))?;
    let birthdate = wire::day(&contact.birthdate).map_err(|value| Reason::new("birthdate_unreadable").with("value", value))?;
    let otmechalka = &settings.otmechalka;
    let sent =
        |names: &[String], table| names.iter().map(|name| mapping::sent(name, table, otmechalka.ids_as)).collect::<Result<Vec<_>, _>>();
    Ok(Client {
        origin_id: contact.id.to_string(),
        last_name: contact.last_name.clone(),
        first_name: contact.first_name.clone(),
        phone,
        email: (!contact.email.is_empty()).then(|| contact.email.clone()),
        courses: sent(&found.courses, &otmechalka.courses)?,
        branchoffices: sent(&found.branchoffices, &otmechalka.branchoffices)?,
        birthdate: birthdate.map(|day| day.to_string()),
        gender: settings.mapping.gender.clone(),
        additional_data: Some(format!("{} {}", contact.parent_last_name, contact.parent_first_name)),
    })
}

/// By what two contacts are the same pupil: names and phone. Two children of one family have the same phone, but not the same name.
pub fn pupil(last_name: &str, first_name: &str, phone: &str) -> Option<String> {
    let phone = phone::digits(phone)?;
    let plain = |name: &str| name.trim().to_lowercase().replace('ё', "е");
    let (last, first) = (plain(last_name), plain(first_name));
    (!last.is_empty() && !first.is_empty()).then(|| format!("{last} {first} {phone}"))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::flows::bitrix24_otmechalka::settings::tests::settings;

    /// A contact with nothing wrong.
    pub fn contact() -> Contact {
        Contact {
            id: 39558,
            created: crate::systems::bitrix24::wire::moment("2021-01-11T12:00:00+03:00"),
            last_name: "Петров".into(),
            first_name: "Василий".into(),
            parent_last_name: "Петрова".into(),
            parent_first_name: "Анна".into(),
            phone: "8 (926) 123-45-67".into(),
            email: "anna@example.test".into(),
            products: vec!["404".into()],
            branches: vec!["48".into()],
            birthdate: "2009-11-29T03:00:00+03:00".into(),
        }
    }

    fn wrong(change: impl Fn(&mut Contact)) -> Reason {
        let mut contact = contact();
        change(&mut contact);
        match of(&contact, &settings(json!({}))) {
            Verdict::Wrong(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_contact_of_the_document_becomes_a_client() {
        let Verdict::Ready(client) = of(&contact(), &settings(json!({}))) else { panic!("ready") };
        let expected = json!({"origin_id": "39558", "last_name": "Петров", "first_name": "Василий", "phone": "79261234567", "email": "anna@example.test",
            "courses": ["10987", "10988"], "branchoffices": ["2634"], "birthdate": "2009-11-29", "gender": "M", "additional_data": "Петрова Анна"});
        assert_eq!(serde_json::to_value(client).unwrap(), expected);
        let Verdict::Ready(client) = of(&contact(), &settings(json!({"otmechalka": {"ids_as": "name"}}))) else { panic!("ready") };
        assert_eq!(
            (client.courses, client.branchoffices),
            (vec!["Групповые занятия".to_owned(), "Индивидуальные занятия".to_owned()], vec!["+ ЦДШ `МСК".to_owned()])
        );
    }

    #[test]
    fn what_is_not_needed_may_be_missing() {
        let mut bare = contact();
        (bare.email, bare.birthdate) = Default::default();
        let Verdict::Ready(client) = of(&bare, &settings(json!({}))) else { panic!("ready") };
        let sent = serde_json::to_value(client).unwrap();
        assert!(sent.get("email").is_none() && sent.get("birthdate").is_none(), "{sent}");
    }

    #[test]
    fn both_names_of_pupil_and_parent_are_needed() {
        let both = wrong(|contact| (contact.parent_first_name, contact.parent_last_name) = ("Наталья Зарудная".into(), String::new()));
        assert_eq!((both.code.as_str(), both.params["other"].as_str()), ("parent_last_name_empty", "Наталья Зарудная"));
        assert_eq!(wrong(|contact| contact.parent_first_name.clear()).code, "parent_first_name_empty");
        assert_eq!(wrong(|contact| contact.last_name.clear()).code, "pupil_last_name_empty");
        assert_eq!(wrong(|contact| contact.first_name.clear()).code, "pupil_first_name_empty");
        assert_eq!(wrong(|contact| (contact.first_name, contact.last_name) = Default::default()).code, "pupil_name_empty");
        assert_eq!(wrong(|contact| (contact.parent_first_name, contact.parent_last_name) = Default::default()).code, "parent_name_empty");
    }

    #[test]
    fn every_wrong_value_has_a_text_of_its_own() {
        assert_eq!(wrong(|contact| contact.phone.clear()).code, "phone_empty");
        assert_eq!(wrong(|contact| contact.phone = "нет".into()).params["value"], "нет");
        assert_eq!(wrong(|contact| contact.birthdate = "29.11.2009".into()).code, "birthdate_unreadable");
        assert_eq!(wrong(|contact| contact.products.clear()).code, "product_empty");
        assert_eq!(wrong(|contact| contact.branches.clear()).code, "branch_empty");
        assert_eq!(wrong(|contact| (contact.products, contact.branches) = (vec!["404".into(), "410".into()], vec![])).code, "branch_empty");
    }

    #[test]
    fn who_has_nothing_supported_gets_no_error_whatever_else_is_wrong() {
        for (products, branches) in [(vec!["62"], vec!["48"]), (vec!["404"], vec!["348"]), (vec!["62"], vec![])] {
            let own = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
            let broken =
                Contact {
                    products: own(&products), branches: own(&branches), phone: "нет".into(), last_name: String::new(), ..contact()
                };
            assert_eq!(of(&broken, &settings(json!({}))), Verdict::Ignored(Reason::new("nothing_supported")), "{products:?} {branches:?}");
        }
    }

    #[test]
    fn online_needs_no_branch() {
        for branches in [vec![], vec!["348".to_owned()]] {
            let online = Contact { products: vec!["410".into()], branches, ..contact() };
            let Verdict::Ready(client) = of(&online, &settings(json!({}))) else { panic!("ready") };
            assert_eq!(client.branchoffices, ["2633"]);
        }
    }

    #[test]
    fn an_id_nobody_has_told_is_an_error_that_names_it() {
        let without = settings(json!({"otmechalka": {"branchoffices": {}}}));
        match of(&contact(), &without) {
            Verdict::Wrong(reason) => {
                assert_eq!((reason.code.as_str(), reason.params["name"].as_str()), ("otmechalka_id_missing", "+ ЦДШ `МСК"))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_family_is_no_double() {
        let same = |one: (&str, &str, &str), other: (&str, &str, &str)| pupil(one.0, one.1, one.2) == pupil(other.0, other.1, other.2);
        assert!(same(("Петров", "Пётр", "8 926 123-45-67"), (" петров", "Петр", "+79261234567")));
        assert!(!same(("Петров", "Пётр", "89261234567"), ("Петров", "Иван", "89261234567")));
        assert_eq!(pupil("Петров", "", "89261234567"), None);
    }

    proptest! {
        #[test]
        fn no_contact_upsets_it(last in "\\PC{0,8}", phone in "\\PC{0,16}", birthdate in "\\PC{0,12}", products in prop::collection::vec("[0-9]{0,4}", 0..3)) {
            let odd = Contact { last_name: last, phone, birthdate, products, ..contact() };
            if let Verdict::Ready(client) = of(&odd, &settings(json!({}))) {
                let sent: Value = serde_json::to_value(client).unwrap();
                prop_assert!(!sent["courses"].as_array().unwrap().is_empty() && !sent["branchoffices"].as_array().unwrap().is_empty());
                prop_assert!(sent["phone"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_digit()));
            }
        }
    }
}
