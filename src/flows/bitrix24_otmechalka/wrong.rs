//! What no single setting's form shows: what must be told, what must not be the same, what must fit together.

use rust_decimal::Decimal;

use super::settings::{self, Settings};
use crate::{domain::clock, engine::settings::wrong_address, fault::FieldError};

/// Every wrong field, by its pointer below `/settings`.
pub fn fields(settings: &Settings) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, detail: String| errors.push(FieldError::new(format!("/settings{pointer}"), detail));
    start(settings, &mut wrong);
    codes(settings, &mut wrong);
    mapping(settings, &mut wrong);
    otmechalka(settings, &mut wrong);
    for (pointer, text) in [
        ("/bitrix24/overlap", &settings.bitrix24.overlap),
        ("/bitrix24/full_every", &settings.bitrix24.full_every),
        ("/otmechalka/timeout", &settings.otmechalka.timeout),
        ("/otmechalka/lookup_lag", &settings.otmechalka.lookup_lag),
        ("/plan_expiry", &settings.plan_expiry),
        ("/keep_changes", &settings.keep_changes),
    ] {
        if let Err(detail) = clock::parse_duration(text) {
            wrong(pointer, detail);
        }
    }
    if clock::parse_duration(&settings.otmechalka.timeout).is_ok_and(|timeout| timeout > settings::LONGEST_TIMEOUT || timeout.is_zero()) {
        wrong("/otmechalka/timeout", "must be 25s or less: a call must end before a run's lease could".to_owned());
    }
    for (pointer, pace) in [
        ("/bitrix24/requests_per_second", &settings.bitrix24.requests_per_second),
        ("/otmechalka/requests_per_second", &settings.otmechalka.requests_per_second),
    ] {
        if !(Decimal::new(1, 3)..=Decimal::ONE_HUNDRED).contains(&pace.value()) {
            wrong(pointer, format!("`{}` is no pace; write for example \"2\" or \"0.5\"", pace.0));
        }
    }
    if !(1..=480).contains(&settings.bitrix24.operating_seconds) {
        wrong("/bitrix24/operating_seconds", "must be from 1 to 480, the seconds that a method may run in ten minutes".to_owned());
    }
    if !settings::is_share(&settings.max_failed_share) {
        wrong("/max_failed_share", format!("`{}` is no share from 0 to 1", settings.max_failed_share.0));
    }
    if !settings.locks.is_empty() {
        wrong("/locks", "no field of this flow can be locked; whole contacts and deals can, by /connections/{id}/locks".to_owned());
    }
    for error in settings::wrong_brakes(&settings.brakes) {
        wrong(&format!("/brakes{}", error.pointer), error.detail);
    }
    errors
}

fn start(settings: &Settings, wrong: &mut impl FnMut(&str, String)) {
    if settings.sync_start_date.is_empty() {
        wrong("/sync_start_date", "is required: the first day that counts, such as 2020-12-22".to_owned());
    } else if chrono::NaiveDate::parse_from_str(&settings.sync_start_date, "%Y-%m-%d").is_err() {
        wrong("/sync_start_date", format!("`{}` is no day; write for example 2020-12-22", settings.sync_start_date));
    }
    if settings.timezone.parse::<chrono_tz::Tz>().is_err() {
        wrong("/timezone", format!("`{}` is no time zone; write for example Europe/Moscow", settings.timezone));
    }
}

