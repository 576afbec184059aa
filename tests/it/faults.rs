//! Every trouble that Billz can make, in a first run, in a delta and in a later whole read: how the run ends, that the cursor
//! moves only over what was read whole, that nothing is zeroed or deleted, and that the next run brings the shop to the truth.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tradesync::{
    fault::Code,
    sandbox::{
        self,
        billz2::{
            catalogue::Kind,
            changes::{Patch, RandomChanges, Truth},
            faults::{BadField, Family, Fault, Rule},
        },
    },
};

use crate::support::{BILLZ_KEY, Setup, Spawn, Stage, TIME_FACTOR};

/// Where products are read.
const PRODUCTS: &str = "/v2/products";
/// So often that no run outlasts it.
const FOR_EVER: u32 = 10_000;
/// Taken off the cursor (`OVERLAP` of the flow).
const OVERLAP_S: i64 = 120;
/// Billz gives pages of 200 rows: so many rows make two.
const TWO_PAGES: usize = 260;

/// How a run must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As if nothing had been.
    Succeeds,
    /// What came is applied, nothing is taken as gone, the cursor stays.
    NotWhole,
    /// Nothing is applied, the cursor stays.
    Fails(Code),
}

/// When trouble comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    First,
    Delta,
    Full,
}

const ALWAYS: [When; 3] = [When::First, When::Delta, When::Full];

/// One seller in one trouble after the other.
struct Seller<'a> {
    stage: &'a Stage,
    connection: String,
    stream: String,
    round: u64,
}

impl<'a> Seller<'a> {
    /// Deltas only, unless a run is asked to be full.
    async fn new(stage: &'a Stage) -> Self {
        let (connection, stream) = stage.seller(json!({"full_every": "1000h"})).await;
        Self { stage, connection, stream, round: 0 }
    }

    async fn sync(&self, mode: &str) -> Value {
        self.stage.sync(&self.connection, &self.stream, mode).await
    }

    async fn cursor(&self) -> Value {
        self.stage.stream(&self.connection, &self.stream).await["cursor"].clone()
    }

    async fn truth(&self, when: &str) {
        self.stage.must_be_true(&self.connection, std::slice::from_ref(&self.stream), when).await;
    }

    /// Makes the trouble, runs into it and out of it again.
    async fn meets(&mut self, name: &str, rule: Rule, when: When, end: End) -> Value {
        let name = format!("{name}, {when:?}");
        let billz = &self.stage.billz.billz2;
        self.round += 1;
        let changes = match when {
            When::First => RandomChanges::default(),
            // What a delta tells of, and what only a whole read brings.
            When::Delta => RandomChanges { price: 6, seed: self.round, ..RandomChanges::default() },
            When::Full => RandomChanges { stock: 6, promo: 3, price: 2, seed: self.round, ..RandomChanges::default() },
        };
        billz.random_changes(&changes);
        let mode = if when == When::Full { "full" } else { "incremental" };
        let (before, cursor) = (self.stage.database.shop_state(), self.cursor().await);
        billz.add_fault(rule);
        let run = self.sync(mode).await;
        assert!(billz.faults().iter().all(|rule| rule.fired > 0), "{name}: the trouble did not come: {run}");
        assert_eq!(run["cursor_before"], cursor, "{name}");
        assert_eq!(run["read"]["mode"].as_str().unwrap_or("-"), self.mode(when, &run), "{name}");
        ends(&run, end, &name);
        cursor_moves(&run, &self.cursor().await, end, &name);
        let after = self.stage.database.shop_state();
        if let End::Fails(_) = end {
            assert_eq!(after, before, "{name}: a failed run wrote");
        }
        assert!(after.len() >= before.len(), "{name}: products are gone");
        assert_eq!(self.stage.database.number("SELECT COUNT(*) AS number FROM oc_product WHERE price <= 0"), 0, "{name}");
        let found = self.stage.truth(&self.connection, std::slice::from_ref(&self.stream)).await;
        match end {
            End::Succeeds => assert!(found.wrong.is_empty(), "{name}: {run} {:?} {found:?}", self.stage.items(&run).await.first()),
            // Never something of its own making: right, or as it stood before.
            _ if when != When::First => assert!(found.wrong.len() <= 11, "{name}: {found:?}"),
            _ => {}
        }
        billz.clear_faults();
        let healed = self.sync(mode).await;
        assert_eq!(healed["state"], "succeeded", "{name}, healed: {healed}");
        assert_eq!(healed["whole"], true);
        assert_eq!(healed["error"], Value::Null);
        self.truth(&format!("{name}, healed")).await;
        run
    }

