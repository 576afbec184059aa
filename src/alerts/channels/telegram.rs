//! Telegram bot: `sendMessage` of the Bot API (<https://core.telegram.org/bots/api#sendmessage>).
//!
//! The token stands in the path, so neither logs nor faults ever hold the address. Sending is not safe to repeat: a message whose answer was lost may
//! come twice.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::{Outgoing, Sent, http_address, once, refusal};
use crate::{
    alerts::message::Message,
    fault::{Fault, FieldError},
    remote::{Call, Class, Effect, Http, Reply},
};

/// Where the Bot API is.
pub const BASE_URL: &str = "https://api.telegram.org";
/// Longest message, in UTF-16 units after the marks are taken off.
const LONGEST: usize = 4_096;
/// Most that a bot is told to wait; more is not believed.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// What is wrong with the settings.
pub fn check(chat_id: &str, base_url: &str, token: Option<&SecretString>) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = http_address(base_url, "/base_url").err().into_iter().collect();
    let digits = chat_id.strip_prefix('-').unwrap_or(chat_id);
    let number = !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let name = chat_id
        .strip_prefix('@')
        .is_some_and(|name| (4..=64).contains(&name.len()) && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_'));
    if !number && !name {
        errors
            .push(FieldError::new("/chat_id", "must be the number of a chat, such as 123456789 or -1001234567890, or @name of a channel"));
    }
    if token.is_some_and(|token| !is_token(token.expose_secret())) {
        errors.push(FieldError::new("/secrets/token", "must be the bot's token as @BotFather gave it: digits, a colon, letters"));
    }
    errors
}

fn is_token(text: &str) -> bool {
    let Some((number, rest)) = text.split_once(':') else { return false };
    !number.is_empty()
        && number.bytes().all(|digit| digit.is_ascii_digit())
        && (20..=128).contains(&rest.len())
        && rest.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-'))
}

/// The message with its marks, cut so that what is shown fits.
pub fn html(message: &Message) -> String {
    let link = message.link.as_deref().unwrap_or_default();
    let mut left = LONGEST.saturating_sub(link.encode_utf16().count() + 2);
    let title = cut(&message.title, &mut left);
    left = left.saturating_sub(1);
    let body = cut(&message.lines.join("\n"), &mut left);
    let mut text = format!("<b>{}</b>\n{}", html_escape::encode_text(&title), html_escape::encode_text(&body));
    if !link.is_empty() {
        let (address, shown) = (html_escape::encode_double_quoted_attribute(link), html_escape::encode_text(link));
        text.push_str(&format!("\n<a href=\"{address}\">{shown}</a>"));
    }
    text
}

