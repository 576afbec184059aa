//! What a check of a connection says of Billz: calls that change nothing, each a row.

use crate::{
    engine::flow::Check,
    fault::Fault,
    systems::{billz1, billz2},
};

/// A row: what was found, or what is wrong and what to do.
pub fn row(name: &str, answer: Result<String, Fault>) -> Check {
    match answer {
        Ok(detail) => Check { name: name.into(), ok: true, detail },
        Err(fault) => Check { name: name.into(), ok: false, detail: format!("{} {}", fault.detail, fault.code.next()) },
    }
}

/// One cheap call: a question for no product at all.
pub async fn billz1(client: Result<billz1::Client, Fault>) -> Vec<Check> {
    let client = match client {
        Ok(client) => client,
        Err(fault) => return vec![row("billz.settings", Err(fault))],
    };
    let accepted = client.accepted().await.map(|()| "Billz 1 accepts the user name and the key.".to_owned());
    vec![row("billz.login", accepted)]
}

/// What a probe found, as rows.
pub fn findings(found: Vec<(&'static str, Result<String, Fault>)>) -> Vec<Check> {
    found.into_iter().map(|(question, answer)| row(&format!("probe.{question}"), answer)).collect()
}

/// Login, shops, currency.
pub async fn billz2(client: Result<billz2::Client, Fault>) -> Vec<Check> {
    let client = match client {
        Ok(client) => client,
        Err(fault) => return vec![row("billz.settings", Err(fault))],
    };
    let account = client.account().await.map(|account| match account {
        Some(account) => format!("The key opens the company {account}."),
        None => "The key is accepted.".to_owned(),
    });
    let mut rows = vec![row("billz.login", account)];
    if rows.iter().all(|row| row.ok) {
        rows.push(row("billz.shops", client.shops().await.map(|shops| format!("{} shops can be synchronised.", shops.len()))));
        let currency = client.company_currency().await.map(|currency| match currency {
            Some(currency) => format!("The company's prices are in {currency}."),
            None => "Billz does not tell the company's currency; prices without a currency are taken as the shop's.".to_owned(),
        });
        rows.push(row("billz.currency", currency));
    }
    rows
}
