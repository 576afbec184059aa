//! The client against a scripted otmechalka.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    fault::Code,
    remote::testing::{Act, Memory, Server, answer, json, quick_http},
};

const KEY: &str = "key-of-the-account";

fn reader(server: &Server, header: Option<&str>) -> Reader {
    let options = Options {
        base_url: server.url.clone(),
        auth_header: header.map(str::to_owned),
        key: Some(SecretString::from(KEY)),
        clients_path: CLIENTS_PATH.to_owned(),
        tickets_path: TICKETS_PATH.to_owned(),
        spacing: Duration::from_secs(1),
        timeout: Duration::from_millis(500),
    };
    Reader::new(options, quick_http(), Memory::new(1_000) as Arc<_>, CancellationToken::new()).expect("options")
}

fn writer(server: &Server) -> Writer {
    Writer::new(reader(server, Some("X-Api-Key: {key}")), Box::new(|_| Ok(())))
}

fn client() -> Client {
    Client { origin_id: "39558".into(), last_name: "Тестов".into(), gender: "M".into(), ..Client::default() }
}

#[tokio::test]
async fn paths_end_with_a_slash_and_carry_the_header() {
    let server = Server::start(|_| json(r#"{"id":12456}"#)).await;
    for (header, line) in [
        ("X-Api-Key: {key}", "x-api-key: key-of-the-account"),
        ("Authorization: Basic {basic}", "authorization: basic a2v5lw9mlxrozs1hy2nvdw50"),
    ] {
        let found = reader(&server, Some(header)).find_client("39558").await.expect("found");
        assert_eq!(found.map(|found| found.id).as_deref(), Some("12456"));
        assert!(server.asked().last().expect("asked").head.to_lowercase().contains(line), "{header}");
    }
    writer(&server).create_ticket(&Ticket::default()).await.expect("made");
    writer(&server).change_client(&client()).await.expect("changed");
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines[1..], ["GET /api/clients/39558/", "POST /api/tickets/", "POST /api/clients/39558/"]);
}

#[test]
fn a_header_without_its_key_is_told_and_no_key_is_quoted() {
    assert!(client::auth_header("Token", None).is_err());
    assert!(client::auth_header("X-Api-Key: {key}", None).is_err_and(|error| error.contains("otmechalka_key")));
    let wrong = client::auth_header("X-Api-Key: {key}", Some(&SecretString::from("line\nbreak"))).expect_err("no header");
    assert!(!wrong.contains("break"), "{wrong}");
}

#[tokio::test]
async fn a_creation_is_never_repeated_by_itself() {
    for act in [|| Act::Drop, || answer(502, "", "<html>bad gateway"), || answer(200, "", "<html>")] {
        let server = Server::start(move |_| act()).await;
        assert!(matches!(writer(&server).create_client(&client()).await.expect("no fault"), Sent::Lost(_)));
        assert_eq!(server.asked().len(), 1);
    }
    // The same data a second time change nothing.
    let server = Server::start(|asked| if asked.nth == 0 { Act::Drop } else { json("{}") }).await;
    assert!(matches!(writer(&server).change_client(&client()).await.expect("no fault"), Sent::Done(None)));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn what_is_refused_is_told_and_our_own_mistakes_end_the_run() {
    let server = Server::start(|_| answer(400, "", &format!(r#"{{"phone":["wrong, {KEY}"]}}"#))).await;
    match writer(&server).create_client(&client()).await.expect("no fault") {
        Sent::Refused(words) => assert!(words.starts_with("phone: wrong") && !words.contains(KEY), "{words}"),
        other => panic!("{other:?}"),
    }
    for (status, body, code) in [
        (401, "", Code::RemoteAuth),
        (403, "", Code::RemoteForbidden),
        (404, "<html>", Code::RemoteRejected),
        (301, "", Code::RemoteRejected),
    ] {
        let server = Server::start(move |_| answer(status, "", body)).await;
        assert_eq!(writer(&server).create_client(&client()).await.expect_err("fault").code, code, "HTTP {status}");
        assert_eq!(reader(&server, None).find_ticket("1").await.expect_err("fault").code, code, "HTTP {status}");
    }
}