    /// How the read is shown: a run that failed in it shows none.
    fn mode(&self, when: When, run: &Value) -> &'static str {
        match when {
            _ if run["read"].is_null() => "-",
            When::Delta => "incremental",
            When::First | When::Full => "full",
        }
    }
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no time")).parse().unwrap()
}

/// State, error and `whole` as the table of faults says.
fn ends(run: &Value, end: End, name: &str) {
    let (state, code, whole) = match end {
        End::Succeeds => ("succeeded", None, json!(true)),
        End::NotWhole => ("partial", Some(Code::ReadNotWhole), json!(false)),
        End::Fails(code) => ("failed", Some(code), Value::Null),
    };
    assert_eq!(run["state"], state, "{name}: {run}");
    assert_eq!(run["whole"], whole, "{name}: {run}");
    match code {
        None => assert_eq!(run["error"], Value::Null, "{name}"),
        Some(code) => {
            assert_eq!(run["error"]["code"], code.name(), "{name}: {run}");
            assert_eq!(run["error"]["next"], code.next(), "{name}");
            assert_eq!(run["error"]["kind"], serde_json::to_value(code.kind()).unwrap(), "{name}");
            assert!(!run["error"]["detail"].as_str().unwrap().is_empty(), "{name}");
        }
    }
}

/// The cursor moves only when the read was whole and all is final: to the read's start by the remote's clock, less the overlap.
fn cursor_moves(run: &Value, stream: &Value, end: End, name: &str) {
    match end {
        End::Succeeds => {
            let expected = time(&run["read"]["started_at"]) - chrono::Duration::seconds(OVERLAP_S);
            assert_eq!(time(&run["cursor_after"]), expected, "{name}");
            assert_eq!(time(stream), expected, "{name}");
        }
        End::NotWhole | End::Fails(_) => {
            assert_eq!(run["cursor_after"], run["cursor_before"], "{name}: the cursor moved");
            assert_eq!(*stream, run["cursor_before"], "{name}: the stream's cursor moved");
        }
    }
}

fn rule(times: u32, fault: Fault) -> Rule {
    Rule::new(PRODUCTS, times, fault)
}

fn status(code: u16, family: Family) -> Fault {
    Fault::Status { code, family, retry_after: None }
}