/// As much of a text as there is room left for.
fn cut(text: &str, left: &mut usize) -> String {
    let long = text.encode_utf16().count();
    if long <= *left {
        *left -= long;
        return text.to_owned();
    }
    let mut room = left.saturating_sub(1);
    *left = 0;
    let fits = |letter: &char| {
        let fits = letter.len_utf16() <= room;
        room = room.saturating_sub(letter.len_utf16());
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

/// What the Bot API's answer means.
fn judge(reply: &Reply) -> Class<Sent> {
    let Ok(answer) = serde_json::from_slice::<Answer>(&reply.body) else {
        return refusal(reply, None).unwrap_or_else(|| Class::Garbled("no answer of the Bot API; is base_url right?".to_owned()));
    };
    if answer.ok && reply.status.is_success() {
        return Class::Good(Sent::Done("Telegram took the message".to_owned()));
    }
    let after = answer.parameters.retry_after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let detail = match answer.parameters.migrate_to_chat_id {
        Some(id) => format!("the group has become a supergroup: set chat_id to {id}"),
        None if reply.status.as_u16() == 401 => format!("Telegram refuses the token ({}); set it anew", answer.description),
        None => format!("Telegram: {} (HTTP {})", answer.description, reply.status.as_u16()),
    };
    Class::Good(Sent::Refused(detail, after))
}

/// One attempt.
pub async fn send(http: &Http, base_url: &str, chat_id: &str, token: &SecretString, outgoing: &Outgoing<'_>) -> Sent {
    match call(base_url, chat_id, token, outgoing) {
        Ok(call) => once(http, &call, judge).await,
        Err(why) => Sent::Refused(why, None),
    }
}

fn call<'a>(base_url: &str, chat_id: &str, token: &SecretString, outgoing: &Outgoing<'_>) -> Result<Call<'a>, String> {
    let base = http_address(base_url, "/base_url").map_err(|error| error.detail)?;
    let address = format!("{}/bot{}/sendMessage", base.as_str().trim_end_matches('/'), token.expose_secret());
    let url = url::Url::parse(&address).map_err(|_| "base_url cannot be used")?;
    let body = json!({
        "chat_id": chat_id, "text": html(&outgoing.message), "parse_mode": "HTML", "link_preview_options": {"is_disabled": true},
    });
    let call = Call::new("telegram", "POST sendMessage", Effect::Write, Method::POST, url);
    Ok(call.with_json(&body).map_err(|fault: Fault| fault.detail)?.with_secret(token.clone()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote::testing::reply;

    fn message(title: &str, line: &str, link: Option<&str>) -> Message {
        Message { title: title.into(), lines: vec![line.into()], link: link.map(str::to_owned) }
    }

    #[test]
    fn names_of_shops_are_no_marks() {
        let text = html(&message("A <b> & Co", "Shop \"1\" <script>", Some("https://x.uz/?a=1&b=\"2\"")));
        assert_eq!(
            text,
            "<b>A &lt;b&gt; &amp; Co</b>\nShop \"1\" &lt;script&gt;\n<a href=\"https://x.uz/?a=1&amp;b=&quot;2&quot;\">https://x.uz/?a=1&amp;b=\"2\"</a>"
        );
    }

    #[test]
    fn answers_say_when_to_come_again_and_what_to_mend() {
        let said = |status: u16, body: &str| match judge(&reply(status, &[], body)) {
            Class::Good(sent) => sent,
            other => panic!("{other:?}"),
        };
        assert!(matches!(said(200, r#"{"ok":true,"result":{}}"#), Sent::Done(_)));
        let slow =
            said(429, r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#);
        assert!(matches!(slow, Sent::Refused(_, Some(after)) if after == Duration::from_secs(7)));
        let moved = said(400, r#"{"ok":false,"description":"upgraded","parameters":{"migrate_to_chat_id":-1009}}"#);
        assert!(matches!(moved, Sent::Refused(detail, None) if detail.contains("-1009")));
        assert!(
            matches!(said(401, r#"{"ok":false,"description":"Unauthorized"}"#), Sent::Refused(detail, None) if detail.contains("set it anew"))
        );
        assert!(matches!(judge(&reply(502, &[], "<html>")), Class::Unavailable(_)));
        assert!(matches!(judge(&reply(200, &[], "<html>")), Class::Garbled(_)));
    }

    #[test]
    fn wrong_settings_are_named() {
        let pointers = |chat: &str, token: &str| {
            check(chat, BASE_URL, Some(&SecretString::from(token))).into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        let token = "123456:AAEaBcDeFgHiJkLmNoPqRsTuVwXyZ01234";
        for chat in ["42", "-1001234567890", "@my_shop"] {
            assert_eq!(pointers(chat, token), Vec::<String>::new(), "{chat}");
        }
        for chat in ["", "-", "me", "@", "12 3", "@a b c"] {
            assert_eq!(pointers(chat, token), ["/chat_id"], "{chat}");
        }
        for token in ["", "abc", "123:", "123456:short", "123456:AAEaBcDeFgHiJkLmNoPqRsTuVwXyZ/../x"] {
            assert_eq!(pointers("42", token), ["/secrets/token"], "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_message_always_fits(title in "\\PC{0,3000}", line in "\\PC{0,6000}", linked: bool) {
            let text = html(&message(&title, &line, linked.then_some("https://example.com/run")));
            // What is shown: without marks, entities back to letters.
            let shown = text.replace("<b>", "").replace("</b>", "").replace("<a href=\"https://example.com/run\">", "").replace("</a>", "");
            prop_assert!(html_escape::decode_html_entities(&shown).encode_utf16().count() <= LONGEST);
        }
    }
}
