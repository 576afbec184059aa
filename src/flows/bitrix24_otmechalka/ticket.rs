//! A deal into a ticket of otmechalka (requirement, "Маппинг полей сделки").
//!
//! Order of questions: is it a subscription? has it a branch that is supported? Only then is anything in it an error.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{
    mapping,
    record::{Deal, ProductRow},
    settings::{DealFilter, PriceInitial, Settings},
    verdict::Verdict,
};
use crate::{
    domain::number,
    engine::{model::Reason, settings::Text},
    systems::{bitrix24::wire, otmechalka::Ticket},
};

/// Kopecks.
const DECIMALS: u32 = 2;

/// Whether a deal of this stage and pipeline can be a subscription at all. A stage without prefix is that of the pipeline 0 or, where
/// pipelines are set, of each of them.
pub fn is_wanted_stage(filter: &DealFilter, category: &str, stage: &str) -> bool {
    let category = if category.is_empty() { "0" } else { category };
    let in_category = |categories: &Vec<Text>| categories.iter().any(|wanted| wanted.0.trim() == category);
    if !filter.categories.as_ref().is_none_or(in_category) {
        return false;
    }
    let prefixed = |wanted: &String| filter.categories.is_some() && !wanted.contains(':') && stage == format!("C{category}:{wanted}");
    filter.stages.iter().any(|wanted| wanted == stage || prefixed(wanted))
}

/// Whether a deal is a subscription: tournaments are deals too.
pub fn is_subscription(filter: &DealFilter, deal: &Deal) -> bool {
    if !is_wanted_stage(filter, &deal.category, &deal.stage) {
        return false;
    }
    match &filter.products {
        // Without a row nobody can tell, and a subscription without one is an error.
        Some(wanted) if !deal.rows.is_empty() => {
            let is = |row: &ProductRow| wanted.iter().any(|wanted| wanted.0.trim() == row.product_id || wanted.0.trim() == row.name);
            deal.rows.iter().any(is)
        }
        _ => true,
    }
}

/// What a deal comes to.
pub fn of(deal: &Deal, settings: &Settings) -> Verdict<Ticket> {
    if deal.branches.is_empty() {
        return Verdict::Wrong(Reason::new("deal_branch_empty"));
    }
    match mapping::deal_offices(&settings.mapping, &deal.branches).as_slice() {
        [] => Verdict::Ignored(Reason::new("deal_branch_not_supported")),
        [office] => Verdict::of(ticket(deal, settings, office)),
        several => Verdict::Wrong(Reason::new("deal_branch_several").with("branches", several.join("; "))),
    }
}

fn ticket(deal: &Deal, settings: &Settings, office: &str) -> Result<Ticket, Reason> {
    if deal.contact_id == 0 {
        return Err(Reason::new("deal_without_contact"));
    }
    if deal.currency != settings.mapping.currency {
        return Err(Reason::new("deal_not_roubles").with("currency", &deal.currency));
    }
    if let Some(detail) = &deal.rows_unread {
        return Err(Reason::new("deal_rows_unread").with("detail", detail));
    }
    let row = match deal.rows.as_slice() {
        [] => return Err(Reason::new("deal_without_row")),
        [row] => row,
        several => return Err(Reason::new("deal_several_rows").with("rows", several.len())),
    };
    if row.name.is_empty() {
        return Err(Reason::new("ticket_type_empty"));
    }
    if number::parse_decimal(&row.quantity) != Some(Decimal::ONE) {
        return Err(Reason::new("deal_quantity").with("value", &row.quantity));
    }
    let (initial, discount, price) = prices(row, settings.mapping.price_initial)?;
    let sold = wire::day(&deal.sale_date).map_err(|value| Reason::new("sale_date_unreadable").with("value", value))?;
    let sold = sold.ok_or_else(|| Reason::new("sale_date_empty"))?;
    let employee = match deal.employee.as_deref() {
        None => return Err(Reason::new("employee_not_found").with("id", &deal.employee_id)),
        Some("") => return Err(Reason::new("employee_without_name").with("id", &deal.employee_id)),
        Some(name) => name.to_owned(),
    };
    let cash = settings.mapping.cash_payment.contains(&deal.payment);
    Ok(Ticket {
        origin_id: deal.id.to_string(),
        client_origin_id: deal.contact_id.to_string(),
        ticket_type: row.name.clone(),
        price_initial: money(initial),
        discount: money(discount),
        price_final: money(price),
        selling_date: sold.to_string(),
        selling_branchoffice: mapping::sent(office, &settings.otmechalka.branchoffices, settings.otmechalka.ids_as)?,
        employee,
        payment_method: if cash { "CASH" } else { "ONLINE" }.to_owned(),
    })
}

