//! Every wrong way that is known: how the run ends, that the shop is right or untouched, and that nothing is ever set to 0 by any of them.

use serde_json::{Value, json};
use tradesync::{fault::Code, sandbox::desk::Fault};

use super::{Pair, count};

/// A connection that would empty the shop if it believed them: `missing: "zero"`, and no brake.
async fn credulous() -> Pair {
    let pair = Pair::new(json!({
        "missing": "leave", "brakes": {"limits": {"products_zeroed": {"on": false}, "source_shrunk": {"on": false}}},
    }))
    .await;
    pair.well().await;
    // What InSales alone knows goes to 0 by this setting; from here on nothing may.
    pair.settings(json!({"missing": "zero"})).await;
    pair.well().await;
    pair
}

fn set(pointer: &str, value: Value) -> Fault {
    Fault::Set { pointer: pointer.into(), value }
}

const FOR_EVER: u32 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_kaktus_that_cannot_be_trusted_changes_nothing() {
    let pair = credulous().await;
    let expired = json!({"errors": [{"code": 401, "message": "JWT expired at 2021-12-30T21:10:02Z."}], "success": false});
    let refused = json!({"success": false, "errors": [{"code": 0, "message": "Нет доступа"}]});
    let failed = |code: Code| ("failed", Some(code.name()));
    let well = ("succeeded", None);
    for (what, skip, times, fault, (ends, code)) in [
        ("success:false with 200", 0, FOR_EVER, Fault::Json { status: 200, body: refused.clone() }, failed(Code::RemoteRejected)),
        ("success:false in mid-sweep", 2, FOR_EVER, Fault::Json { status: 200, body: refused }, failed(Code::RemoteRejected)),
        ("a token that is never accepted", 0, FOR_EVER, Fault::Json { status: 200, body: expired.clone() }, failed(Code::RemoteAuth)),
        ("a token dying in mid-sweep", 2, 1, Fault::Json { status: 200, body: expired }, well),
        ("an empty list on the first page", 0, FOR_EVER, set("/products", json!([])), failed(Code::ReadNotWhole)),
        ("an empty list in mid-sweep", 2, FOR_EVER, set("/products", json!([])), failed(Code::ReadNotWhole)),
        (
            "an empty warehouse",
            0,
            FOR_EVER,
            Fault::Json { status: 200, body: json!({"success": true, "recordsTotal": 0, "products": []}) },
            failed(Code::SourceEmpty),
        ),
        ("no `products`", 0, FOR_EVER, Fault::Remove { key: "products".into() }, failed(Code::RemoteProtocol)),
        ("no `recordsTotal`", 1, FOR_EVER, Fault::Remove { key: "recordsTotal".into() }, failed(Code::RemoteProtocol)),
        ("a total that moves", 2, FOR_EVER, set("/recordsTotal", json!(999)), failed(Code::ReadNotWhole)),
        ("a total that moves once", 1, 1, set("/recordsTotal", json!(999)), well),
        ("a repeated page", 2, 1, Fault::Query { name: "page".into(), value: "1".into() }, well),
        (
            "pages that all repeat the first",
            1,
            FOR_EVER,
            Fault::Query { name: "page".into(), value: "0".into() },
            failed(Code::ReadNotWhole),
        ),
        ("a web page", 1, FOR_EVER, Fault::Html { code: 200 }, failed(Code::RemoteProtocol)),
        ("a 502", 1, FOR_EVER, Fault::Html { code: 502 }, failed(Code::RemoteUnavailable)),
        ("a cut answer", 1, FOR_EVER, Fault::CutBody { after: 200 }, failed(Code::RemoteUnavailable)),
        ("one cut answer", 1, 1, Fault::CutBody { after: 200 }, well),
        ("a slow page", 1, 1, Fault::Slow { ms: 200 }, well),
        ("a pause that it asks for", 1, 1, Fault::Empty { status: 429, retry_after: Some(2) }, well),
    ] {
        let before = pair.insales().quantities();
        pair.trouble_at_kaktus(skip, times, fault);
        let run = pair.sync().await;
        assert!(pair.kaktus().desk().faults().iter().all(|rule| rule.fired > 0), "{what} was never met");
        assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some(ends), code), "{what}: {run}");
        assert!(pair.zeroed(&before).is_empty(), "{what}: something went to 0");
        assert_eq!(pair.insales().quantities(), before, "{what}");
        pair.kaktus().desk().clear_faults();
    }
    let gone = pair.stage.database.number("SELECT COUNT(*) AS number FROM tradesync_records WHERE gone_at IS NOT NULL");
    assert_eq!(gone, 0, "nothing was ever taken as gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_shift_between_pages_are_read_again_until_they_are_whole_or_not_at_all() {
    let pair = credulous().await;
    let before = pair.insales().quantities();
    pair.kaktus().set_switches(|switches| switches.rows_shift = true);
    let run = pair.sync().await;
    assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("read-not-whole")), "{run}");
    assert_eq!(pair.insales().quantities(), before);
    pair.kaktus().set_switches(|switches| (switches.rows_shift, switches.size_ignored) = (false, true));
    pair.well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_another_form_are_understood_and_unknown_ones_are_not_zero() {
    let pair = credulous().await;
    let before = pair.insales().quantities();
    pair.kaktus().set_switches(|switches| (switches.numeric_ids, switches.barcode_objects) = (true, true));
    let run = pair.well().await;
    assert_eq!(count(&run, "updated"), 0, "{run}");
    // The vendor renames the field: nothing is told any more.
    pair.settings(json!({"kaktus": {"quantity_field": "stockTotals"}})).await;
    let run = pair.well().await;
    assert!(count(&run, "updated") == 0 && count(&run, "skipped") > 100, "{run}");
    assert_eq!(pair.insales().quantities(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_insales_that_cannot_be_trusted_writes_nothing() {
    let pair = credulous().await;
    let failed = |code: Code| ("failed", Some(code.name()));
    for (what, route, times, fault, (ends, code)) in [
        ("a web page with 404 for the list", "/products.json", FOR_EVER, Fault::Html { code: 404 }, failed(Code::RemoteRejected)),
        ("a web page with 200", "/products.json", FOR_EVER, Fault::Html { code: 200 }, failed(Code::RemoteProtocol)),
        ("an empty list", "/products.json", FOR_EVER, Fault::Json { status: 200, body: json!([]) }, failed(Code::ReadNotWhole)),
        (
            "an object in place of the list",
            "/products.json",
            FOR_EVER,
            Fault::Json { status: 200, body: json!({"products": []}) },
            failed(Code::RemoteProtocol),
        ),
        (
            "a count that differs",
            "/count.json",
            FOR_EVER,
            Fault::Json { status: 200, body: json!({"count": 9_999}) },
            failed(Code::ReadNotWhole),
        ),
        (
            "a lost right",
            "/products.json",
            FOR_EVER,
            Fault::Json { status: 403, body: json!({"status": "error", "message": "no"}) },
            failed(Code::RemoteForbidden),
        ),
        ("a server fault", "/count.json", FOR_EVER, Fault::Empty { status: 500, retry_after: None }, failed(Code::RemoteUnavailable)),
        ("one server fault", "/count.json", 1, Fault::Empty { status: 504, retry_after: None }, ("succeeded", None)),
        ("a redirect", "/products.json", FOR_EVER, Fault::Empty { status: 301, retry_after: None }, failed(Code::RemoteRejected)),
        ("one pause", "/products.json", 1, Fault::Empty { status: 503, retry_after: Some(3) }, ("succeeded", None)),
    ] {
        let before = pair.insales().quantities();
        pair.kaktus().random_changes(3, 5);
        let stale = pair.insales().state().written;
        pair.trouble_at_insales(route, times, fault);
        let run = pair.sync().await;
        assert!(pair.insales().desk().faults().iter().all(|rule| rule.fired > 0), "{what} was never met");
        assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some(ends), code), "{what}: {run}");
        assert!(pair.zeroed(&before).is_empty(), "{what}: something went to 0");
        if ends == "failed" {
            assert_eq!(pair.insales().state().written, stale, "{what}");
        }
        pair.insales().desk().clear_faults();
        pair.well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_cap_and_edits_during_the_sweep_lose_nothing() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    pair.insales().set_switches(|switches| (switches.page_cap, switches.latency_ms) = (10, 20));
    let run = pair.start(json!({})).await;
    let variants: Vec<u64> = before.keys().copied().step_by(17).collect();
    for variant in variants {
        pair.insales().edit(variant, |variant| variant.sku = Some("edited".into()));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let run = pair.stage.rest.wait(&run).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    pair.must_agree(&before, "edited meanwhile");
}

/// A write whose answer is lost may have got through: it is sent again, with the same absolute values.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_write_does_no_harm() {
    for fault in [Fault::Drop, Fault::Refuse, Fault::Html { code: 502 }, Fault::CutBody { after: 1 }] {
        let pair = Pair::new(json!({})).await;
        let before = pair.insales().quantities();
        pair.trouble_at_insales("variants_group_update", 1, fault);
        pair.well().await;
        pair.must_agree(&before, "a lost answer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_value_sinks_no_neighbour() {
    let pair = Pair::empty(json!({})).await;
    let variants: Vec<u64> =
        (0..9).map(|number| (pair.stocked(&format!("46{number}"), 5), pair.sold(&format!("46{number}"), 9)).1).collect();
    // The first two calls are refused as a whole: the group is halved, and the half that is bad again stands for its values.
    pair.trouble_at_insales("variants_group_update", 2, Fault::Json { status: 422, body: json!({"quantity": ["is bad"]}) });
    pair.sync().await;
    pair.sync().await;
    assert!(variants.iter().all(|variant| pair.quantity(*variant) == 5));
}
