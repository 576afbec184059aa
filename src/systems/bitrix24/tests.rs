//! The client against a scripted portal.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    fault::{Code, Fault},
    remote::testing::{Act, Asked, Memory, Server, answer, json as good, quick_http},
};

const CODE: &str = "webhook-code-of-the-portal";

fn reader(server: &Server, limits: &Arc<Memory>) -> Reader {
    let webhook = SecretString::from(server.url.join(&format!("rest/1/{CODE}/")).expect("address").to_string());
    let options = Options { webhook, spacing: Duration::from_millis(500), operating_seconds: 420 };
    Reader::new(options, quick_http(), Arc::clone(limits) as Arc<_>, CancellationToken::new()).expect("webhook")
}

fn sent(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).expect("JSON")
}

fn result(value: &Value) -> Act {
    good(&json!({"result": value, "time": {"date_start": "2026-05-14T10:05:00+03:00", "operating": 0}}).to_string())
}

#[test]
fn the_secret_of_a_webhook_is_its_code() {
    let parts = |address: &str| {
        client::webhook(&SecretString::from(address))
            .map(|(base, code)| (base.to_string(), secrecy::ExposeSecret::expose_secret(&code).to_owned()))
    };
    let expected = Ok(("https://portal.bitrix24.ru/rest/1/abc/".to_owned(), "abc".to_owned()));
    for address in [
        "https://portal.bitrix24.ru/rest/1/abc/",
        "https://portal.bitrix24.ru/rest/1/abc",
        "https://portal.bitrix24.ru/rest/1/abc/crm.contact.list.json?x=1",
    ] {
        assert_eq!(parts(address), expected, "{address}");
    }
    for wrong in ["", "our own", "https://school.example/", "https://school.example/rest/abc/def/", "ftp://p/rest/1/abc/"] {
        let error = parts(wrong).expect_err("no webhook");
        assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
    }
}

#[tokio::test]
async fn a_page_begins_after_the_last_id_and_asks_for_no_count() {
    let server = Server::start(|_| result(&json!([{"ID": "7"}, {"ID": "12"}]))).await;
    let mut reader = reader(&server, &Memory::new(1_000));
    let filter = Filter::from([(">=DATE_MODIFY".to_owned(), json!("2026-05-14T07:00:00+00:00"))]);
    let (rows, began) = reader.page_after(Entity::Contact, &filter, &["ID".to_owned()], 5).await.expect("rows");
    assert_eq!((rows.len(), began.map(|began| began.to_rfc3339())), (2, Some("2026-05-14T07:05:00+00:00".to_owned())));
    let asked = &server.asked()[0];
    assert_eq!(asked.line, format!("POST /rest/1/{CODE}/crm.contact.list.json"));
    assert_eq!(
        sent(asked),
        json!({"filter": {">=DATE_MODIFY": "2026-05-14T07:00:00+00:00", ">ID": 5}, "order": {"ID": "ASC"}, "select": ["ID"], "start": -1})
    );
}

#[tokio::test]
async fn rows_out_of_order_prove_nothing() {
    for rows in [json!([{"ID": "12"}, {"ID": "7"}]), json!([{"ID": "5"}]), json!([{"NAME": "x"}]), json!([7]), json!({})] {
        let server = Server::start(move |_| result(&rows)).await;
        let fault = reader(&server, &Memory::new(1_000)).page_after(Entity::Deal, &Filter::new(), &[], 5).await.expect_err("no page");
        assert_eq!(fault.code, Code::RemoteProtocol);
    }
}

#[tokio::test]
async fn rows_that_were_not_asked_for_are_left_out() {
    let server = Server::start(|_| result(&json!([{"ID": "7"}, {"ID": "8"}]))).await;
    let rows = reader(&server, &Memory::new(1_000)).by_ids(Entity::Contact, &[8], &[]).await.expect("rows");
    assert_eq!(rows.len(), 1, "a filter that was dropped shows others");
}

