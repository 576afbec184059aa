//! Mail over SMTP.
//!
//! `Message-ID` holds the alert's id, the same at every attempt, so that a mail that comes twice is shown once.

use std::{error::Error, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use secrecy::{ExposeSecret, SecretString};

use super::{Outgoing, Sent};
use crate::{
    domain::clock,
    engine::alerts::settings::{Encryption, Way},
    fault::FieldError,
    remote::redact,
};

/// For the whole conversation. Mail servers may make strangers wait on purpose.
const PATIENCE: Duration = Duration::from_secs(20);
/// No conversation is cut earlier, however short durations are in tests.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);
/// Most receivers.
const MAX_RECEIVERS: usize = 20;

/// What is wrong with the settings.
pub fn check(way: &Way, has_password: bool) -> Vec<FieldError> {
    let Way::Email { host, port, encryption, username, from, to } = way else { return Vec::new() };
    let mut errors = Vec::new();
    let mut wrong = |pointer: String, detail: &str| errors.push(FieldError::new(pointer, detail));
    if host.is_empty() || host.len() > 255 || host.contains(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '@')) {
        wrong("/host".into(), "must be the name of a mail server, such as smtp.example.com");
    }
    if *port == 0 {
        wrong("/port".into(), "must be 1 to 65535, usually 465 (tls) or 587 (starttls)");
    }
    if from.parse::<Mailbox>().is_err() {
        wrong("/from".into(), "must be a mail address, such as tradesync@example.com");
    }
    if to.is_empty() || to.len() > MAX_RECEIVERS {
        wrong("/to".into(), "must hold 1 to 20 mail addresses");
    }
    for (place, _) in to.iter().enumerate().filter(|(_, address)| address.parse::<Mailbox>().is_err()) {
        wrong(format!("/to/{place}"), "must be a mail address, such as owner@example.com");
    }
    if username.is_some() != has_password {
        wrong("/secrets/password".into(), "username and password belong together; leave both out for a server that asks for none");
    }
    if *encryption == Encryption::None && (username.is_some() || has_password) {
        wrong("/encryption".into(), "a password is never sent in the clear; use tls or starttls");
    }
    errors
}

/// One attempt.
pub async fn send(way: &Way, password: Option<&SecretString>, outgoing: &Outgoing<'_>) -> Sent {
    let patience = clock::scaled(PATIENCE).max(LEAST_PATIENCE);
    match tokio::time::timeout(patience, converse(way, password, outgoing, patience)).await {
        Ok(Ok(said)) => Sent::Done(said),
        Ok(Err(error)) => {
            let secrets: Vec<&str> = password.iter().map(|password| password.expose_secret()).collect();
            Sent::Refused(redact::words(&redact::hide(chain(&*error), &secrets)), None)
        }
        Err(_) => Sent::Refused(format!("the mail server did not take the mail within {} ms", patience.as_millis()), None),
    }
}

/// An error with its causes: lettre keeps what the server said in one of them.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

async fn converse(
    way: &Way,
    password: Option<&SecretString>,
    outgoing: &Outgoing<'_>,
    patience: Duration,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let Way::Email { host, port, encryption, username, .. } = way else { return Err("no mail channel".into()) };
    let tls = match encryption {
        Encryption::Tls => Tls::Wrapper(TlsParameters::new(host.clone())?),
        Encryption::Starttls => Tls::Required(TlsParameters::new(host.clone())?),
        Encryption::None => Tls::None,
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(*port).tls(tls).timeout(Some(patience));
    if let (Some(username), Some(password)) = (username, password) {
        server = server.credentials(Credentials::new(username.clone(), password.expose_secret().to_owned()));
    }
    let answer = server.build().send(mail(way, outgoing)?).await?;
    Ok(format!("the mail server answered {}", answer.code()))
}

fn mail(way: &Way, outgoing: &Outgoing<'_>) -> Result<lettre::Message, Box<dyn Error + Send + Sync>> {
    let Way::Email { from, to, .. } = way else { return Err("no mail channel".into()) };
    let sender: Mailbox = from.parse()?;
    let id = format!("<{}@{}>", outgoing.alert.id, sender.email.domain());
    let title: String = outgoing.message.title.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let mut mail = lettre::Message::builder().from(sender).subject(title).message_id(Some(id)).header(ContentType::TEXT_PLAIN);
    for address in to {
        mail = mail.to(address.parse()?);
    }
    Ok(mail.body(format!("{}\n", outgoing.message.text()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(change: impl FnOnce(&mut Way)) -> Way {
        let mut way = Way::Email {
            host: "smtp.example.com".into(),
            port: 587,
            encryption: Encryption::Starttls,
            username: Some("u".into()),
            from: "Tradesync <tradesync@example.com>".into(),
            to: vec!["owner@example.com".into()],
        };
        change(&mut way);
        way
    }

    #[test]
    fn wrong_settings_are_named() {
        let pointers = |way: Way, password: bool| check(&way, password).into_iter().map(|error| error.pointer).collect::<Vec<_>>();
        assert_eq!(pointers(way(|_| ()), true), Vec::<String>::new());
        assert_eq!(pointers(way(|_| ()), false), ["/secrets/password"]);
        let all = Way::Email {
            host: "smtp example".into(),
            port: 0,
            encryption: Encryption::None,
            username: None,
            from: "nobody".into(),
            to: vec!["owner@example.com".into(), "x".into()],
        };
        assert_eq!(pointers(all, true), ["/host", "/port", "/from", "/to/1", "/secrets/password", "/encryption"]);
    }
}
