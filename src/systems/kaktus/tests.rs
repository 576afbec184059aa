//! The client against a scripted Kaktus.

use std::sync::Arc;

use super::*;
use crate::{
    fault::{Code, Fault},
    remote::testing::{Act, Asked, Memory, Server, answer, json, quick_http},
};

const EXPIRED: &str = r#"{"errors":[{"code":401,"message":"JWT expired at 2021-12-30T21:10:02Z."}],"success":false}"#;
const PASSWORD: &str = "kaktus-password-of-the-shop";

fn client(server: &Server) -> Client {
    let options = Options {
        base_url: server.url.clone(),
        auth_path: AUTH_PATH.into(),
        products_path: PRODUCTS_PATH.into(),
        login: SecretString::from("shop@example.test"),
        password: SecretString::from(PASSWORD),
        domain: Some("shop7".into()),
        page_size: 2,
        pause: Duration::from_millis(100),
        fields: Fields { quantity: "stockTotal".into(), minus: None },
    };
    Client::new(options, quick_http(), Memory::new(1_000) as Arc<_>, tokio_util::sync::CancellationToken::new())
}

/// The page that a question asks for.
fn page(asked: &Asked) -> Option<usize> {
    asked.line.split("page=").nth(1)?.split('&').next()?.parse().ok()
}

/// Two products a page, five in all, `total` announced.
fn list(page: usize, total: usize) -> Act {
    let rows: Vec<String> = (page * 2..(page * 2 + 2).min(5))
        .map(|id| {
            format!(r#"{{"id":"{}","shortName":"P","variants":[{{"id":"1","barcodes":["{id}"],"stock":[{{"stockTotal":3}}]}}]}}"#, id + 1)
        })
        .collect();
    json(&format!(r#"{{"success":true,"recordsTotal":{total},"products":[{}]}}"#, rows.join(",")))
}

fn login(asked: &Asked) -> Option<Act> {
    asked.line.starts_with("POST").then(|| json(&format!(r#"{{"access_token":"token-{}","expires_in":14400}}"#, asked.nth)))
}

async fn read(script: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> (Server, Result<Read, Fault>) {
    let server = Server::start(move |asked| login(asked).unwrap_or_else(|| script(asked))).await;
    let read = client(&server).read_all().await;
    (server, read)
}

#[tokio::test]
async fn everything_is_read_from_page_zero_to_the_empty_one_and_proven() {
    let (server, read) = read(|asked| list(page(asked).unwrap_or(99), 5)).await;
    let read = read.expect("a read");
    assert_eq!((doubt(&read.proof), read.products.len(), read.proof.pages), (None, 5, 4));
    let asked = server.asked();
    assert!(asked.iter().any(|asked| asked.line == "GET /api/lite/products?page=0&size=2"), "{asked:?}");
    let head = asked.last().expect("a question").head.to_lowercase();
    assert!(head.contains("authorization: bearer token-0") && head.contains("domain: shop7"), "{head}");
    let login: serde_json::Value = serde_json::from_str(&asked[0].body).expect("a raw JSON body");
    assert_eq!((login["login"].as_str(), login["password"].as_str()), (Some("shop@example.test"), Some(PASSWORD)));
}

#[tokio::test]
async fn a_token_that_dies_in_mid_sweep_is_renewed_once_and_the_same_page_asked_again() {
    let (server, read) = read(|asked| {
        let old = asked.head.contains("token-0") && page(asked) >= Some(1);
        if old { json(EXPIRED) } else { list(page(asked).unwrap_or(99), 5) }
    })
    .await;
    assert_eq!(doubt(&read.expect("a read").proof), None);
    assert_eq!((server.count("POST"), server.count("page=1")), (2, 2));
}

#[tokio::test]
async fn a_token_that_is_never_accepted_ends_the_read() {
    let (server, read) = read(|_| json(EXPIRED)).await;
    let fault = read.expect_err("no read");
    assert_eq!((fault.code, server.count("POST")), (Code::RemoteAuth, 2));
    assert!(!fault.to_string().contains(PASSWORD));
}

#[tokio::test]
async fn what_is_not_the_list_is_never_an_empty_one() {
    for (body, code) in [
        (r#"{"success":false,"errors":[{"code":0,"message":"Нет доступа"}]}"#, Code::RemoteRejected),
        (r#"{"success":true,"recordsTotal":5}"#, Code::RemoteProtocol),
        (r#"{"success":true,"products":[]}"#, Code::RemoteProtocol),
        (r#"{"success":true,"recordsTotal":5,"products":null}"#, Code::RemoteProtocol),
        ("<html>502</html>", Code::RemoteProtocol),
    ] {
        let (_server, read) = read(move |_| json(body)).await;
        assert_eq!(read.expect_err(body).code, code, "{body}");
    }
    let (_server, read) = read(|_| answer(502, "", "<html>")).await;
    assert_eq!(read.expect_err("down").code, Code::RemoteUnavailable);
}

#[tokio::test]
async fn a_repeated_page_and_a_total_that_moves_are_doubted() {
    let (_server, repeated) = read(|asked| list(page(asked).map_or(99, |page| if page == 1 { 0 } else { page }), 5)).await;
    assert!(doubt(&repeated.expect("a read").proof).is_some_and(|why| why.contains("3 different")));
    let (_server, moved) = read(|asked| list(page(asked).unwrap_or(99), if page(asked) == Some(0) { 5 } else { 6 })).await;
    assert!(doubt(&moved.expect("a read").proof).is_some_and(|why| why.contains("moved")));
    let (server, endless) = read(|_| list(0, 5)).await;
    assert!(endless.expect("a read").proof.endless);
    assert_eq!(server.count("GET"), 3, "a page that ignores its number ends soon");
}

#[tokio::test]
async fn a_broken_row_is_named_and_the_others_are_kept() {
    let (_server, read) = read(|asked| match page(asked) {
        Some(0) => json(r#"{"recordsTotal":2,"products":[{"id":7,"variants":"?"},{"id":8,"variants":[]}]}"#),
        _ => json(r#"{"recordsTotal":2,"products":[]}"#),
    })
    .await;
    let read = read.expect("a read");
    assert_eq!(doubt(&read.proof), None, "both ids are known");
    assert_eq!(read.bad.iter().map(|row| (row.id.as_deref(), row.field.as_str())).collect::<Vec<_>>(), [(Some("7"), "variants")]);
}
