//! What a check of a connection says of Billz and the shop: calls that change nothing, each a row, in the reader's language.
//!
//! The sentences are in `domain/text/locales/<language>/checks.ftl`. A fault has the sentence of its code, which says what to do, with the
//! remote's own words behind it.

use std::collections::BTreeMap;

use crate::{
    domain::text::{self, Lang},
    engine::{flow::Check, model::Reason},
    fault::{Code, Fault},
    systems::{
        billz1, billz2,
        opencart::{Shop, ShopNote},
    },
};

/// Faults with a sentence of their own: those that a check meets. Others have one in common.
const TOLD: &[Code] = &[
    Code::RemoteUnavailable,
    Code::RemoteRateLimited,
    Code::RemoteAuth,
    Code::RemoteForbidden,
    Code::RemoteProtocol,
    Code::RemoteRejected,
    Code::ConfigInvalid,
    Code::TargetUnavailable,
    Code::TargetSchema,
];

/// Writes the rows of one check.
#[derive(Clone, Copy, Debug)]
pub struct Rows(pub Lang);

impl Rows {
    /// A row: what was found, or what is wrong and what to do.
    pub fn row(self, name: &str, answer: Result<Reason, Fault>) -> Check {
        match answer {
            Ok(found) => Check { name: name.into(), ok: true, detail: self.told(&found) },
            Err(fault) => Check { name: name.into(), ok: false, detail: self.told(&wrong(&fault)) },
        }
    }

    /// What was found about the shop: its own sentence, and one for each thing that a person should know.
    pub fn shop(self, name: &str, answer: Result<Shop, Fault>) -> Check {
        match answer {
            Ok(shop) => {
                let notes = shop.notes.iter().map(note);
                let sentences = std::iter::once(found(&shop)).chain(notes).map(|reason| self.told(&reason)).collect::<Vec<_>>();
                Check { name: name.into(), ok: true, detail: sentences.join(" ") }
            }
            Err(fault) => self.row(name, Err(fault)),
        }
    }

    /// Whether pictures can go where the settings say; `Err` says why not.
    pub fn pictures(self, answer: Result<Reason, String>) -> Check {
        let ok = answer.is_ok();
        let told = answer.unwrap_or_else(|detail| Reason::new("check_pictures_fault").with("detail", detail));
        Check { name: "pictures".into(), ok, detail: self.told(&told) }
    }

    /// One cheap call: a question for no product at all.
    pub async fn billz1(self, client: Result<billz1::Client, Fault>) -> Vec<Check> {
        let client = match client {
            Ok(client) => client,
            Err(fault) => return vec![self.row("billz.settings", Err(fault))],
        };
        let accepted = client.accepted().await.map(|()| Reason::new("check_billz1_accepted"));
        vec![self.row("billz.login", accepted)]
    }

    /// Login, shops, currency.
    pub async fn billz2(self, client: Result<billz2::Client, Fault>) -> Vec<Check> {
        let client = match client {
            Ok(client) => client,
            Err(fault) => return vec![self.row("billz.settings", Err(fault))],
        };
        let account = client.account().await.map(|account| match account {
            Some(account) => Reason::new("check_billz2_company").with("company", account),
            None => Reason::new("check_billz2_accepted"),
        });
        let mut rows = vec![self.row("billz.login", account)];
        if rows.iter().all(|row| row.ok) {
            let shops = client.shops().await.map(|shops| Reason::new("check_billz2_shops").with("count", shops.len()));
            rows.push(self.row("billz.shops", shops));
            let currency = client.company_currency().await.map(|currency| match currency {
                Some(currency) => Reason::new("check_billz2_currency").with("currency", currency),
                None => Reason::new("check_billz2_currency_untold"),
            });
            rows.push(self.row("billz.currency", currency));
        }
        rows
    }

    fn told(self, reason: &Reason) -> String {
        text::sentence(self.0, &reason.code, &reason.params)
    }
}

