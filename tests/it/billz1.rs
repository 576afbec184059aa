//! The requirement's sentences about billz1, and what can go wrong with an answer that has no pages.

use serde_json::{Value, json};
use tradesync::{
    fault::Code,
    sandbox::billz1::faults::{Fault, Rule},
};

use crate::support::{Api, BILLZ_KEY, FIRST, SECOND, Setup, Stage, change_of};

async fn stage() -> Stage {
    Stage::empty_of(Api::Billz1).await
}

/// «с помощью метода products.get, происходит выборка товаров, включая товары с нулевыми остатками»
#[tokio::test(flavor = "multi_thread")]
async fn goods_without_stock_are_asked_for_and_go_to_zero() {
    let stage = stage().await;
    let sold_out = stage.good(json!({"stock": {FIRST: "0"}}));
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({"full_every": "1000h"})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    assert_eq!(stage.database.shelf(stage.product_of(&connection, &sold_out).await), "0 1000 1");
    assert_eq!(stage.database.shelf(product), "5 1000 1");
    // Sold out everywhere: Billz names no office any more, and the delta says so.
    stage.change(&good, json!({"stock": {FIRST: "0"}}));
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&run["state"], &run["read"]["mode"]), (&json!("succeeded"), &json!("incremental")), "{run}");
    assert_eq!(stage.database.shelf(product), "0 1000 1");
    let asked = stage.billz.billz1.requests().requests;
    assert!(asked.iter().all(|entry| entry.target.contains("\"IncludeEmptyStocks\":1")), "{asked:?}");
}

/// «Выборка обрабатывается только по выбранному магазину»
#[tokio::test(flavor = "multi_thread")]
async fn only_the_chosen_office_counts() {
    let stage = stage().await;
    let both = stage.good(json!({"stock": {FIRST: "5", SECOND: "7"}, "price": {SECOND: "1200"}}));
    let elsewhere = stage.good(json!({"stock": {FIRST: "0", SECOND: "3"}}));
    let (connection, stream) = stage.simple(json!({"read_reuse": "0s"})).await;
    let run = stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &both).await;
    assert_eq!(stage.database.shelf(product), "5 1000 1", "the other office's stock and price are not ours");
    assert_eq!(stage.outcome(&run, &elsewhere).await, "skipped not_in_shop", "nor are its goods imported");
    // A linked good that goes over to the other office is sold out here.
    stage.change(&both, json!({"stock": {FIRST: "0"}}));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(product), "0 1000 1");
    assert_eq!(change_of(&stage.item(&run, &both).await, "quantity")["new"], 0);
    // With the second office chosen too, both count.
    stage.rest.post(&format!("/connections/{connection}/streams"), &json!({"stream": "3302", "name": SECOND})).await.ok(201);
    stage.full(&connection, "3302").await;
    assert_eq!(stage.database.shelf(product), "7 1200 1");
    assert_eq!(stage.database.shelf(stage.product_of(&connection, &elsewhere).await), "3 1000 1");
}

