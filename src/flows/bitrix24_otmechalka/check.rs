//! What a check of a connection says: calls that change nothing, each a row.

use super::{fields, mapping, settings::Settings};
use crate::{
    engine::flow::Check,
    fault::{Code, Fault},
    systems::{
        bitrix24::{self, Entity},
        otmechalka,
    },
};

/// An outside id that no contact and no deal has.
const NOBODY: &str = "0";

fn row(name: &str, answer: Result<String, Fault>) -> Check {
    match answer {
        Ok(detail) => Check { name: name.into(), ok: true, detail },
        Err(fault) => Check { name: name.into(), ok: false, detail: format!("{} {}", fault.detail, fault.code.next()) },
    }
}

/// The webhook, the fields and list values, and whether contacts, deals and employees can be read.
pub async fn portal(reader: Result<bitrix24::Reader, Fault>, settings: &Settings) -> Vec<Check> {
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(fault) => return vec![row("bitrix24.webhook", Err(fault))],
    };
    let (contact, deal) = match reader.fields().await {
        Ok(maps) => maps,
        Err(fault) => return vec![row("bitrix24.webhook", Err(fault))],
    };
    let mut rows = vec![row("bitrix24.webhook", Ok("Bitrix24 accepts the webhook.".to_owned()))];
    match fields::check(settings, &contact, &deal) {
        Ok(lengths) => rows.push(row(
            "bitrix24.fields",
            Ok(format!(
                "All fields and list values of the settings are there; a status may have {} letters at a contact and {} at a deal.",
                lengths.contact, lengths.deal
            )),
        )),
        Err(missing) => {
            rows.extend(missing.into_iter().map(|one| row("bitrix24.fields", Err(Fault::new(Code::ConfigInvalid, format!("{one}."))))));
        }
    }
    for (name, entity) in [("bitrix24.contacts", Entity::Contact), ("bitrix24.deals", Entity::Deal)] {
        let found =
            reader.page_after(entity, &bitrix24::Filter::new(), &["ID".to_owned()], 0).await.and_then(|(rows, _)| match rows.len() {
                0 => Err(Fault::new(
                    Code::RemoteForbidden,
                    format!("{} answers with an empty list: the webhook's user may see nothing.", entity.list()),
                )),
                _ => Ok("They can be read.".to_owned()),
            });
        rows.push(row(name, found));
    }
    let users = reader.users(&[1]).await.map(|_| "Employees can be read.".to_owned());
    rows.push(row("bitrix24.users", users));
    rows
}

/// Whether otmechalka answers a look-up, and which ids nobody has told.
pub async fn otmechalka(reader: Result<otmechalka::Reader, Fault>, settings: &Settings) -> Vec<Check> {
    let reader = match reader {
        Ok(reader) => reader,
        Err(fault) => return vec![row("otmechalka.settings", Err(fault))],
    };
    let mut rows = Vec::new();
    for (name, found) in
        [("otmechalka.clients", reader.find_client(NOBODY).await), ("otmechalka.tickets", reader.find_ticket(NOBODY).await)]
    {
        rows.push(row(name, found.map(|_| "A look-up is answered.".to_owned())));
    }
    let missing = mapping::without_id(&settings.mapping, &settings.otmechalka);
    rows.push(row(
        "otmechalka.ids",
        if missing.is_empty() {
            Ok("Every course and branch office that is sent has an id, or goes by its name.".to_owned())
        } else {
            Err(Fault::new(
                Code::ConfigInvalid,
                format!(
                    "otmechalka.courses or otmechalka.branchoffices has no id for: {}. Contacts and deals that need one fail.",
                    missing.join("; ")
                ),
            ))
        },
    ));
    rows
}
