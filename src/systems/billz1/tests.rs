//! The client against a scripted Billz 1.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    fault::{Code, Fault},
    remote::testing::{Act, Asked, Memory, Server, answer, json, quick_http},
};

const SECRET: &str = "secret-key-of-the-merchant";

fn client(server: &Server) -> Client {
    let options = Options {
        base_url: server.url.clone(),
        username: "Company.Ecommerce".into(),
        secret: SecretString::from(SECRET),
        issuer: ISSUER.into(),
    };
    Client::new(options, quick_http(), Memory::new(1_000) as Arc<_>, CancellationToken::new())
}

/// Keeps ids page by page; fails at a page if told so.
#[derive(Default)]
struct Kept {
    pages: Vec<Vec<String>>,
    fail_at: Option<usize>,
}

#[async_trait]
impl Pages for Kept {
    async fn page(&mut self, page: ProductPage) -> Result<(), Fault> {
        if self.fail_at == Some(self.pages.len()) {
            return Err(Fault::new(Code::DatabaseUnavailable, "full"));
        }
        self.pages
            .push(page.rows.into_iter().map(|row| row.map_or_else(|bad| format!("bad {}", bad.field), |product| product.id)).collect());
        Ok(())
    }
}

/// The id that a question carries.
fn id(asked: &Asked) -> String {
    serde_json::from_str::<Value>(&asked.body).expect("JSON")["id"].as_str().expect("id").to_owned()
}