/// «если в выборке присутствует "Сумма скидки в сумах", то создается/редактируется запись на вкладке "Акция", без указания дат начала и конца.
/// Сумма на этой вкладке = Цена - Сумма скидки»; «если в выборке Сумма скидки=0, ... необходимо либо удалить акцию, либо закрыть ее»
#[tokio::test(flavor = "multi_thread")]
async fn the_special_is_price_less_discount_and_goes_when_the_discount_goes() {
    let stage = stage().await;
    let good = stage.good(json!({"discount": {FIRST: "150"}}));
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    let specials = stage.database.specials(product);
    assert!(!specials.is_empty() && specials.iter().all(|row| row.ends_with(":850:0000-00-00:0000-00-00")), "{specials:?}");
    let change = change_of(&stage.item(&run, &good).await, "special");
    assert_eq!(change["rule_text"], "Price 1000 less the discount of 150; 850 before rounding.");
    stage.change(&good, json!({"discount": {FIRST: "200.5"}}));
    stage.full(&connection, &stream).await;
    let specials = stage.database.specials(product);
    assert!(!specials.is_empty() && specials.iter().all(|row| row.contains(":800:")), "{specials:?}");
    stage.change(&good, json!({"discount": {FIRST: "0"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.specials(product), Vec::<String>::new());
    // A special that a person made goes too: the discount is 0.
    stage.database.run(&format!(
        "INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({product}, 1, 0, 700, '0000-00-00', '0000-00-00')"
    ));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.specials(product), Vec::<String>::new());
    // What takes the whole price is nobody's discount: refused and listed, and nothing is touched.
    stage.change(&good, json!({"discount": {FIRST: "1000"}, "stock": {FIRST: "9"}}));
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((run["state"].as_str(), stage.outcome(&run, &good).await.as_str()), (Some("partial"), "failed discount_unusable"));
    assert_eq!(stage.database.shelf(product), "5 1000 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_rows_are_reported_as_skipped_and_doubles_do_no_harm() {
    let stage = stage().await;
    let junk: Vec<String> = ["0", "1"].map(|price| stage.good(json!({"price": {FIRST: price}, "company_price": price}))).into();
    let good = stage.good(json!({}));
    stage.billz.billz1.set_switches(|switches| {
        switches.doubles = true;
        switches.small_keys = true;
        switches.total_rows = false;
    });
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.full(&connection, &stream).await;
    for junk in &junk {
        assert_eq!(stage.outcome(&run, junk).await, "skipped price_below_minimum");
    }
    assert_eq!((&run["whole"], stage.database.products()), (&json!(true), 1));
    assert_eq!(stage.database.shelf(stage.product_of(&connection, &good).await), "5 1000 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_in_soum_whatever_the_shops_currency_is() {
    let stage = stage().await;
    let good = stage.good(json!({"price": {FIRST: "126500"}}));
    let (connection, stream) = stage.simple(json!({"currency": "USD", "rates": {}, "rounding": {"step": "0.01", "mode": "half-up"}})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(stage.outcome(&run, &good).await, "failed currency_without_rate", "so'm are never copied as dollars");
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"rates": {"UZS": "0.00008"}}})).await.ok(200);
    stage.full(&connection, &stream).await;
    let price =
        stage.database.cell(&format!("SELECT price FROM oc_product WHERE product_id = {}", stage.product_of(&connection, &good).await));
    assert_eq!(price, "10.1200");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_name_is_needed_and_a_shop_is_an_office_of_the_last_answer() {
    let stage = Stage::of(Api::Billz1).await;
    let body = |secrets: Value| json!({"flow": "billz-opencart", "name": "x", "owner": "seller:1", "settings": stage.settings(json!({})), "secrets": secrets});
    let refused = stage.rest.post("/connections", &body(json!({"secret": BILLZ_KEY}))).await;
    assert_eq!(
        (refused.status, serde_json::from_str::<Value>(&refused.text).unwrap()["errors"][0]["pointer"].as_str().map(str::to_owned)),
        (422, Some("/secrets/username".into()))
    );
    let connection = stage.connect(json!({})).await;
    let discover =
        async || stage.rest.post(&format!("/connections/{connection}/streams/discover"), &json!({})).await.ok(200)["items"].clone();
    let offices =
        json!([{"stream": "3301", "name": "Chilonzor"}, {"stream": "3302", "name": "Sergeli"}, {"stream": "3303", "name": "Склад"}]);
    assert_eq!(discover().await, offices, "before the first read, one answer is looked at");
    stage.streams(&connection, 1).await;
    stage.full(&connection, "3301").await;
    let asked = stage.billz.billz1.requests().total;
    assert_eq!(discover().await, offices);
    assert_eq!(stage.billz.billz1.requests().total, asked, "what the last answer named is remembered");
    let check = stage.rest.post(&format!("/connections/{connection}/check"), &json!({})).await.ok(200);
    assert_eq!(check["ok"], true, "{check}");
    assert_eq!(stage.billz.billz1.requests().requests.last().unwrap().target.contains("\"ProductIds\""), true);
    stage.billz.billz1.set_switches(|switches| switches.secret = "another".into());
    let check = stage.rest.post(&format!("/connections/{connection}/check"), &json!({})).await.ok(200);
    assert_eq!(
        (&check["ok"], &check["checks"][0]["name"], &check["checks"][0]["ok"]),
        (&json!(false), &json!("billz.login"), &json!(false)),
        "{check}"
    );
}

/// Every trouble, in a first run and in a later whole read: how the run ends, that the cursor stays, that nothing is zeroed.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_trusted_moves_no_cursor_and_takes_nothing_as_gone() {
    // More than one piece of the answer, and more than one page.
    let stage = Stage::with(Setup { api: Api::Billz1, products: 1_300, ..Setup::default() }).await;
    let failed = |code: Code| ("failed", Some(code.name()));
    let doubtful = ("partial", Some(Code::ReadNotWhole.name()));
    let for_ever = 100;
    let (connection, stream) = stage.simple(json!({"full_every": "1000h"})).await;
    assert_eq!(stage.sync(&connection, &stream, "full").await["state"], "succeeded");
    let (state, cursor) = (stage.database.shop_state(), stage.stream(&connection, &stream).await["cursor"].clone());
    for (fault, times, (ends, code)) in [
        (Fault::CutBody { after: 1_000 }, for_ever, doubtful),
        (Fault::TruncatedJson { after: 1_000 }, for_ever, doubtful),
        (Fault::OtherId, for_ever, doubtful),
        (Fault::ShortCount { missing: 3 }, for_ever, doubtful),
        (Fault::BadRow { row: 700, nameless: true }, for_ever, doubtful),
        (Fault::NullResult, for_ever, failed(Code::RemoteProtocol)),
        (Fault::NoResult, for_ever, failed(Code::RemoteProtocol)),
        (Fault::Html { code: 200 }, for_ever, failed(Code::RemoteProtocol)),
        (Fault::Html { code: 502 }, for_ever, failed(Code::RemoteUnavailable)),
        (Fault::Error { status: 200, code: -32_603, message: "Internal error".into() }, for_ever, failed(Code::RemoteUnavailable)),
        (Fault::Error { status: 200, code: -32_602, message: "Invalid params".into() }, for_ever, failed(Code::RemoteRejected)),
        (Fault::ExpiredToken, for_ever, failed(Code::RemoteAuth)),
        (Fault::EmptyList, for_ever, failed(Code::SourceEmpty)),
        (Fault::Drop, for_ever, failed(Code::RemoteUnavailable)),
        // What passes by itself is no trouble.
        (Fault::CutBody { after: 1_000 }, 1, ("succeeded", None)),
        (Fault::NullResult, 1, ("succeeded", None)),
        (Fault::ExpiredToken, 1, ("succeeded", None)),
        (Fault::RateLimited { retry_after: None }, 1, ("succeeded", None)),
        (Fault::Slow { ms: 300 }, 1, ("succeeded", None)),
    ] {
        stage.billz.billz1.add_fault(Rule::new(times, fault.clone()));
        let run = stage.sync(&connection, &stream, "full").await;
        assert!(stage.billz.billz1.faults().iter().all(|rule| rule.fired > 0), "{fault:?}");
        assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some(ends), code), "{fault:?}: {run}");
        if ends != "succeeded" {
            assert_eq!(stage.stream(&connection, &stream).await["cursor"], cursor, "{fault:?}: the cursor moved");
            assert_eq!(stage.database.shop_state(), state, "{fault:?}: the shop changed");
            assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_records WHERE gone_at IS NOT NULL"), 0, "{fault:?}");
        }
        stage.billz.billz1.clear_faults();
        let healed = stage.sync(&connection, &stream, "incremental").await;
        assert_eq!(healed["state"], "succeeded", "{fault:?}: {healed}");
        stage.database.run(&format!(
            "UPDATE tradesync_streams SET sync_cursor = '{}'",
            cursor.as_str().unwrap().trim_end_matches('Z').replace('T', " ")
        ));
    }
}