#[tokio::test]
async fn no_fault_holds_the_webhooks_code() {
    for (status, body, code) in [
        (401, r#"{"error":"INVALID_CREDENTIALS","error_description":"CODE"}"#, Code::RemoteAuth),
        (403, r#"{"error":"insufficient_scope"}"#, Code::RemoteForbidden),
        (302, "", Code::RemoteRejected),
        (502, "<html>", Code::RemoteUnavailable),
        (200, "{", Code::RemoteProtocol),
    ] {
        let server = Server::start(move |_| answer(status, "", &body.replace("CODE", CODE))).await;
        let fault = reader(&server, &Memory::new(1_000)).users(&[1]).await.expect_err("no answer");
        assert_eq!(fault.code, code, "HTTP {status}");
        assert!(!format!("{fault} {fault:?}").contains(CODE), "{fault}");
    }
}

#[tokio::test]
async fn a_command_that_met_a_limit_makes_a_reading_batch_wait_and_ask_again() {
    let limited = json!({"result": {"result": {"a": []}, "result_error": {"b": {"error": "OPERATION_TIME_LIMIT"}}},
        "time": {"date_start": "2026-05-14T10:05:00+03:00", "operating_reset_at": 1778742310}});
    let server = Server::start(move |asked| {
        if asked.nth == 0 { good(&limited.to_string()) } else { result(&json!({"result": {"a": [], "b": []}, "result_error": []})) }
    })
    .await;
    let limits = Memory::new(1_000);
    let commands: Commands = [("a".to_owned(), "x?".to_owned()), ("b".to_owned(), "y?".to_owned())].into();
    let mut results = reader(&server, &limits).batch(&commands).await.expect("both");
    assert!(results.take("a").is_ok() && results.take("b").is_ok());
    assert_eq!((server.asked().len(), limits.pauses.lock().expect("lock")[0].1), (2, Duration::from_secs(10)));
}

#[tokio::test]
async fn a_method_whose_time_is_nearly_used_up_is_left_in_peace() {
    let body =
        json!({"result": [], "time": {"date_start": "2026-05-14T10:05:00+03:00", "operating": 431.5, "operating_reset_at": 1778742320}});
    let server = Server::start(move |_| good(&body.to_string())).await;
    let limits = Memory::new(1_000);
    reader(&server, &limits).users(&[1]).await.expect("good");
    assert_eq!(limits.pauses.lock().expect("lock")[0].1, Duration::from_secs(20));
}

/// A portal with statuses by id, which takes `update` texts and plays a trick at some calls.
#[derive(Default)]
struct Portal {
    statuses: Mutex<BTreeMap<u64, String>>,
    updates: Mutex<Vec<u64>>,
}

impl Portal {
    fn list(&self) -> Act {
        let statuses = self.statuses.lock().expect("lock");
        let rows: Vec<Value> = statuses.iter().map(|(id, text)| json!({"ID": id.to_string(), "UF_CRM_1": text})).collect();
        result(&json!(rows))
    }

    /// Carries out a batch.
    fn batch(&self, asked: &Asked) -> Act {
        let (mut done, mut times) = (serde_json::Map::new(), serde_json::Map::new());
        for (name, command) in sent(asked)["cmd"].as_object().expect("commands") {
            let query = command.as_str().expect("text").split_once('?').expect("query").1;
            let pairs: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let id: u64 = pairs["id"].parse().expect("id");
            self.statuses.lock().expect("lock").insert(id, pairs["fields[UF_CRM_1]"].clone());
            self.updates.lock().expect("lock").push(id);
            done.insert(name.clone(), json!(true));
            times.insert(name.clone(), json!({"duration": 0.01}));
        }
        result(&json!({"result": done, "result_error": [], "result_time": times}))
    }
}

fn texts(ids: std::ops::Range<u64>) -> BTreeMap<u64, String> {
    ids.map(|id| (id, "Успешно".to_owned())).collect()
}

async fn told(
    portal: Arc<Portal>,
    texts: BTreeMap<u64, String>,
    trick: impl Fn(&Asked, &Portal) -> Option<Act> + Send + Sync + 'static,
) -> (Server, Result<(), Fault>, BTreeMap<u64, Told>) {
    let played = Arc::clone(&portal);
    let server = Server::start(move |asked| match trick(asked, &played) {
        Some(act) => act,
        None if asked.line.contains("batch") => played.batch(asked),
        None => played.list(),
    })
    .await;
    let mut writer = Writer::new(reader(&server, &Memory::new(1_000)), Box::new(|_| Ok(())));
    let mut told = BTreeMap::new();
    let ended = writer.tell(Entity::Contact, "UF_CRM_1", &texts, &mut told).await;
    (server, ended, told)
}

fn portal(stands: &[(u64, &str)]) -> Arc<Portal> {
    let statuses = stands.iter().map(|(id, text)| (*id, (*text).to_owned())).collect();
    Arc::new(Portal { statuses: Mutex::new(statuses), updates: Mutex::default() })
}

#[tokio::test]
async fn a_text_is_written_only_where_another_one_stands() {
    let portal = portal(&[(1, ""), (2, "Успешно"), (3, "Нет телефона")]);
    let (server, ended, told) = told(Arc::clone(&portal), texts(1..5), |_, _| None).await;
    ended.expect("told");
    assert_eq!((told[&1].clone(), told[&2].clone(), told[&3].clone()), (Told::Written, Told::Stood, Told::Written));
    assert!(matches!(&told[&4], Told::Refused(words) if words.contains("cannot see it")));
    assert_eq!(*portal.updates.lock().expect("lock"), [1, 3]);
    assert_eq!(server.asked().len(), 2, "one look, one batch");
}

#[tokio::test]
async fn batches_grow_when_the_portal_is_quick() {
    let stands: Vec<(u64, &str)> = (1..51).map(|id| (id, "")).collect();
    let portal = portal(&stands);
    let (server, ended, told) = told(Arc::clone(&portal), texts(1..51), |_, _| None).await;
    ended.expect("told");
    assert_eq!((told.len(), server.asked().len()), (50, 3), "a look, a small batch to learn by, and the rest");
}

#[tokio::test]
async fn after_a_lost_answer_nothing_is_written_twice() {
    let stands: Vec<(u64, &str)> = (1..9).map(|id| (id, "")).collect();
    let portal = portal(&stands);
    // The first batch is carried out, its answer is lost.
    let (_server, ended, told) = told(Arc::clone(&portal), texts(1..9), |asked, portal| {
        (asked.nth == 1).then(|| {
            portal.batch(asked);
            Act::Drop
        })
    })
    .await;
    ended.expect("told");
    assert!(told.values().all(|told| *told != Told::Refused(String::new())) && told.len() == 8);
    let mut updates = portal.updates.lock().expect("lock").clone();
    updates.sort_unstable();
    assert_eq!(updates, (1..9).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn a_portal_that_stays_silent_ends_it() {
    let (_server, ended, told) = told(portal(&[(1, "")]), texts(1..2), |asked, _| asked.line.contains("batch").then_some(Act::Drop)).await;
    assert_eq!((ended.expect_err("silent").code, told.len()), (Code::RemoteUnavailable, 0));
}

#[tokio::test]
async fn one_refused_command_stops_no_other() {
    let (_server, ended, told) = told(portal(&[(1, ""), (2, "")]), texts(1..3), |asked, _| {
        asked.line.contains("batch").then(|| {
            result(&json!({"result": {"u2": true}, "result_error": {"u1": {"error": "", "error_description": "Обязательное поле"}}, "result_time": []}))
        })
    })
    .await;
    ended.expect("told");
    assert_eq!((told[&1].clone(), told[&2].clone()), (Told::Refused("Обязательное поле".to_owned()), Told::Written));
}
