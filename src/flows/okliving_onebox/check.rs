//! What a check of a connection says: calls that change nothing, each a row.

use super::settings::Settings;
use crate::{
    domain::clock,
    engine::flow::Check,
    fault::{Code, Fault},
    systems::{
        okliving::{self, Window},
        onebox,
    },
};

/// How far back orders are asked for.
const LATELY: chrono::Duration = chrono::Duration::hours(24);

fn row(name: &str, answer: Result<String, Fault>) -> Check {
    match answer {
        Ok(detail) => Check { name: name.into(), ok: true, detail },
        Err(fault) => Check { name: name.into(), ok: false, detail: format!("{} {}", fault.detail, fault.code.next()) },
    }
}

/// Login and the orders of a day, through the mapping.
pub async fn okliving(client: Result<okliving::Client, Fault>, settings: &Settings) -> Vec<Check> {
    let client = match client {
        Ok(client) => client,
        Err(fault) => return vec![row("okliving.settings", Err(fault))],
    };
    let login = client.login().await.map(|()| "OK Living accepts client_id and secret.".to_owned());
    let mut rows = vec![row("okliving.login", login)];
    if rows.iter().any(|row| !row.ok) {
        return rows;
    }
    let to = clock::now();
    match lately(&client, Window { from: to - LATELY, to }).await {
        Ok((orders, pages)) => {
            rows.push(row("okliving.orders", Ok(format!("{} orders on {pages} pages for the last day.", orders.len()))));
            let mapped: Vec<_> = orders.iter().map(|order| settings.map(order)).collect();
            let flagged = mapped.iter().filter(|mapped| !mapped.problems.is_empty() || mapped.unusable.is_some()).count();
            let detail = format!("{flagged} of them would be flagged; try one with the mapping test.");
            let fine = flagged == 0 || flagged * 2 < mapped.len();
            rows.push(row(
                "okliving.mapping",
                if fine { Ok(detail) } else { Err(Fault::new(Code::ConfigInvalid, format!("mapping: {detail}"))) },
            ));
        }
        Err(fault) => rows.push(row("okliving.orders", Err(fault))),
    }
    rows
}

async fn lately(client: &okliving::Client, window: Window) -> Result<(Vec<okliving::RawOrder>, u32), Fault> {
    let (mut pages, mut orders) = (client.pages(window), Vec::new());
    while let Some(page) = pages.next().await? {
        orders.extend(page);
    }
    Ok((orders, pages.count()))
}

/// Login, business process, and the fields that hooks are filled from.
pub async fn onebox(client: Result<onebox::Client, Fault>, settings: &Settings) -> Vec<Check> {
    let client = match client {
        Ok(client) => client,
        Err(fault) => return vec![row("onebox.settings", Err(fault))],
    };
    let login = client.login().await.map(|()| "OneBox accepts login and password.".to_owned());
    let mut rows = vec![row("onebox.login", login)];
    if rows.iter().any(|row| !row.ok) {
        return rows;
    }
    let wanted = settings.onebox.workflow_id.0.trim();
    let workflow = client.workflows().await.and_then(|found| match found.iter().find(|stage| stage.id == wanted) {
        Some(workflow) => Ok(format!("New orders go into “{}” ({wanted}).", workflow.name)),
        None => {
            let known = found.iter().map(|workflow| format!("{} ({})", workflow.id, workflow.name)).collect::<Vec<_>>().join(", ");
            Err(Fault::new(Code::ConfigInvalid, format!("onebox.workflow_id: there is no business process {wanted}; there are: {known}.")))
        }
    });
    rows.push(row("onebox.workflow", workflow));
    let fields: Vec<&str> = [&settings.onebox.ttn_field, &settings.onebox.stage_field, &settings.onebox.comment_field]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let sample = client.sample(&fields).await.map(|orders| {
        let known: Vec<&str> =
            fields.iter().copied().filter(|field| orders.iter().any(|order| order.fields.contains_key(*field))).collect();
        format!(
            "{} orders looked at; of {} they show: {}.",
            orders.len(),
            fields.join(", "),
            if known.is_empty() { "none" } else { "" }.to_owned() + &known.join(", ")
        )
    });
    rows.push(row("onebox.fields", sample));
    rows
}