/// Price without discount, discount and price; they must add up to the kopeck.
fn prices(row: &ProductRow, which: PriceInitial) -> Result<(Decimal, Decimal, Decimal), Reason> {
    let read = |name: &str, written: &str| {
        let value = number::parse_decimal(written).filter(|value| !value.is_sign_negative() || value.is_zero());
        let value = value.ok_or_else(|| Reason::new("deal_price_unreadable").with("field", name).with("value", written))?;
        Ok(value.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointAwayFromZero))
    };
    let (name, written) = match which {
        PriceInitial::Brutto => ("PRICE_BRUTTO", &row.brutto),
        PriceInitial::Netto => ("PRICE_NETTO", &row.netto),
    };
    let initial = read(name, written)?;
    // No discount may be told as nothing.
    let discount = if row.discount.is_empty() { Decimal::ZERO } else { read("DISCOUNT_SUM", &row.discount)? };
    let price = read("PRICE", &row.price)?;
    if initial.checked_sub(discount) != Some(price) {
        let reason = Reason::new("deal_prices_do_not_add_up");
        return Err(reason.with("initial", money(initial)).with("discount", money(discount)).with("final", money(price)));
    }
    Ok((initial, discount, price))
}

fn money(value: Decimal) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::flows::bitrix24_otmechalka::{client, settings::tests::settings};

    /// A deal with nothing wrong.
    pub fn deal() -> Deal {
        let row = ProductRow {
            product_id: "60130".into(),
            name: "6 КМС индивидуальные 45 мин".into(),
            price: "8700".into(),
            brutto: "9000".into(),
            netto: "9000".into(),
            discount: "300".into(),
            quantity: "1".into(),
        };
        Deal {
            id: 96038,
            created: wire::moment("2021-01-12T12:00:00+03:00"),
            category: "0".into(),
            stage: "WON".into(),
            currency: "RUB".into(),
            contact_id: 39558,
            contact: Some(client::tests::contact()),
            rows: vec![row],
            rows_unread: None,
            employee_id: "12288".into(),
            employee: Some("Андрей Сергеев".into()),
            sale_date: "2020-12-13T03:00:00+03:00".into(),
            branches: vec!["186".into()],
            payment: "450".into(),
        }
    }

    fn changed(change: impl Fn(&mut Deal)) -> Deal {
        let mut deal = deal();
        change(&mut deal);
        deal
    }

    fn wrong(change: impl Fn(&mut Deal)) -> String {
        match of(&changed(change), &settings(json!({}))) {
            Verdict::Wrong(reason) => reason.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_deal_of_the_document_becomes_a_ticket() {
        let Verdict::Ready(ticket) = of(&deal(), &settings(json!({}))) else { panic!("ready") };
        let expected = json!({"origin_id": "96038", "client_origin_id": "39558", "ticket_type": "6 КМС индивидуальные 45 мин", "price_initial": "9000.00",
            "discount": "300.00", "price_final": "8700.00", "selling_date": "2020-12-13", "selling_branchoffice": "2634", "employee": "Андрей Сергеев",
            "payment_method": "CASH"});
        assert_eq!(serde_json::to_value(ticket).unwrap(), expected);
    }

    #[test]
    fn only_payment_450_is_cash() {
        for (payment, method) in [("450", "CASH"), ("452", "ONLINE"), ("", "ONLINE")] {
            let Verdict::Ready(ticket) = of(&changed(|deal| deal.payment = payment.into()), &settings(json!({}))) else { panic!("ready") };
            assert_eq!(ticket.payment_method, method, "{payment}");
        }
    }

    #[test]
    fn every_wrong_value_has_a_text_of_its_own() {
        let row = |change: fn(&mut ProductRow)| wrong(move |deal| change(&mut deal.rows[0]));
        assert_eq!(wrong(|deal| deal.rows.clear()), "deal_without_row");
        assert_eq!(wrong(|deal| deal.rows.push(deal.rows[0].clone())), "deal_several_rows");
        assert_eq!(row(|row| row.quantity = "2".into()), "deal_quantity");
        assert_eq!(row(|row| row.quantity = "0.5".into()), "deal_quantity");
        assert_eq!(row(|row| row.name.clear()), "ticket_type_empty");
        assert_eq!(row(|row| row.price = "8700.01".into()), "deal_prices_do_not_add_up");
        assert_eq!(row(|row| row.price = "x".into()), "deal_price_unreadable");
        assert_eq!(row(|row| (row.brutto, row.price) = ("-1".into(), "-301".into())), "deal_price_unreadable");
        assert_eq!(wrong(|deal| deal.currency = "USD".into()), "deal_not_roubles");
        assert_eq!(wrong(|deal| deal.employee = None), "employee_not_found");
        assert_eq!(wrong(|deal| deal.employee = Some(String::new())), "employee_without_name");
        assert_eq!(wrong(|deal| deal.contact_id = 0), "deal_without_contact");
        assert_eq!(wrong(|deal| deal.sale_date.clear()), "sale_date_empty");
        assert_eq!(wrong(|deal| deal.sale_date = "13.12.2020".into()), "sale_date_unreadable");
        assert_eq!(wrong(|deal| deal.branches.clear()), "deal_branch_empty");
        assert_eq!(wrong(|deal| deal.branches = vec!["186".into(), "12706".into()]), "deal_branch_several");
    }

    #[test]
    fn a_deal_whose_branches_are_all_unknown_gets_no_error_whatever_else_is_wrong() {
        let odd = changed(|deal| (deal.branches, deal.rows, deal.currency) = (vec!["999".into()], vec![], "USD".into()));
        assert_eq!(of(&odd, &settings(json!({}))), Verdict::Ignored(Reason::new("deal_branch_not_supported")));
        let one_known = changed(|deal| deal.branches = vec!["999".into(), "12706".into()]);
        assert!(matches!(of(&one_known, &settings(json!({}))), Verdict::Ready(ticket) if ticket.selling_branchoffice == "2635"));
    }

    #[test]
    fn tournaments_are_no_subscriptions() {
        let filter = |over| settings(json!({ "deal_filter": over })).deal_filter;
        let of_pipeline = |category: &str, stage: &str| changed(|deal| (deal.category, deal.stage) = (category.into(), stage.into()));
        assert!(is_subscription(&filter(json!({})), &deal()));
        assert!(!is_subscription(&filter(json!({})), &of_pipeline("3", "C3:WON")));
        assert!(is_subscription(&filter(json!({"stages": ["WON", "C3:WON"]})), &of_pipeline("3", "C3:WON")));
        for (category, wanted) in [("0", "WON"), ("3", "C3:WON")] {
            assert!(is_subscription(&filter(json!({"categories": [0, "3"]})), &of_pipeline(category, wanted)), "{wanted}");
        }
        assert!(!is_subscription(&filter(json!({"categories": ["3"]})), &deal()));
        assert!(!is_subscription(&filter(json!({"categories": ["0"]})), &of_pipeline("0", "LOSE")));
        for (products, is) in
            [(json!(["60130"]), true), (json!([60130]), true), (json!(["6 КМС индивидуальные 45 мин"]), true), (json!(["70001"]), false)]
        {
            assert_eq!(is_subscription(&filter(json!({ "products": products })), &deal()), is, "{products}");
        }
    }

    #[test]
    fn the_price_without_discount_is_a_setting() {
        let odd = changed(|deal| deal.rows[0].netto = "8700".into());
        let netto = settings(json!({"mapping": {"price_initial": "PRICE_NETTO"}}));
        assert!(matches!(of(&odd, &netto), Verdict::Wrong(reason) if reason.params["initial"] == "8700.00"));
        assert!(matches!(of(&odd, &settings(json!({}))), Verdict::Ready(_)));
    }

    proptest! {
        #[test]
        fn prices_are_sent_as_decimals_that_add_up(initial in 0i64..100_000_000, discount in 0i64..100_000_000) {
            let (initial, discount) = (Decimal::new(initial, 2), Decimal::new(discount, 2));
            let odd = changed(|deal| {
                let row = &mut deal.rows[0];
                (row.brutto, row.discount, row.price) = (initial.to_string(), discount.to_string(), (initial - discount).to_string());
            });
            match of(&odd, &settings(json!({}))) {
                Verdict::Ready(ticket) => {
                    let read = |text: &str| text.parse::<Decimal>().unwrap();
                    prop_assert_eq!(read(&ticket.price_initial) - read(&ticket.discount), read(&ticket.price_final));
                    prop_assert!([ticket.price_initial, ticket.discount, ticket.price_final].iter().all(|price| price.split('.').nth(1).is_some_and(|part| part.len() == 2)));
                }
                Verdict::Wrong(reason) => prop_assert!(discount > initial, "{:?}", reason),
                Verdict::Ignored(reason) => prop_assert!(false, "{:?}", reason),
            }
        }
    }
}