/// Runs one trouble at all times.
async fn always(stage: &Stage, name: &str, times: u32, fault: Fault, end: End) {
    let mut seller = Seller::new(stage).await;
    for when in ALWAYS {
        seller.meets(name, rule(times, fault.clone()), when, end).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_asks_us_to_slow_down_is_obeyed_and_is_no_failure() {
    let stage = Stage::new().await;
    let mut seller = Seller::new(&stage).await;
    for when in ALWAYS {
        seller.meets("429", rule(3, Fault::RateLimited { retry_after: None }), when, End::Succeeds).await;
    }
    // 10 seconds in the time of the tests.
    stage.billz.billz2.clear_requests();
    let run = seller.meets("429 with Retry-After", rule(1, Fault::RateLimited { retry_after: Some(10) }), When::Delta, End::Succeeds).await;
    assert_eq!(run["counts"]["failed"], 0);
    let requests = stage.billz.billz2.requests().requests;
    let limited = requests.iter().position(|entry| entry.status == 429).unwrap();
    let pause_ms = requests[limited + 1].at_ms - requests[limited].at_ms;
    assert!(pause_ms >= 10_000.0 / TIME_FACTOR, "Retry-After: 10 was not obeyed: {pause_ms} ms");
    // The login and the lists beside the products stand under the same limit.
    stage.billz.billz2.expire_tokens();
    seller
        .meets("429 at login", Rule::new("/v1/auth/login", 2, Fault::RateLimited { retry_after: None }), When::Delta, End::Succeeds)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_puts_the_run_back_into_the_queue_and_frees_its_worker() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    stage.billz.billz2.fault_once(PRODUCTS, Fault::RateLimited { retry_after: Some(40) });
    let run = stage.start(&connection, &stream, "full").await;
    let begun = Instant::now();
    let waiting = loop {
        let seen = stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200);
        if !seen["not_before"].is_null() {
            break seen;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(waiting["state"], "queued");
    assert_eq!(waiting["error"], Value::Null);
    let ended = stage.rest.wait(&run).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let requests = stage.billz.billz2.requests().requests;
    let limited = requests.iter().position(|entry| entry.status == 429).unwrap();
    assert!(requests[limited + 1].at_ms - requests[limited].at_ms >= 40_000.0 / TIME_FACTOR);
    stage.must_be_true(&connection, &[stream], "after the pause").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_pass_when_they_are_few_and_end_the_run_when_they_stay() {
    let stage = Stage::new().await;
    always(&stage, "503 once", 1, status(503, Family::B), End::Succeeds).await;
    always(&stage, "502 by a proxy for ever", FOR_EVER, status(502, Family::Html), End::Fails(Code::RemoteUnavailable)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_are_tried_again() {
    let stage = Stage::new().await;
    always(&stage, "no answer", 1, Fault::Drop, End::Succeeds).await;
    always(&stage, "body cut", 1, Fault::CutBody, End::Succeeds).await;
    let mut seller = Seller::new(&stage).await;
    let gone = End::Fails(Code::RemoteUnavailable);
    seller.meets("body cut for ever", rule(FOR_EVER, Fault::CutBody), When::First, gone).await;
    seller.meets("no answer for ever", rule(FOR_EVER, Fault::Drop), When::Delta, gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_waited_for_and_a_silent_remote_is_not() {
    let stage = Stage::new().await;
    always(&stage, "slow", 2, Fault::Slow { ms: 250 }, End::Succeeds).await;
    always(&stage, "slow body", 1, Fault::SlowBody { ms: 250 }, End::Succeeds).await;
    // Half a second of patience is the least, whatever the factor.
    let stage = Stage::with(Setup { time_factor: 60.0, ..Setup::default() }).await;
    let mut seller = Seller::new(&stage).await;
    seller.meets("silence", rule(1, Fault::Hang { ms: 1_200 }), When::First, End::Succeeds).await;
    let gone = End::Fails(Code::RemoteUnavailable);
    seller.meets("silence for ever", rule(FOR_EVER, Fault::Hang { ms: 1_200 }), When::Delta, gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_cannot_be_read_change_nothing() {
    let stage = Stage::new().await;
    let unread = End::Fails(Code::RemoteProtocol);
    always(&stage, "half the JSON once", 1, Fault::TruncatedJson, End::Succeeds).await;
    always(&stage, "half the JSON for ever", FOR_EVER, Fault::TruncatedJson, unread).await;
    always(&stage, "a web page for ever", FOR_EVER, status(200, Family::Html), unread).await;
    let mut seller = Seller::new(&stage).await;
    seller.meets("a web page once", rule(1, status(200, Family::Html)), When::First, End::Succeeds).await;
    seller.meets("nothing once", rule(1, status(200, Family::Empty)), When::Delta, End::Succeeds).await;
    seller.meets("nothing for ever", rule(FOR_EVER, status(200, Family::Empty)), When::Full, unread).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_a_200_is_an_error() {
    let stage = Stage::new().await;
    for (name, family) in [("family A", Family::A), ("family B", Family::B), ("family C", Family::C)] {
        let mut seller = Seller::new(&stage).await;
        let gone = End::Fails(Code::RemoteUnavailable);
        seller.meets(name, rule(FOR_EVER, Fault::ErrorIn200 { family }), When::First, gone).await;
        seller.meets(name, rule(1, Fault::ErrorIn200 { family }), When::Delta, End::Succeeds).await;
        seller.meets(name, rule(FOR_EVER, Fault::ErrorIn200 { family }), When::Full, gone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_in_the_middle_costs_exactly_one_login() {
    let stage = Stage::with(Setup { products: TWO_PAGES, ..Setup::default() }).await;
    let mut seller = Seller::new(&stage).await;
    let billz = &stage.billz.billz2;
    let logins = || billz.state().logins;
    // One login begins the first run, one more follows the expiry on its second page.
    seller.meets("expired on page 2", rule(1, Fault::ExpiredToken).query("page=2"), When::First, End::Succeeds).await;
    assert_eq!(logins(), 2);
    seller.meets("expired in a delta", rule(1, Fault::ExpiredToken), When::Delta, End::Succeeds).await;
    assert_eq!(logins(), 3);
    seller.meets("expired on page 1", rule(1, Fault::ExpiredToken), When::Full, End::Succeeds).await;
    assert_eq!(logins(), 4);
    assert_eq!(billz.state().refreshes, 0, "a refresh may revoke every session of the key");
    // One that is refused again at once is not tried for ever.
    let before = logins();
    let run = seller.meets("expired for ever", rule(FOR_EVER, Fault::ExpiredToken), When::Delta, End::Fails(Code::RemoteAuth)).await;
    assert!(run["error"]["detail"].as_str().unwrap().contains("expired"), "{run}");
    // The refused replay, and the next run's own login.
    assert_eq!(logins(), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_fails_at_once_and_is_named() {
    let stage = Stage::new().await;
    let billz = &stage.billz.billz2;
    for status in [401, 400, 403] {
        let mut seller = Seller::new(&stage).await;
        for when in [When::First, When::Delta] {
            billz.set_switches(|switches| {
                switches.secret = "another key".to_owned();
                switches.wrong_secret_status = status;
            });
            billz.expire_tokens();
            billz.random_changes(&RandomChanges { price: 3, seed: u64::from(status), ..RandomChanges::default() });
            let (before, cursor) = (stage.database.shop_state(), seller.cursor().await);
            let run = seller.sync("incremental").await;
            ends(&run, End::Fails(Code::RemoteAuth), &format!("wrong key, {status}, {when:?}"));
            cursor_moves(&run, &seller.cursor().await, End::Fails(Code::RemoteAuth), "wrong key");
            assert_eq!(run["cursor_before"], cursor);
            assert_eq!(stage.database.shop_state(), before);
            billz.set_switches(|switches| switches.secret = BILLZ_KEY.to_owned());
            assert_eq!(seller.sync("incremental").await["state"], "succeeded");
            seller.truth("the right key again").await;
        }
        seller.round += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_right_says_which_right_is_missing() {
    let stage = Stage::new().await;
    let mut seller = Seller::new(&stage).await;
    for when in ALWAYS {
        let run = seller.meets("403", rule(FOR_EVER, status(403, Family::B)), when, End::Fails(Code::RemoteForbidden)).await;
        assert!(run["error"]["detail"].as_str().unwrap().contains("needs the role"), "{run}");
    }
    // The whole key, the company's currency included.
    stage.billz.billz2.set_switches(|switches| switches.access_denied = true);
    ends(&seller.sync("full").await, End::Fails(Code::RemoteForbidden), "access denied");
    stage.billz.billz2.set_switches(|switches| switches.access_denied = false);
    assert_eq!(seller.sync("full").await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_after_a_good_read_is_not_all_gone() {
    let stage = Stage::new().await;
    let mut seller = Seller::new(&stage).await;
    seller.sync("incremental").await;
    let run = seller.meets("empty list", rule(FOR_EVER, Fault::EmptyList), When::Full, End::Fails(Code::SourceEmpty)).await;
    assert!(run["error"]["detail"].as_str().unwrap().contains("empty list"), "{run}");
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_records WHERE gone_at IS NOT NULL"), 0);
    // A page in the middle that is empty of a sudden is no end of the list.
    let stage = Stage::with(Setup { products: TWO_PAGES, ..Setup::default() }).await;
    let mut seller = Seller::new(&stage).await;
    seller.meets("empty page", rule(1, Fault::EmptyList).query("page=2"), When::First, End::Succeeds).await;
    seller.meets("empty page for ever", rule(FOR_EVER, Fault::EmptyList).query("page=2"), When::Full, End::NotWhole).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_empty_at_first_is_read_whole_until_it_is_not() {
    let stage = Stage::new().await;
    let seller = Seller::new(&stage).await;
    stage.billz.billz2.fault_once(PRODUCTS, Fault::EmptyList);
    let run = seller.sync("incremental").await;
    assert_eq!(run["counts"]["created"], 0, "{run}");
    assert_eq!(stage.database.shop_state().len(), 0);
    // Not one of these goods has moved since: a delta would never tell of them.
    let healed = seller.sync("incremental").await;
    assert_eq!(healed["state"], "succeeded");
    seller.truth("after the empty list").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_rows_than_announced_prove_nothing() {
    let stage = Stage::new().await;
    always(&stage, "short by ten", FOR_EVER, Fault::ShortCount { missing: 10 }, End::NotWhole).await;
    always(&stage, "short by ten once", 1, Fault::ShortCount { missing: 10 }, End::Succeeds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_shift_between_pages_are_noticed() {
    for (name, fault) in [
        ("rows vanish", Fault::Shift { remove: 3, insert: 0 }),
        ("rows come", Fault::Shift { remove: 0, insert: 3 }),
        ("a page comes twice", Fault::DuplicatePage),
    ] {
        let page = if fault == Fault::DuplicatePage { "page=2" } else { "page=1" };
        let stage = Stage::with(Setup { products: TWO_PAGES, ..Setup::default() }).await;
        let mut seller = Seller::new(&stage).await;
        // Once: the read is done once more in the same run.
        seller.meets(name, rule(1, fault.clone()).query(page), When::First, End::Succeeds).await;
        let run = seller.meets(name, rule(FOR_EVER, fault.clone()).query(page), When::Full, End::NotWhole).await;
        assert_eq!(run["read"]["doubt"]["code"], Code::ReadNotWhole.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_is_down_costs_nothing() {
    let Stage { api, database, billz, service, rest } = Stage::new().await;
    let stage = Stage { api, database, billz, service, rest };
    let (connection, stream) = stage.simple(json!({})).await;
    let down = async |stage: Stage, connection: &str, stream: &str| {
        let address = stage.billz.url.trim_start_matches("http://").parse().unwrap();
        let Stage { api, database, billz, service, rest } = stage;
        billz.stop().await;
        let before = database.shop_state();
        let body = json!({"connection": connection, "stream": stream});
        let id = rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
        let run = rest.wait(&id).await;
        ends(&run, End::Fails(Code::RemoteUnavailable), "connection refused");
        assert!(run["error"]["detail"].as_str().unwrap().contains("could not connect"), "{run}");
        assert_eq!(run["cursor_after"], run["cursor_before"]);
        assert_eq!(database.shop_state(), before);
        let options = sandbox::Options {
            listen: address,
            products: 60,
            rate_limit: None,
            secret: BILLZ_KEY.to_owned(),
            time_factor: TIME_FACTOR,
            ..sandbox::Options::default()
        };
        Stage { api, database, billz: sandbox::start(options).await.unwrap(), service, rest }
    };
    let stage = down(stage, &connection, &stream).await;
    assert_eq!(stage.sync(&connection, &stream, "incremental").await["state"], "succeeded");
    stage.must_be_true(&connection, std::slice::from_ref(&stream), "Billz is up").await;
    let cursor = stage.stream(&connection, &stream).await["cursor"].clone();
    let stage = down(stage, &connection, &stream).await;
    assert_eq!(stage.stream(&connection, &stream).await["cursor"], cursor);
    stage.billz.billz2.random_changes(&RandomChanges { stock: 5, price: 5, ..RandomChanges::default() });
    assert_eq!(stage.sync(&connection, &stream, "incremental").await["state"], "succeeded");
    stage.must_be_true(&connection, &[stream], "Billz is up again").await;
}

/// A good that the first shop sells and holds, and its place on the first page (newest first).
fn victim(stage: &Stage) -> (u32, Truth) {
    let shop = stage.billz.billz2.shops()[0].id;
    let mut products = stage.billz.billz2.products(0, usize::MAX);
    products.reverse();
    let place = products.iter().position(|product| {
        let offer = &product.shops[&shop];
        product.kind == Kind::Goods && offer.price.is_some() && offer.promo.is_none() && offer.stock.as_thousandths() > 2_000
    });
    let place = place.unwrap();
    (u32::try_from(place).unwrap(), products.swap_remove(place))
}

fn retries(stage: &Stage, connection: &str) -> Vec<String> {
    stage.database.words(&format!(
        "SELECT CONCAT_WS('|', source_key, attempts, reason, first_run = last_run) AS words FROM tradesync_retries WHERE connection_id = '{connection}'"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_price_or_stock_stops_nobody_else_and_comes_back_by_itself() {
    for (field, code, value) in [(BadField::Price, "price_unreadable", "abc"), (BadField::Stock, "stock_unreadable", "много")] {
        let stage = Stage::new().await;
        let (row, victim) = victim(&stage);
        let seller = Seller::new(&stage).await;
        let bad = |times| stage.billz.billz2.add_fault(rule(times, Fault::BadRow { field, row }));
        // In the first run all others are created.
        bad(FOR_EVER);
        let run = seller.sync("incremental").await;
        assert_eq!(run["state"], "partial", "{run}");
        assert_eq!((&run["error"], &run["whole"], &run["counts"]["failed"]), (&Value::Null, &json!(true), &json!(1)), "{run}");
        // A failed item is final once it is stored durably.
        cursor_moves(&run, &seller.cursor().await, End::Succeeds, code);
        let found = stage.truth(&seller.connection, std::slice::from_ref(&seller.stream)).await;
        assert_eq!(found.wrong.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [victim.name.as_str()]);
        let items = stage.items(&run).await;
        let failed: Vec<&Value> = items.iter().filter(|item| item["outcome"] == "failed").collect();
        assert_eq!(failed.len(), 1);
        assert_eq!((failed[0]["key"].as_str(), failed[0]["reason"]["code"].as_str()), (Some(&*victim.id.to_string()), Some(code)));
        assert!(failed[0]["reason"]["text"].as_str().unwrap().contains(value), "{}", failed[0]);
        let listed = retries(&stage, &seller.connection);
        assert!(listed.len() == 1 && listed[0].starts_with(&format!("{}|1|", victim.id)) && listed[0].contains(value), "{listed:?}");
        // Offered again by every run, until Billz mends it.
        let again = seller.sync("incremental").await;
        assert_eq!((&again["state"], &again["counts"]["failed"]), (&json!("partial"), &json!(1)), "{again}");
        let listed = retries(&stage, &seller.connection);
        assert!(listed.len() == 1 && listed[0].starts_with(&format!("{}|2|", victim.id)) && listed[0].ends_with("|0"), "{listed:?}");
        stage.billz.billz2.clear_faults();
        let mended = seller.sync("full").await;
        assert_eq!((&mended["state"], &mended["counts"]["created"]), (&json!("succeeded"), &json!(1)), "{mended}");
        assert!(retries(&stage, &seller.connection).is_empty());
        seller.truth("mended").await;
        // Of a good that stands in the shop nothing is touched; the others change.
        stage.billz.billz2.random_changes(&RandomChanges { price: 8, seed: 5, ..RandomChanges::default() });
        let target = stage.links(&seller.connection).await[&victim.id.to_string()];
        let row_of = || {
            stage.database.words(&format!(
                "SELECT CONCAT_WS('|', quantity, price, status, date_modified) AS words FROM oc_product WHERE product_id = {target}"
            ))
        };
        let before = row_of();
        bad(FOR_EVER);
        let later = seller.sync("full").await;
        assert_eq!((&later["state"], &later["counts"]["failed"]), (&json!("partial"), &json!(1)), "{later}");
        assert!(later["counts"]["updated"].as_u64().unwrap() >= 5, "{later}");
        assert_eq!(row_of(), before, "a good that could not be read was changed");
        stage.billz.billz2.clear_faults();
        assert_eq!(seller.sync("full").await["state"], "succeeded");
        seller.truth("mended again").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_an_id_stops_nobody_else_and_proves_nothing() {
    for (field, named, value) in [(BadField::Id, "id", "null"), (BadField::Row, ".", "null")] {
        let stage = Stage::new().await;
        let (row, victim) = victim(&stage);
        let seller = Seller::new(&stage).await;
        let bad = |row| stage.billz.billz2.add_fault(rule(FOR_EVER, Fault::BadRow { field, row }));
        let check = |run: &Value| {
            assert_eq!((&run["state"], &run["error"]["code"]), (&json!("partial"), &json!("read-not-whole")), "{run}");
            assert_eq!(run["counts"]["failed"], 1, "{run}");
            assert_eq!(run["cursor_after"], run["cursor_before"], "{run}");
        };
        bad(row);
        let run = seller.sync("incremental").await;
        check(&run);
        let items = stage.items(&run).await;
        let failed = items.iter().find(|item| item["outcome"] == "failed").unwrap();
        assert_eq!(failed["reason"]["code"], "unreadable");
        let text = failed["reason"]["text"].as_str().unwrap();
        assert!(text.contains(named) && text.contains(value), "{text}");
        assert_eq!(retries(&stage, &seller.connection).len(), 1);
        let found = stage.truth(&seller.connection, std::slice::from_ref(&seller.stream)).await;
        assert_eq!(found.wrong.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [victim.name.as_str()]);
        stage.billz.billz2.clear_faults();
        assert_eq!(seller.sync("incremental").await["state"], "succeeded");
        assert!(retries(&stage, &seller.connection).is_empty());
        seller.truth("mended").await;
        // In a delta: its first row is bad now, and then another text of the same row; each mending resolves it.
        stage.billz.billz2.random_changes(&RandomChanges { price: 4, seed: 9, ..RandomChanges::default() });
        bad(0);
        check(&seller.sync("incremental").await);
        stage.billz.billz2.random_changes(&RandomChanges { price: 4, seed: 9, ..RandomChanges::default() });
        check(&seller.sync("incremental").await);
        assert_eq!(retries(&stage, &seller.connection).len(), 1);
        stage.billz.billz2.clear_faults();
        let mended = seller.sync("incremental").await;
        assert_eq!((&mended["state"], &mended["read"]["mode"]), (&json!("succeeded"), &json!("incremental")), "{mended}");
        assert!(retries(&stage, &seller.connection).is_empty());
        seller.truth("mended in a delta").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_share_of_failed_items_nothing_is_applied() {
    let stage = Stage::with(Setup { products: 80, spawn: Spawn::default(), ..Setup::default() }).await;
    let billz = &stage.billz.billz2;
    let mut seller = Seller::new(&stage).await;
    seller.sync("full").await;
    seller.round += 1;
    // A currency that suddenly is another one, for `count` goods of the first shop.
    let shop = billz.shops()[0].id;
    let goods: Vec<Truth> = billz
        .products(0, usize::MAX)
        .into_iter()
        .filter(|product| product.kind == Kind::Goods && product.shops[&shop].price.is_some())
        .collect();
    let paid_in = |count: usize, code: &str| {
        for product in goods.iter().take(count) {
            let patch: Patch = serde_json::from_value(json!({"currency": {shop.to_string(): code}})).unwrap();
            billz.patch(&product.id, &patch).unwrap();
        }
    };
    paid_in(21, "EUR");
    let other: Patch =
        serde_json::from_value(json!({"price": {shop.to_string(): "777000"}, "currency": {shop.to_string(): "UZS"}})).unwrap();
    billz.patch(&goods[30].id, &other).unwrap();
    let before = stage.database.shop_state();
    let run = seller.sync("incremental").await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("too-many-failures")), "{run}");
    assert!(run["error"]["detail"].as_str().unwrap().contains("21 of"), "{run}");
    assert_eq!(run["cursor_after"], run["cursor_before"]);
    assert_eq!(stage.database.shop_state(), before, "something was applied");
    // The report shows what failed.
    let failed = stage.rest.all(&format!("/sync/runs/{}/items?outcome=failed", run["id"].as_str().unwrap())).await;
    assert_eq!(failed.len(), 21);
    // Twenty never stop the others, whatever their share.
    billz.patch(&goods[20].id, &serde_json::from_value(json!({"currency": {shop.to_string(): "UZS"}})).unwrap()).unwrap();
    let run = seller.sync("incremental").await;
    assert_eq!((&run["state"], &run["counts"]["failed"]), (&json!("partial"), &json!(20)), "{run}");
    assert!(stage.database.number("SELECT COUNT(*) AS number FROM oc_product WHERE price = 777000") == 1);
    // Nor does a share that the connection allows.
    paid_in(25, "EUR");
    stage.rest.patch(&format!("/connections/{}", seller.connection), &json!({"settings": {"max_failed_share": "0.9"}})).await.ok(200);
    let run = seller.sync("incremental").await;
    assert_eq!((&run["state"], &run["counts"]["failed"]), (&json!("partial"), &json!(25)), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_company_currency_is_not_guessed_while_billz_stutters() {
    let stage = Stage::new().await;
    let currencies = |times, fault| Rule::new("/v2/company-currencies", times, fault);
    let mut seller = Seller::new(&stage).await;
    seller.meets("a web page once", currencies(1, status(200, Family::Html)), When::First, End::Succeeds).await;
    seller.meets("cut once", currencies(1, Fault::TruncatedJson), When::Delta, End::Succeeds).await;
    // A price without a currency would be copied in whatever the shop's is.
    let unread = End::Fails(Code::RemoteProtocol);
    seller.meets("a web page for ever", currencies(FOR_EVER, status(200, Family::Html)), When::Full, unread).await;
    seller.meets("cut for ever", currencies(FOR_EVER, Fault::TruncatedJson), When::Delta, unread).await;
    // A key that may not see it, and an API that does not have it, are well.
    seller.meets("forbidden", currencies(FOR_EVER, status(403, Family::B)), When::Full, End::Succeeds).await;
    seller.meets("unknown", currencies(FOR_EVER, status(404, Family::B)), When::Delta, End::Succeeds).await;
}