/// What a probe found, as rows: in English, since they go to us.
pub fn findings(found: Vec<(&'static str, Result<String, Fault>)>) -> Vec<Check> {
    let rows = Rows(Lang::En);
    let row = |(question, answer): (&str, Result<String, Fault>)| {
        let name = format!("probe.{question}");
        match answer {
            Ok(detail) => Check { name, ok: true, detail },
            Err(fault) => rows.row(&name, Err(fault)),
        }
    };
    found.into_iter().map(row).collect()
}

fn found(shop: &Shop) -> Reason {
    let reason = match &shop.currency {
        Some(currency) => Reason::new("check_shop").with("currency", currency),
        None => Reason::new("check_shop_without_currency"),
    };
    reason.with("languages", shop.languages.len()).with("groups", shop.customer_groups.len())
}

fn note(note: &ShopNote) -> Reason {
    match note {
        ShopNote::TimeZoneUnknown(zone) => Reason::new("check_shop_time_zone").with("zone", zone),
        ShopNote::NoEmoji => Reason::new("check_shop_no_emoji"),
    }
}

fn wrong(fault: &Fault) -> Reason {
    let code = if TOLD.contains(&fault.code) { fault.code.name().replace('-', "_") } else { "other".to_owned() };
    Reason { code: format!("check_fault_{code}"), params: BTreeMap::from([("detail".to_owned(), fault.detail.clone())]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(reason: &Reason) -> Vec<String> {
        Lang::ALL.map(|lang| Rows(lang).told(reason)).to_vec()
    }

    #[test]
    fn every_row_is_told_in_every_language_with_its_values() {
        let mut all = vec![
            Reason::new("check_billz1_accepted"),
            Reason::new("check_billz2_company").with("company", "<company>"),
            Reason::new("check_billz2_accepted"),
            Reason::new("check_billz2_currency").with("currency", "<currency>"),
            Reason::new("check_billz2_currency_untold"),
            Reason::new("check_shop").with("currency", "<currency>").with("languages", "<2>").with("groups", "<1>"),
            Reason::new("check_shop_without_currency").with("languages", "<2>").with("groups", "<1>"),
            note(&ShopNote::TimeZoneUnknown("<zone>".into())),
            note(&ShopNote::NoEmoji),
            Reason::new("check_pictures").with("place", "<place>"),
            Reason::new("check_pictures_none"),
            Reason::new("check_pictures_fault").with("detail", "<detail>"),
        ];
        all.extend(Code::ALL.iter().map(|code| wrong(&Fault::new(*code, "<detail>"))));
        for reason in all {
            let mut texts = texts(&reason);
            for text in &texts {
                assert!(text != &reason.code && !text.contains('$'), "{text}");
                assert!(reason.params.values().all(|value| text.contains(value.as_str())), "{text}");
            }
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), 4, "{} is not translated", reason.code);
        }
        let shops = |lang, count| Rows(lang).told(&Reason::new("check_billz2_shops").with("count", count));
        assert_eq!([shops(Lang::En, 1), shops(Lang::En, 3)], ["1 shop can be synchronised.", "3 shops can be synchronised."]);
        assert_eq!([shops(Lang::Ru, 2), shops(Lang::Ru, 5)], ["Можно синхронизировать 2 магазина.", "Можно синхронизировать 5 магазинов."]);
    }

    #[test]
    fn all_languages_have_the_same_sentences() {
        let names = |lang: Lang| {
            let file = format!("{}/src/domain/text/locales/{}/checks.ftl", env!("CARGO_MANIFEST_DIR"), lang.tag());
            let text = std::fs::read_to_string(file).unwrap();
            text.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name.to_owned())).collect::<Vec<_>>()
        };
        for lang in Lang::ALL {
            assert_eq!(names(lang), names(Lang::En), "{}", lang.tag());
        }
    }

    #[test]
    fn a_fault_says_what_to_do_and_keeps_the_remotes_words() {
        let refused = Fault::new(Code::RemoteAuth, "HTTP 401: wrong key");
        let row = Rows(Lang::Ru).row("billz.login", Err(refused));
        assert!(!row.ok && row.detail.contains("секретный ключ") && row.detail.contains("HTTP 401: wrong key"), "{}", row.detail);
    }
}
