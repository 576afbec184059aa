//! The client against the simulator's worst: tokens, both forms of the body, lost answers, doubled phones.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use tradesync::{
    fault::{Code, Fault},
    remote::{self, Http, ports::Limits},
    sandbox::{
        self, Running,
        onebox::{BodyRoot as Wanted, Switches},
    },
    systems::onebox::{self, BodyRoot, Client, Options, PasswordForm, Stored, Writer},
};

struct NoLimits;

#[async_trait]
impl Limits for NoLimits {
    async fn slot(&self, _: &str, _: Duration) -> Result<Duration, Fault> {
        Ok(Duration::ZERO)
    }
    async fn pause(&self, _: &str, _: Duration) -> Result<DateTime<Utc>, Fault> {
        Ok(Utc::now())
    }
}

async fn simulated(switches: Switches) -> Running {
    sandbox::start(sandbox::Options { products: 0, goods: 0, contacts: 0, deals: 0, orders: 0, onebox: switches, ..Default::default() })
        .await
        .unwrap()
}

fn client(running: &Running) -> Client {
    let options = Options {
        base_url: running.onebox_url.parse().unwrap(),
        login: SecretString::from("okl-bot"),
        password: SecretString::from("demo-onebox-password"),
        password_form: PasswordForm::Plain,
        token_life: onebox::TOKEN_LIFE,
        pause: Duration::ZERO,
    };
    Client::new(options, Http::new(remote::Options::default()).unwrap(), Arc::new(NoLimits), CancellationToken::new())
}

fn writer(running: &Running, root: BodyRoot) -> Writer {
    Writer::new(client(running), Box::new(|_| Ok(())), root)
}

fn order(key: &str) -> Map<String, Value> {
    let order = json!({"externalid": key, "name": "Замовлення", "workflowid": 9, "statusid": 54, "clientname": "Тестова", "clientphone": "380670000001"});
    order.as_object().cloned().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_stored_and_found_by_our_key() {
    let running = simulated(Switches::default()).await;
    let writer = writer(&running, BodyRoot::Array);
    let Stored::As(id) = writer.store(order("okl-1")).await.unwrap() else { panic!("no id") };
    let keys = ["okl-1".to_owned(), "okl-2".to_owned()];
    let found = writer.by_externalid(&keys, &["statusid"]).await.unwrap();
    assert_eq!((found.len(), &found["okl-1"].id, found["okl-1"].fields.get("statusid").map(String::as_str)), (1, &id, Some("54")));
    assert_eq!(writer.by_id(std::slice::from_ref(&id), &[]).await.unwrap()[&id].externalid, "okl-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_form_of_the_body_is_tried_once_and_then_kept() {
    for (takes, told) in [(Wanted::IndexedObject, BodyRoot::Array), (Wanted::Array, BodyRoot::IndexedObject)] {
        let running = simulated(Switches { body_root: takes, ..Switches::default() }).await;
        let writer = writer(&running, told);
        assert!(matches!(writer.store(order("okl-1")).await.unwrap(), Stored::As(_)), "{told:?}");
        assert!(matches!(writer.store(order("okl-2")).await.unwrap(), Stored::As(_)));
        assert_eq!(running.onebox.orders().len(), 2);
        let asked = running.onebox.desk().requests().requests.iter().filter(|entry| entry.target.contains("order/set")).count();
        assert_eq!(asked, 3, "one refusal in all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_died_costs_one_login() {
    let running = simulated(Switches::default()).await;
    let writer = writer(&running, BodyRoot::Array);
    writer.store(order("okl-1")).await.unwrap();
    let logins = running.onebox.state().logins;
    running.onebox.expire_tokens();
    assert!(matches!(writer.store(order("okl-2")).await.unwrap(), Stored::As(_)));
    assert_eq!(running.onebox.state().logins, logins + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_id_proves_nothing() {
    let running = simulated(Switches { empty_answers: 1, ..Switches::default() }).await;
    assert_eq!(writer(&running, BodyRoot::Array).store(order("okl-1")).await.unwrap(), Stored::Unproven);
    assert_eq!(running.onebox.orders().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_a_fault_and_nothing_is_sent_again() {
    let running = simulated(Switches::default()).await;
    running.onebox.desk().add_fault(sandbox::desk::Rule::new("order/set", 1, sandbox::desk::Fault::Drop));
    let lost = writer(&running, BodyRoot::Array).store(order("okl-1")).await.unwrap_err();
    assert_eq!(lost.code, Code::RemoteUnavailable);
    assert_eq!((running.onebox.writes().len(), running.onebox.orders().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_say_what_to_look_at() {
    let running = simulated(Switches { password: "another".into(), ..Switches::default() }).await;
    let fault = client(&running).login().await.unwrap_err();
    assert_eq!(fault.code, Code::RemoteAuth);
    assert!(!fault.detail.contains("demo-onebox-password"), "{fault}");
}
