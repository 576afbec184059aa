//! Each channel against a receiver of its kind, over real sockets; and the test button.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Receiver, fails, locked_out, receivers::MailServer, set, until, verified, webhook};
use crate::support::{Setup, Stage};

const TOKEN: &str = "123456789:AAE-tests-only-token-of-a-bot";

fn telegram(receiver: &Receiver) -> Value {
    json!({"id": "owner", "kind": "telegram", "chat_id": "-1001234567890", "base_url": receiver.url, "language": "ru", "secrets": {"token": TOKEN}})
}

fn mail(server: &MailServer) -> Value {
    json!({"id": "office", "kind": "email", "language": "uz", "host": "127.0.0.1", "port": server.port, "encryption": "none",
           "from": "Tradesync <tradesync@example.com>", "to": ["owner@example.com", "Second <second@example.com>"]})
}

async fn quiet() -> Stage {
    Stage::with(Setup { products: 3, ..Setup::default() }).await
}

/// The Bot API asks to wait, then takes the message: escaped, in the owner's language, once.
#[tokio::test(flavor = "multi_thread")]
async fn telegram_is_asked_again_when_it_says_so_and_names_of_shops_are_no_marks() {
    let stage = quiet().await;
    let slow = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 20","parameters":{"retry_after":20}}"#;
    let bot = Receiver::start(
        move |_, nth| if nth == 0 { (429, slow.to_owned()) } else { (200, r#"{"ok":true,"result":{"message_id":1}}"#.to_owned()) },
    )
    .await;
    set(&stage.rest, json!([telegram(&bot)]), json!({"failures": {"in_row": 1}})).await;
    let (connection, stream) = locked_out(&stage).await;
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"name": "Shop <b>& Co</b>"})).await.ok(200);
    let began = std::time::Instant::now();
    fails(&stage, &connection, &stream).await;
    until("the bot takes nothing", async || bot.got().len() >= 2).await;
    // Twenty seconds are one in tests.
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
    let got = bot.got();
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|got| got.path == format!("/bot{TOKEN}/sendMessage")));
    let body = got[1].json();
    assert_eq!((&body["chat_id"], &body["parse_mode"]), (&json!("-1001234567890"), &json!("HTML")));
    let text = body["text"].as_str().unwrap();
    assert!(
        text.starts_with("<b>Синхронизация не удаётся: «Shop &lt;b&gt;&amp; Co&lt;/b&gt;», ") && text.contains("Проверьте ключ"),
        "{text}"
    );
    let log = stage.service.output();
    assert!(!log.contains(TOKEN) && !log.contains("AAE-tests-only"), "the token stands in the log");
    until("it is not written down", async || {
        stage.rest.get("/alerts").await.ok(200)["channels"][0]["delivery"]["last_delivered_at"].is_string()
    })
    .await;
}

/// A mail in the language of its channel, with an id that stays the same, to all its receivers.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_gets_to_its_receivers_in_their_language() {
    let stage = quiet().await;
    let server = MailServer::start(false).await;
    set(&stage.rest, json!([mail(&server)]), json!({"failures": {"in_row": 1}})).await;
    let (connection, stream) = locked_out(&stage).await;
    fails(&stage, &connection, &stream).await;
    until("no mail comes", async || !server.mails().is_empty()).await;
    let mail = server.mails().remove(0);
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("tradesync@example.com", ["owner@example.com".to_owned(), "second@example.com".to_owned()].as_slice())
    );
    let (head, body) = mail.data.split_once("\r\n\r\n").unwrap();
    let id = stage.database.words("SELECT id AS words FROM tradesync_alerts").remove(0);
    assert!(head.contains(&format!("Message-ID: <{id}@example.com>")) && head.contains("Subject: ") && head.contains("Date: "), "{head}");
    let text = if head.to_lowercase().contains("content-transfer-encoding: base64") {
        String::from_utf8(STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()).unwrap()
    } else {
        decoded(body)
    };
    assert!(text.contains("ketma-ket 1 marta amalga oshmadi") && text.contains("kalitni tekshiring"), "{text}");
}

/// Quoted-printable, as RFC 2045 has it.
fn decoded(body: &str) -> String {
    let body = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_bytes();
    while let Some((first, left)) = rest.split_first() {
        rest = left;
        match (first, left) {
            (b'=', [high, low, after @ ..]) => {
                let hex = std::str::from_utf8(&[*high, *low]).unwrap().to_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The test button says of each channel what happened, and leaves no trace but the message.
#[tokio::test(flavor = "multi_thread")]
async fn the_test_button_says_of_each_channel_what_happened() {
    let stage = quiet().await;
    let (receiver, bot) = (
        Receiver::willing().await,
        Receiver::start(|_, _| (401, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#.to_owned())).await,
    );
    let refusing = MailServer::start(true).await;
    set(&stage.rest, json!([webhook("ops", &receiver), telegram(&bot), mail(&refusing)]), json!({})).await;
    let answer = stage.rest.post("/alerts/test", &json!({})).await.ok(200);
    assert_eq!(answer["ok"], false);
    let of = |id: &str| answer["channels"].as_array().unwrap().iter().find(|channel| channel["channel"] == id).unwrap().clone();
    assert_eq!((&of("ops")["ok"], &of("owner")["ok"], &of("office")["ok"]), (&json!(true), &json!(false), &json!(false)), "{answer}");
    assert!(of("owner")["detail"].as_str().unwrap().contains("refuses the token"), "{answer}");
    assert!(of("office")["detail"].as_str().unwrap().contains("no such user"), "{answer}");
    let body = verified(&receiver.got()[0], super::SECRET);
    assert_eq!((&body["type"], &body["data"]["rule"]), (&json!("alert.test"), &Value::Null));
    assert!(body["data"]["text"].as_str().unwrap().contains("alerts arrive here"));

    // One channel; a repeated request sends nothing.
    let once = stage.rest.with_header("idempotency-key", "press-1");
    let first = once.post("/alerts/test", &json!({"channel": "ops"})).await.ok(200);
    assert_eq!(
        first,
        json!({"ok": true, "channels": [{"channel": "ops", "kind": "webhook", "ok": true, "detail": "the receiver answered HTTP 200"}]})
    );
    assert_eq!(once.post("/alerts/test", &json!({"channel": "ops"})).await.ok(200), first);
    assert_eq!((receiver.got().len(), bot.got().len()), (2, 1));
    stage.rest.post("/alerts/test", &json!({"channel": "nobody"})).await.problem(404, "not-found");
    let acts = stage.rest.all("/audit?action=alerts.test").await;
    assert_eq!(acts.len(), 2);
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_alert_deliveries"), 0);
}
