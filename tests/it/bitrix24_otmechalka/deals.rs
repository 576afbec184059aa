//! "Передача сделок в отмечалку. Happy Case", step by step, and what the issue says of tickets besides.

use serde_json::{Value, json};
use tradesync::sandbox::{
    bitrix24::{Kind, fields, seed},
    otmechalka::Call,
};

use super::{SUCCESS, School, count, done, well};
use crate::support::change_of;

fn key(deal: u64) -> String {
    format!("deal:{deal}")
}

/// A school with one pupil in both systems.
async fn one_pupil(over: Value) -> (School, u64) {
    let school = School::empty(over).await;
    let pupil = school.pupil(|_| {});
    well(&school.contacts().await);
    (school, pupil)
}

#[tokio::test(flavor = "multi_thread")]
async fn step_01_the_job_has_a_stream_and_a_schedule_of_its_own() {
    let (school, pupil) = one_pupil(json!({})).await;
    let deal = school.sale(pupil, |_| {});
    let run = school.scheduled("deals").await;
    well(&run);
    assert_eq!(school.ticket(deal).client_origin_id, pupil.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn step_02_deals_created_from_the_start_date_on_modified_since_the_watermark_and_won() {
    let (school, pupil) = one_pupil(json!({})).await;
    let old = school.sale(pupil, |deal| deal.created = "2020-12-21T20:59:59Z".parse().unwrap());
    let open = school.sale(pupil, |deal| deal.set("STAGE_ID", "NEW"));
    let won = school.sale(pupil, |_| {});
    let run = school.deals().await;
    well(&run);
    assert_eq!(school.otmechalka().tickets().len(), 1);
    assert_eq!(school.ticket(won).origin_id, won.to_string());
    assert_eq!((school.status(Kind::Deal, old), school.status(Kind::Deal, open)), (String::new(), String::new()));
    // It is won later.
    school.edit(Kind::Deal, open, |deal| deal.set("STAGE_ID", "WON"));
    well(&school.deals().await);
    assert_eq!((school.otmechalka().tickets().len(), school.status(Kind::Deal, open).as_str()), (2, SUCCESS));
    assert!(school.stream("deals").await["cursor"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn step_03_no_order_of_rows_loses_any() {
    let (school, pupil) = one_pupil(json!({})).await;
    // The newest ID was modified first, all within one second.
    let deals: Vec<u64> = (0..120).map(|_| school.sale(pupil, |_| {})).collect();
    for (place, deal) in deals.iter().rev().enumerate() {
        let at = school.portal().now() - chrono::Duration::seconds(120 - i64::try_from(place).unwrap());
        school.portal().edit_at(Kind::Deal, *deal, at, |_| {});
    }
    well(&school.deals().await);
    assert_eq!(school.otmechalka().tickets().len(), 120);
    school.nothing_else_was_written("any order");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_04_every_deal_that_was_read_is_gone_through() {
    let school = School::new(json!({"deal_filter": {"products": [60_130]}})).await;
    done(&school.contacts().await);
    let run = school.deals().await;
    done(&run);
    // The tournament is no subscription here, so nobody writes its status.
    let tournament = seed::deal_id(30);
    assert_eq!(school.outcome(&run, &key(tournament)).await, "skipped not_a_subscription");
    assert_eq!(school.status(Kind::Deal, tournament), "");
    assert_eq!(school.outcome(&run, &key(seed::deal_id(27))).await, "skipped not_a_subscription", "won in another pipeline");
    school.portal().delete(Kind::Deal, tournament);
    // What stands or fails is told by the truth; the old contact's ticket waits.
    school.deals_must_agree("all of them");
    let (stand, nothing, wrong) = school.expected(Kind::Deal);
    assert_eq!((count(&run, "created"), count(&run, "held")), (stand as u64, 1), "{run}");
    assert_eq!((count(&run, "failed") + 1, count(&run, "skipped")), (wrong as u64, nothing as u64 + 2), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_05_the_ticket_is_made_of_the_only_product_row() {
    let (school, pupil) = one_pupil(json!({})).await;
    let deal = school.sale(pupil, |_| {});
    let none = school.sale(pupil, |deal| deal.rows.clear());
    let two = school.sale(pupil, |deal| deal.rows.push(seed::row(seed::TICKETS[1], 3_000, 0)));
    let pair = school.sale(pupil, |deal| deal.rows[0].quantity = "2".into());
    let run = school.deals().await;
    assert_eq!(school.ticket(deal).ticket_type, "6 КМС индивидуальные 45 мин", "the blank before it is taken off");
    for (deal, code, words) in [
        (none, "deal_without_row", "нет товарной позиции"),
        (two, "deal_several_rows", "несколько товарных позиций (2)"),
        (pair, "deal_quantity", "Количество"),
    ] {
        assert_eq!(school.outcome(&run, &key(deal)).await, format!("failed {code}"));
        assert!(school.status(Kind::Deal, deal).contains(words), "{}", school.status(Kind::Deal, deal));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn step_06_who_sold_it_is_asked_of_user_get() {
    let (school, pupil) = one_pupil(json!({})).await;
    let former = school.sale(pupil, |deal| deal.set("ASSIGNED_BY_ID", "13"));
    let nobody = school.sale(pupil, |deal| deal.set("ASSIGNED_BY_ID", seed::NOBODY.to_string()));
    let run = school.deals().await;
    assert_eq!(school.ticket(former).employee, "Глеб Бывший");
    assert_eq!(school.outcome(&run, &key(nobody)).await, "failed employee_not_found");
    assert!(school.status(Kind::Deal, nobody).contains(&seed::NOBODY.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_07_fields_are_mapped_and_unknown_branches_ignored() {
    let (school, pupil) = one_pupil(json!({})).await;
    let deal = school.sale(pupil, |deal| deal.set(fields::BRANCH, json!([580, 186])));
    let strange = school.sale(pupil, |deal| deal.set(fields::BRANCH, json!([580])));
    let two = school.sale(pupil, |deal| deal.set(fields::BRANCH, json!([186, 12_706])));
    let empty = school.sale(pupil, |deal| drop(deal.fields.remove(fields::BRANCH)));
    let dollars = school.sale(pupil, |deal| deal.set("CURRENCY_ID", "USD"));
    let sums = school.sale(pupil, |deal| deal.rows[0].price = "8701".into());
    let alone = school.sale(0, |_| {});
    let run = school.deals().await;
    let sent = school.otmechalka().writes().into_iter().find(|write| write.call == Call::CreateTicket).unwrap().body;
    let expected = json!({
        "origin_id": deal.to_string(), "client_origin_id": pupil.to_string(), "ticket_type": "6 КМС индивидуальные 45 мин", "price_initial": "9000.00",
        "discount": "300.00", "price_final": "8700.00", "selling_date": "2020-12-13", "selling_branchoffice": "2634", "employee": "Андрей Примерный",
        "payment_method": "CASH",
    });
    assert_eq!(sent, expected);
    assert_eq!(school.status(Kind::Deal, strange), SUCCESS, "nothing of it is supported");
    for (deal, code) in [
        (two, "deal_branch_several"),
        (empty, "deal_branch_empty"),
        (dollars, "deal_not_roubles"),
        (sums, "deal_prices_do_not_add_up"),
        (alone, "deal_without_contact"),
    ] {
        assert_eq!(school.outcome(&run, &key(deal)).await, format!("failed {code}"));
        assert!(!matches!(school.status(Kind::Deal, deal).as_str(), "" | SUCCESS));
    }
    assert_eq!(school.otmechalka().tickets().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_08_the_ticket_is_looked_up_by_the_deals_id() {
    let (school, pupil) = one_pupil(json!({})).await;
    school.otmechalka().desk().clear_requests();
    let deal = school.sale(pupil, |_| {});
    well(&school.deals().await);
    assert_eq!(school.asked(""), [format!("GET /api/tickets/{deal}/"), "POST /api/tickets/".to_owned()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_09_a_ticket_that_is_not_found_is_made_and_its_client_first() {
    let school = School::empty(json!({})).await;
    let pupil = school.pupil(|_| {});
    let deal = school.sale(pupil, |_| {});
    // Nobody has synchronised the contact yet.
    let run = school.deals().await;
    well(&run);
    assert_eq!((school.client(pupil).last_name.as_str(), school.ticket(deal).client_origin_id), ("Петров", pupil.to_string()));
    well(&school.contacts().await);
    school.must_agree("client first");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_10_a_ticket_that_is_found_is_left_alone() {
    let (school, pupil) = one_pupil(json!({})).await;
    let deal = school.sale(pupil, |_| {});
    well(&school.deals().await);
    let writes = school.writes();
    // We forget it all, and its status is lost: it gets its "Успешно", and nothing is sent.
    school.stage.database.run("DELETE FROM tradesync_links");
    school.edit(Kind::Deal, deal, |deal| deal.set(fields::STATUS, ""));
    let run = school.deals().await;
    well(&run);
    assert_eq!(school.outcome(&run, &key(deal)).await, "unchanged ticket_found");
    assert_eq!((school.status(Kind::Deal, deal).as_str(), school.writes()), (SUCCESS, (writes.0 + 1, writes.1)));
    // A recalculation is reported, not sent.
    school.edit(Kind::Deal, deal, |deal| {
        deal.rows[0].price = "8000".into();
        deal.rows[0].price_brutto = "8300".into();
    });
    let run = school.deals().await;
    well(&run);
    assert_eq!(school.outcome(&run, &key(deal)).await, "skipped ticket_changed_not_sent");
    assert_eq!((school.writes(), school.ticket(deal).price_final.as_str()), ((writes.0 + 1, writes.1), "8700.00"));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_11_otmechalka_answers_200() {
    let (school, pupil) = one_pupil(json!({})).await;
    school.otmechalka().set_switches(|switches| switches.empty_create = true);
    let deal = school.sale(pupil, |_| {});
    well(&school.deals().await);
    assert_eq!((school.ticket(deal).price_initial.as_str(), school.status(Kind::Deal, deal).as_str()), ("9000.00", SUCCESS));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_12_what_was_done_is_not_done_again() {
    // Without the tournament, which otmechalka refuses anew whenever its turn in the retry list comes.
    let school = School::new(json!({"deal_filter": {"products": [60_130]}})).await;
    done(&school.contacts().await);
    done(&school.deals().await);
    let writes = school.writes();
    for _ in 0..2 {
        let run = school.scheduled("deals").await;
        assert_eq!((count(&run, "created"), count(&run, "updated"), school.writes()), (0, 0, writes), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn step_13_the_status_says_success() {
    let (school, pupil) = one_pupil(json!({})).await;
    let deal = school.sale(pupil, |_| {});
    well(&school.deals().await);
    assert_eq!(school.status(Kind::Deal, deal), SUCCESS);
    let of_deals: Vec<_> = school.portal().writes().into_iter().filter(|write| write.kind == Kind::Deal).collect();
    assert_eq!((of_deals.len(), of_deals[0].id), (1, deal));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_14_one_deal_after_the_other() {
    let (school, pupil) = one_pupil(json!({})).await;
    let strange = school.sale(pupil, |deal| deal.rows[0].name = "Такого типа нет".into());
    let good = school.sale(pupil, |_| {});
    let run = school.deals().await;
    assert_eq!((count(&run, "created"), count(&run, "failed")), (1, 1), "{run}");
    assert_eq!(school.outcome(&run, &key(strange)).await, "failed otmechalka_refused");
    assert_eq!(school.status(Kind::Deal, good), SUCCESS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_a_contact_older_than_the_start_date_waits_with_a_status() {
    let school = School::empty(json!({})).await;
    let old = school.pupil(|contact| contact.created = "2019-05-01T09:00:00Z".parse().unwrap());
    let deal = school.sale(old, |_| {});
    let run = school.deals().await;
    well(&run);
    let item = school.stage.item(&run, &key(deal)).await;
    assert_eq!((item["outcome"].as_str(), item["reason"]["code"].as_str()), (Some("held"), Some("client_too_old")), "{item}");
    assert!(school.status(Kind::Deal, deal).contains("2020-12-22"), "{}", school.status(Kind::Deal, deal));
    assert!(school.otmechalka().clients().is_empty() && school.otmechalka().tickets().is_empty());
    let (writes, calls) = (school.writes(), school.calls().1);
    let again = school.scheduled("deals").await;
    assert_eq!((count(&again, "held"), school.writes(), school.calls().1), (1, writes, calls), "it is not asked for each minute");
    // The settings let it through; nothing has to be edited.
    school.settings(json!({"old_contacts": "create"})).await;
    let run = school.deals().await;
    well(&run);
    assert_eq!(
        (school.client(old).last_name.as_str(), school.ticket(deal).origin_id, school.status(Kind::Deal, deal).as_str()),
        ("Петров", deal.to_string(), SUCCESS)
    );
    assert_eq!(school.status(Kind::Contact, old), "", "the contact itself stays out of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stands_takes_the_ticket_however_old_its_contact_is() {
    let school = School::empty(json!({})).await;
    let old = school.pupil(|contact| contact.created = "2019-05-01T09:00:00Z".parse().unwrap());
    school.otmechalka().add_client(tradesync::sandbox::otmechalka::Client { origin_id: old.to_string(), ..Default::default() });
    let deal = school.sale(old, |_| {});
    well(&school.deals().await);
    assert_eq!(school.ticket(deal).client_origin_id, old.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_whose_contact_cannot_be_sent_says_why() {
    let school = School::empty(json!({})).await;
    let broken = school.pupil(|contact| contact.phones.clear());
    let deal = school.sale(broken, |_| {});
    let run = school.deals().await;
    assert_eq!(school.outcome(&run, &key(deal)).await, "failed client_not_sent");
    assert!(school.status(Kind::Deal, deal).contains("У контакта нет телефона"), "{}", school.status(Kind::Deal, deal));
    // The contact is mended; the deal itself is not touched.
    school.edit(Kind::Contact, broken, |contact| *contact = contact.clone().with_phone("9261234567"));
    well(&school.contacts().await);
    well(&school.deals().await);
    school.must_agree("mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_subscriptions_are_taken_by_pipeline_stage_and_product() {
    let filter = json!({"deal_filter": {"categories": [3], "stages": ["WON"], "products": [60_130]}});
    let school = School::empty(filter).await;
    let pupil = school.pupil(|_| {});
    let plain = school.sale(pupil, |_| {});
    let other = school.sale(pupil, |deal| {
        deal.set("CATEGORY_ID", "3");
        deal.set("STAGE_ID", "C3:WON");
    });
    let tournament = school.sale(pupil, |deal| {
        deal.set("CATEGORY_ID", "3");
        deal.set("STAGE_ID", "C3:WON");
        deal.rows[0].product_id = 70_001;
    });
    let run = school.deals().await;
    well(&run);
    assert_eq!(school.otmechalka().tickets().len(), 1);
    assert_eq!(school.ticket(other).origin_id, other.to_string());
    for deal in [plain, tournament] {
        assert_eq!(school.outcome(&run, &key(deal)).await, "skipped not_a_subscription");
        assert_eq!(school.status(Kind::Deal, deal), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_linked_to_the_branch_of_a_ticket_only_where_it_is_asked_for() {
    for (on, offices) in [(false, vec!["2634"]), (true, vec!["2634", "2635"])] {
        let (school, pupil) = one_pupil(json!({"link_branch_by_ticket": on})).await;
        school.sale(pupil, |deal| deal.set(fields::BRANCH, json!([12_706])));
        well(&school.deals().await);
        assert_eq!(school.client(pupil).branchoffices, offices, "{on}");
        // An edit of the contact does not take it away again.
        school.edit(Kind::Contact, pupil, |contact| contact.set(fields::PUPIL_FIRST_NAME, "Иван"));
        well(&school.contacts().await);
        assert_eq!(
            (school.client(pupil).branchoffices, school.client(pupil).first_name),
            (offices.iter().map(|id| (*id).to_owned()).collect(), "Иван".to_owned())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_tells_what_was_sent() {
    let (school, pupil) = one_pupil(json!({})).await;
    let deal = school.sale(pupil, |_| {});
    let run = school.deals().await;
    let item = school.stage.item(&run, &key(deal)).await;
    assert_eq!(item["target"], format!("ticket:{deal}"), "{item}");
    assert_eq!(
        (change_of(&item, "price_final")["new"].as_str(), change_of(&item, "sync_status")["new"].as_str()),
        (Some("8700.00"), Some(SUCCESS))
    );
    let told = school.stage.rest.get(&format!("/sync/explain?connection={}&item={}", school.connection, key(deal))).await.ok(200);
    assert!(told.to_string().contains("8700.00"), "{told}");
}
