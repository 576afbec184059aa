//! Login, tokens, refresh (sheet 1).
//!
//! Tokens are real HS256 JWTs that outlive a restart of the simulator, as the remote's do. Only the session number inside lets
//! us call them all back at once.

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{reply::Reply, switches::Switches};

/// What signs the tokens. Nobody but the simulator needs to know.
const SIGNING_KEY: &[u8] = b"billz-2-simulator-signing-key";
/// Refresh tokens live 30 days (sheet 1).
const REFRESH_LIFE_S: i64 = 30 * 86_400;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    company_id: String,
    user_id: String,
    exp: i64,
    iat: i64,
    sid: u64,
}

#[derive(Debug)]
struct Refresh {
    session: u64,
    expires_at: i64,
    spent: bool,
}

/// Who is logged in.
#[derive(Debug, Default)]
pub struct Sessions {
    next: u64,
    valid_from: u64,
    refresh: HashMap<String, Refresh>,
    logins: u64,
    refreshes: u64,
}

/// Why a call is not let in.
#[derive(Debug, PartialEq, Eq)]
pub enum Denied {
    /// The token was good once.
    Expired,
    /// No token, or not one of ours.
    Invalid,
}

impl Denied {
    /// 401 in family A, with the documented words for an expired token (sheet 3).
    pub fn reply(&self) -> Reply {
        let error = match self {
            Self::Expired => "Token is expired",
            Self::Invalid => "Token is invalid",
        };
        Reply::family_a(401, "token error", error)
    }
}

#[derive(Deserialize)]
struct Login {
    secret_token: String,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: String,
}

impl Sessions {
    /// How many logins succeeded.
    pub const fn logins(&self) -> u64 {
        self.logins
    }

    /// How many refreshes succeeded.
    pub const fn refreshes(&self) -> u64 {
        self.refreshes
    }

    /// Calls back every token there is; the next call with one of them hears "Token is expired".
    pub fn expire_all(&mut self) {
        self.next += 1;
        self.valid_from = self.next;
        self.refresh.clear();
    }

    /// `POST /v1/auth/login`.
    pub fn login(&mut self, body: &[u8], switches: &Switches, ids: (Uuid, Uuid), now: i64) -> Reply {
        let Ok(login) = serde_json::from_slice::<Login>(body) else {
            return Reply::family_a(400, "bad request", "secret_token is required");
        };
        if login.secret_token != switches.secret {
            return Reply::family_a(switches.wrong_secret_status, "auth error", "Invalid secret token");
        }
        self.logins += 1;
        self.next += 1;
        self.grant(self.next, switches, ids, now)
    }

    /// `POST /v2/auth/refresh`: single use; a spent token revokes every session of the key.
    pub fn refresh(&mut self, body: &[u8], platform_id: bool, switches: &Switches, ids: (Uuid, Uuid), now: i64) -> Reply {
        let Ok(body) = serde_json::from_slice::<RefreshBody>(body) else {
            return Reply::family_a(400, "bad request", "refresh_token is required");
        };
        if !platform_id {
            return Reply::family_a(400, "bad request", "platform-id header is required");
        }
        let session = match self.refresh.get_mut(&body.refresh_token) {
            Some(token) if token.spent => {
                self.expire_all();
                return Reply::family_a(401, "token error", "Refresh token is already used");
            }
            Some(token) if token.expires_at > now => {
                token.spent = true;
                token.session
            }
            _ => return Denied::Invalid.reply(),
        };
        self.refreshes += 1;
        self.grant(session, switches, ids, now)
    }

    fn grant(&mut self, session: u64, switches: &Switches, (company, user): (Uuid, Uuid), now: i64) -> Reply {
        let life = i64::try_from(switches.token_life_s).unwrap_or(i64::MAX / 2);
        let claims = Claims { company_id: company.to_string(), user_id: user.to_string(), exp: now + life, iat: now, sid: session };
        let Ok(access) = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(SIGNING_KEY)) else {
            return Reply::family_a(500, "internal error", "token could not be signed");
        };
        let refresh = Uuid::new_v4().to_string();
        self.refresh.insert(refresh.clone(), Refresh { session, expires_at: now + REFRESH_LIFE_S, spent: false });
        Reply::json(
            200,
            &json!({
                "code": 200, "message": "ok", "error": null,
                "data": {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": switches.expires_in_s},
            }),
        )
    }

    /// Is this `Authorization` header good now?
    pub fn check(&self, authorization: Option<&str>, now: i64) -> Result<(), Denied> {
        let token = authorization.and_then(|header| header.strip_prefix("Bearer ")).ok_or(Denied::Invalid)?;
        let mut validation = Validation::new(Algorithm::HS256);
        // Checked by hand below: the library's clock cannot be moved ahead.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &DecodingKey::from_secret(SIGNING_KEY), &validation).map_err(|_| Denied::Invalid)?.claims;
        if claims.exp <= now || claims.sid < self.valid_from { Err(Denied::Expired) } else { Ok(()) }
    }
}