fn list(asked: &Asked, rows: usize) -> String {
    let rows: Vec<String> =
        (1..=rows).map(|id| format!(r#"{{"ID":{id},"name":"Чашка {id}","price":1000.0,"totalRows":{rows}}}"#)).collect();
    format!(r#"{{"jsonrpc":"2.0","id":"{}","result":[{}]}}"#, id(asked), rows.join(","))
}

fn claims(asked: &Asked) -> Value {
    let token =
        asked.head.lines().find_map(|line| line.to_ascii_lowercase().starts_with("authorization: bearer ").then(|| line[22..].to_owned()));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.expect("token").split('.').nth(1).expect("claims")).expect("base64"))
        .expect("JSON")
}

#[tokio::test]
async fn everything_is_asked_for_with_empty_stocks_and_comes_in_pages() {
    let server = Server::start(|asked| json(&list(asked, 1_234))).await;
    let mut kept = Kept::default();
    let proof = client(&server).read_all(None, &mut kept).await.unwrap();
    assert_eq!((doubt(&proof), proof.rows_seen, proof.distinct, proof.total), (None, 1_234, 1_234, Some(1_234)));
    assert_eq!(kept.pages.iter().map(Vec::len).collect::<Vec<_>>(), [PAGE, PAGE, 234]);
    let asked = server.asked().remove(0);
    assert_eq!(asked.line, "POST /v1/");
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!((&body["jsonrpc"], &body["method"]), (&"2.0".into(), &"products.get".into()));
    assert_eq!(body["params"], serde_json::json!({"IncludeEmptyStocks": 1, "WithProductPhotoOnly": 0}));
    let claims = claims(&asked);
    let now = Utc::now().timestamp();
    assert_eq!((&claims["sub"], &claims["iss"]), (&"company.ecommerce".into(), &"tradesync".into()));
    assert!((now - 310..=now - 300).contains(&claims["iat"].as_i64().unwrap()) && claims["exp"].as_i64().unwrap() > now + 600, "{claims}");
}

#[tokio::test]
async fn a_delta_is_asked_for_in_utc_with_z() {
    let server = Server::start(|asked| json(&list(asked, 0))).await;
    let since: DateTime<Utc> = "2026-03-21T18:19:25.987Z".parse().unwrap();
    let proof = client(&server).read_all(Some(since), &mut Kept::default()).await.unwrap();
    assert_eq!((doubt(&proof), proof.rows_seen), (None, 0));
    let body: Value = serde_json::from_str(&server.asked()[0].body).unwrap();
    assert_eq!(body["params"]["LastUpdatedDate"], "2026-03-21T18:19:25Z");
}

const INVALID: &str = r#"{"jsonrpc":"2.0","id":"1","error":{"code":-32000,"message":"Invalid token"}}"#;

#[tokio::test]
async fn a_refused_token_is_made_once_more_by_the_remotes_own_clock() {
    // The remote's clock says 2026-11-22 10:00:00, whatever ours says.
    for status in [200, 401] {
        let server = Server::start(move |asked| match asked.nth {
            0 => answer(status, "date: Sun, 22 Nov 2026 10:00:00 GMT\r\n", INVALID),
            _ => json(&list(asked, 3)),
        })
        .await;
        let proof = client(&server).read_all(None, &mut Kept::default()).await.unwrap();
        assert_eq!(proof.rows_seen, 3);
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        let theirs = DateTime::parse_from_rfc3339("2026-11-22T10:00:00Z").unwrap().timestamp();
        let iat = claims(&asked[1])["iat"].as_i64().unwrap();
        assert!((theirs - 302..theirs - 290).contains(&iat), "{iat}");
    }
    let server = Server::start(|_| json(INVALID)).await;
    let fault = client(&server).accepted().await.unwrap_err();
    assert_eq!((fault.code, server.asked().len()), (Code::RemoteAuth, 2));
    assert!(fault.detail.contains("USERNAME billz") && !fault.detail.contains(SECRET), "{}", fault.detail);
}

#[tokio::test]
async fn an_answer_without_a_list_is_never_an_empty_shop() {
    for body in [
        r#"{"jsonrpc":"2.0","id":"1","result":null}"#,
        r#"{"jsonrpc":"2.0","id":"1"}"#,
        r#"{"jsonrpc":"2.0","id":"1","result":{"items":[]}}"#,
        "<html>502</html>",
        "",
    ] {
        let server = Server::start(move |_| json(body)).await;
        let fault = client(&server).read_all(None, &mut Kept::default()).await.unwrap_err();
        assert_eq!(fault.code, Code::RemoteProtocol, "{body}");
    }
}

/// The beginning of an answer that would have gone on: `rows` rows and a piece of the next.
fn beginning(asked: &Asked, rows: usize) -> String {
    let whole = list(asked, rows);
    let close = whole.rfind(']').unwrap();
    format!("{},{{\"ID\":99999", &whole[..close])
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_beginning() {
    // Cut by the connection, and ended as if it were complete.
    for promised in [1_000_000, 0] {
        let server = Server::start(move |asked| {
            let body = beginning(asked, 3_000);
            let length = if promised > 0 { promised } else { body.len() };
            Act::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes())
        })
        .await;
        let mut kept = Kept::default();
        let proof = client(&server).read_all(None, &mut kept).await.unwrap();
        assert_eq!(kept.pages.iter().map(Vec::len).sum::<usize>(), 3_000, "what came is kept");
        let why = doubt(&proof).unwrap();
        assert!(why.contains("3000 rows came before"), "{why}");
    }
}

#[tokio::test]
async fn an_answer_to_another_question_proves_nothing() {
    let server = Server::start(|asked| json(&list(asked, 3).replace(&id(asked), "1"))).await;
    // It is short, so that nothing was kept but three rows.
    let proof = client(&server).read_all(None, &mut Kept::default()).await.unwrap();
    assert!(doubt(&proof).unwrap().contains("another question"));
    let server = Server::start(|asked| json(&list(asked, 3).replace(&format!(r#""id":"{}","#, id(asked)), ""))).await;
    assert_eq!(doubt(&client(&server).read_all(None, &mut Kept::default()).await.unwrap()), None, "no id at all is forgiven");
}

#[tokio::test]
async fn a_store_that_fails_ends_the_read_at_once() {
    let server = Server::start(|asked| json(&list(asked, 20_000))).await;
    let mut kept = Kept { fail_at: Some(2), ..Kept::default() };
    let fault = client(&server).read_all(None, &mut kept).await.unwrap_err();
    assert_eq!((fault.code, kept.pages.len()), (Code::DatabaseUnavailable, 2));
}