/// A clock that differs looks like "Invalid token": one refusal, then the token is made by the remote's clock.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_lose_no_change() {
    let stage = Stage::of(Api::Billz1).await;
    for (ahead, status) in [(86_400, 200), (-86_400, 401)] {
        stage.billz.billz1.set_switches(|switches| {
            switches.clock_ahead_s = ahead;
            switches.refused_status = status;
        });
        let (connection, stream) = stage.seller(json!({"full_every": "1000h"})).await;
        let run = stage.sync(&connection, &stream, "full").await;
        assert_eq!(run["state"], "succeeded", "{run}");
        let cursor: chrono::DateTime<chrono::Utc> = run["cursor_after"].as_str().unwrap().parse().unwrap();
        let difference = (cursor - chrono::Utc::now()).num_seconds() - ahead;
        assert!((-140..=-119).contains(&difference), "the cursor is not by the remote's clock: {difference} s");
        let wanted = tradesync::sandbox::billz1::catalogue::RandomChanges { price: 5, seed: 9, ..Default::default() };
        stage.billz.billz1.random_changes(&wanted);
        let delta = stage.sync(&connection, &stream, "incremental").await;
        assert_eq!((&delta["read"]["mode"], &delta["progress"]["read"]), (&json!("incremental"), &json!(5)), "{delta}");
        stage.must_agree(&connection, &[stream], "another clock").await;
    }
}
