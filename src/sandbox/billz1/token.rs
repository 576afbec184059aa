//! Who is let in: a JWT that the client made itself (sheet 1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use super::switches::Switches;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    sub: String,
    #[serde(rename = "iss")]
    _iss: String,
}

/// Why a call is not let in, in the remote's words: it says no more than this (sheet 3).
pub const INVALID: &str = "Invalid token";
/// The same without any token.
pub const EMPTY: &str = "Empty token";

/// Checks the signature by hand (HMAC-SHA256 over `header.payload`, base64url without padding, key = the secret's raw bytes), then the claims.
pub fn check(authorization: Option<&str>, switches: &Switches, now: i64) -> Result<(), &'static str> {
    let token =
        authorization.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim).filter(|token| !token.is_empty()).ok_or(EMPTY)?;
    let invalid = |_| INVALID;
    let (signed, signature) = token.rsplit_once('.').ok_or(INVALID)?;
    let (header, payload) = signed.split_once('.').ok_or(INVALID)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(switches.secret.as_bytes()).map_err(|_| INVALID)?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).map_err(invalid)?).map_err(|_| INVALID)?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).map_err(invalid)?).map_err(|_| INVALID)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).map_err(invalid)?).map_err(|_| INVALID)?;
    let good = header.alg == "HS256" && claims.exp > now && claims.iat <= now && claims.sub == switches.username.to_lowercase();
    if good { Ok(()) } else { Err(INVALID) }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn good() -> Value {
        json!({"iss": "shop", "iat": NOW - 300, "exp": NOW + 60, "sub": "demo.ecommerce"})
    }

    fn said(claims: &Value, key: &[u8]) -> Result<(), &'static str> {
        let token = encode(&Header::default(), claims, &EncodingKey::from_secret(key)).unwrap();
        check(Some(&format!("Bearer {token}")), &Switches::default(), NOW)
    }

    #[test]
    fn signature_times_and_the_name_in_lower_case_are_checked() {
        let key = b"demo-integration-key";
        assert_eq!(said(&good(), key), Ok(()));
        assert_eq!(said(&good(), b"another"), Err(INVALID));
        for (claim, value) in [("exp", json!(NOW)), ("iat", json!(NOW + 1)), ("sub", json!("Demo.Ecommerce")), ("iss", Value::Null)] {
            let mut claims = good();
            claims[claim] = value;
            assert_eq!(said(&claims, key), Err(INVALID), "{claim}");
        }
        let check = |header| check(header, &Switches::default(), NOW);
        assert_eq!((check(None), check(Some("Bearer ")), check(Some("Bearer a.b.c"))), (Err(EMPTY), Err(EMPTY), Err(INVALID)));
    }
}
