use super::*;
use crate::remote::testing::reply;

fn class(status: u16, body: &str) -> Class<()> {
    judge(&reply(status, &[], body), |_| Ok(()))
}

#[test]
fn families_are_recognised_under_any_status() {
    let table = [
        // Good: bare, A, C.
        (200, r#"{"count":0,"products":null}"#, "good"),
        (200, "\u{feff}{}", "good"),
        (200, r#"{"code":200,"message":"ok","error":null,"data":{}}"#, "good"),
        (200, r#"{"code":"200","error":"","data":{}}"#, "good"),
        (200, r#"{"code":0,"error":{},"data":{}}"#, "good"),
        (200, r#"{"code":200,"error":false}"#, "good"),
        (200, r#"{"status_code":200,"error":{"code":"","message":""},"data":{}}"#, "good"),
        (201, r#"{"status_code":399,"error":{"code":null,"message":null}}"#, "rejected"),
        // A inside a 200.
        (200, r#"{"code":401,"message":"token error","error":"Token is expired","data":null}"#, "token_expired"),
        (200, r#"{"code":403,"message":"access denied","error":null,"data":null}"#, "forbidden"),
        (200, r#"{"code":500,"message":"oops","error":"boom","data":null}"#, "unavailable"),
        (200, r#"{"code":429,"message":"slow","error":null}"#, "rate_limited"),
        (200, r#"{"code":404,"message":"no","error":null}"#, "rejected"),
        (200, r#"{"code":200,"message":"ok","error":"something broke"}"#, "rejected"),
        // B inside a 200.
        (200, r#"{"error":{"code":"NOT_FOUND","message":"not found"}}"#, "rejected"),
        (200, r#"{"error":{"code":"BAD_REQUEST"}}"#, "rejected"),
        (200, r#"{"error":{"code":"UNAUTHORIZED","message":"x"}}"#, "token_expired"),
        (200, r#"{"error":{"code":403,"message":"x"}}"#, "forbidden"),
        (200, r#"{"error":{"code":"INTERNAL","message":"x"}}"#, "unavailable"),
        (200, r#"{"error":{"code":"TOO_MANY_REQUESTS","message":""}}"#, "rate_limited"),
        (200, r#"{"error":"access denied"}"#, "forbidden"),
        // C inside a 200.
        (200, r#"{"session_id":"s","status_code":404,"error":{"code":"","message":""},"data":null}"#, "rejected"),
        (200, r#"{"status_code":503,"error":{"code":"X","message":"later"}}"#, "unavailable"),
        (200, r#"{"status_code":200,"error":{"code":"VALIDATION","message":"bad"}}"#, "rejected"),
        // By status.
        (401, r#"{"code":401,"message":"token error","error":"Token is expired","data":null}"#, "token_expired"),
        (401, "", "token_expired"),
        (403, r#"{"message":"access denied"}"#, "forbidden"),
        (403, "<html>blocked</html>", "forbidden"),
        (400, r#"{"error":{"code":"BAD_REQUEST","message":"date"}}"#, "rejected"),
        (400, r#"{"code":401,"message":"token error","error":"Token is expired"}"#, "token_expired"),
        (404, r#"{"error":{"code":"NOT_FOUND","message":"not found"}}"#, "rejected"),
        (429, "", "rate_limited"),
        (429, "<html>", "rate_limited"),
        (500, r#"{"error":{"code":"FORBIDDEN"}}"#, "unavailable"),
        (502, "<html>Bad gateway</html>", "unavailable"),
        (302, "", "rejected"),
        // Not an answer at all.
        (200, "", "garbled"),
        (200, "<!doctype html>", "garbled"),
        (200, r#"{"count":3,"products":[{"#, "unreadable"),
        (200, "[]x", "unreadable"),
        (200, "[]", "unreadable"),
        (200, "7", "unreadable"),
        (200, "\u{0}", "unreadable"),
    ];
    for (status, body, expected) in table {
        assert_eq!(class(status, body).name(), expected, "{status} {body}");
    }
}

#[test]
fn the_remotes_own_words_are_kept() {
    let words = |status, body| match class(status, body) {
        Class::Rejected(words) | Class::Forbidden(words) | Class::TokenExpired(words) => words,
        other => other.name().to_owned(),
    };
    assert_eq!(words(404, r#"{"error":{"code":"NOT_FOUND","message":"not found"}}"#), "HTTP 404: NOT_FOUND: not found");
    assert_eq!(words(401, r#"{"code":401,"message":"token error","error":"Token is expired"}"#), "HTTP 401: token error: Token is expired");
    assert_eq!(words(200, r#"{"code":403,"message":"access denied","error":null}"#), "403 in the body: access denied");
    assert_eq!(words(403, "<html>x</html>"), "HTTP 403: a web page: this address may be blocked");
    assert_eq!(words(400, "plain words"), "HTTP 400: plain words");
}

#[test]
fn a_wrong_secret_is_auth_however_it_is_said() {
    let login = |status, body: &str| judge_login(&reply(status, &[], body), |_| Ok(())).name();
    let table = [
        (400, r#"{"code":400,"message":"secret","error":"bad secret"}"#, "auth"),
        (401, "", "auth"),
        (403, r#"{"error":{"code":"FORBIDDEN"}}"#, "auth"),
        (403, "<html>blocked</html>", "forbidden"),
        (400, "<html>proxy</html>", "rejected"),
        (404, r#"{"error":{"code":"NOT_FOUND"}}"#, "rejected"),
        (200, r#"{"code":400,"message":"no","error":"bad secret"}"#, "auth"),
        (200, r#"{"code":401,"message":"no","error":"bad secret"}"#, "auth"),
        (200, r#"{"code":404,"message":"no","error":"nothing here"}"#, "rejected"),
        (200, r#"{"code":500,"message":"no","error":"x"}"#, "unavailable"),
        (503, "", "unavailable"),
        (429, "", "rate_limited"),
        (200, "<html>", "garbled"),
        (200, r#"{"code":200,"data":{}}"#, "good"),
    ];
    for (status, body, expected) in table {
        assert_eq!(login(status, body), expected, "{status} {body}");
    }
}

proptest::proptest! {
    /// Only an answer without a word of error is good, whatever it holds.
    #[test]
    fn a_word_of_error_is_never_good(status in 200u16..600, words in "[a-z]{1,20}") {
        let body = format!(r#"{{"error":"{words}x","count":1,"products":[]}}"#);
        proptest::prop_assert_ne!(class(status, &body).name(), "good");
    }

    #[test]
    fn no_body_upsets_it(status in 200u16..600, body in "\\PC{0,80}") {
        let _ = class(status, &body).name();
    }
}