/// A status field that is also a data field, as in the document's samples, would overwrite pupils' surnames.
fn codes(settings: &Settings, wrong: &mut impl FnMut(&str, String)) {
    let of_contact = &settings.contact_fields;
    let contact = [
        ("last_name", &of_contact.last_name),
        ("first_name", &of_contact.first_name),
        ("product", &of_contact.product),
        ("branch", &of_contact.branch),
        ("birthdate", &of_contact.birthdate),
        ("parent_last_name", &of_contact.parent_last_name),
        ("parent_first_name", &of_contact.parent_first_name),
    ];
    let of_deal = &settings.deal_fields;
    let deal = [("sale_date", &of_deal.sale_date), ("branch", &of_deal.branch), ("payment", &of_deal.payment)];
    for (part, fields, status) in [("contact_fields", &contact[..], &of_contact.status), ("deal_fields", &deal[..], &of_deal.status)] {
        for (name, code) in fields.iter().filter(|(_, code)| code.trim().is_empty()) {
            wrong(&format!("/{part}/{name}"), format!("`{code}` is no code of a field"));
        }
        let pointer = format!("/{part}/status");
        if status.is_empty() {
            wrong(&pointer, "is required: the code of the text field \"Статус синхронизации\", such as UF_CRM_1700000000001".to_owned());
        } else if let Some((name, _)) = fields.iter().find(|(_, code)| code.eq_ignore_ascii_case(status)) {
            wrong(
                &pointer,
                format!("is the code of {part}.{name} as well: writing the status would destroy that data; make a field of its own"),
            );
        } else if !settings::is_user_field(status) {
            wrong(&pointer, format!("`{status}` is no code of a user field; they look like UF_CRM_1700000000001"));
        }
    }
}

fn mapping(settings: &Settings, wrong: &mut impl FnMut(&str, String)) {
    let mapping = &settings.mapping;
    for (id, direction) in mapping.products.iter().filter(|(_, direction)| !direction.is_empty()) {
        if !mapping.directions.contains_key(direction) {
            let known = mapping.directions.keys().cloned().collect::<Vec<_>>().join(", ");
            wrong(
                &format!("/mapping/products/{id}"),
                format!("there is no direction `{direction}` in mapping.directions; there are: {known}"),
            );
        }
    }
    for (part, branches) in [("contact_branches", &mapping.contact_branches), ("deal_branches", &mapping.deal_branches)] {
        for (id, branch) in branches.iter().filter(|(_, branch)| !branch.is_empty()) {
            if !mapping.branchoffices.contains_key(branch) {
                wrong(&format!("/mapping/{part}/{id}"), format!("there is no branch `{branch}` in mapping.branchoffices"));
            }
        }
    }
    for (name, direction) in &mapping.directions {
        if direction.courses.is_empty() {
            wrong(&format!("/mapping/directions/{name}/courses"), "must name one course or more".to_owned());
        }
    }
    if !matches!(mapping.gender.as_str(), "M" | "F") {
        wrong("/mapping/gender", "must be M or F".to_owned());
    }
    if mapping.success.trim().is_empty() {
        wrong("/mapping/success", "must say something".to_owned());
    }
    if settings.deal_filter.stages.is_empty() {
        wrong("/deal_filter/stages", "must name one stage or more, such as WON".to_owned());
    }
}

fn otmechalka(settings: &Settings, wrong: &mut impl FnMut(&str, String)) {
    let example = "https://otmechalka.com";
    if settings.otmechalka.base_url.is_empty() {
        wrong("/otmechalka/base_url", format!("is required: the address of otmechalka, such as {example}"));
    } else if let Some(detail) = wrong_address(&settings.otmechalka.base_url, example) {
        wrong("/otmechalka/base_url", detail);
    }
    for (pointer, path) in
        [("/otmechalka/clients_path", &settings.otmechalka.clients_path), ("/otmechalka/tickets_path", &settings.otmechalka.tickets_path)]
    {
        if !(path.starts_with('/') && path.ends_with('/')) || path.contains(['?', '#']) {
            wrong(pointer, format!("`{path}` is no path; it begins and ends with a slash"));
        }
    }
    if let Some(header) = &settings.otmechalka.auth_header
        && header.split_once(':').is_none_or(|(name, text)| name.trim().is_empty() || text.trim().is_empty())
    {
        wrong("/otmechalka/auth_header", "must be a header with its text, for example `Authorization: Token {key}`".to_owned());
    }
}
