//! What can be set while the simulator runs. Defaults are the harder of two unknowns.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalogue::Order;

/// What happens to a `limit` above 300 (sheet 2: unknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// 300 rows are given, without a word.
    Clamp,
    /// 400 `BAD_REQUEST`.
    Refuse,
    /// As many rows as asked for.
    Honour,
}

/// What `products` is past the last page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastEnd {
    /// `null`.
    Null,
    /// `[]`.
    Empty,
}

/// The switches; the control API merges JSON into them by these names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The integration key that is accepted.
    pub secret: String,
    /// Accepted requests per second and address; null = no limit. Default 2 (sheet 2).
    pub rate_limit: Option<u32>,
    /// `Retry-After` of a 429 by the limit, in seconds; null = header absent (default).
    pub retry_after: Option<u32>,
    /// Life of an access token by its JWT, in seconds. Default 1,296,000 = 15 days (sheet 1).
    pub token_life_s: u64,
    /// What the login claims as `expires_in`, in seconds. Default 86,400, which contradicts the token (sheet 1).
    pub expires_in_s: u64,
    /// HTTP status for a wrong secret: 401 (default), 400 or 403.
    pub wrong_secret_status: u16,
    /// True: the key lacks the role, reads answer 403 "access denied" (sheet 3).
    pub access_denied: bool,
    /// What a `limit` above 300 gets.
    pub over_limit: OverLimit,
    /// What `products` is past the last page.
    pub past_end: PastEnd,
    /// A change of stock alone moves `updated_at`. Default false, the harder case (sheet 4.5).
    pub stock_moves_updated_at: bool,
    /// A change of promotion alone moves `updated_at`. Default false.
    pub promo_moves_updated_at: bool,
    /// Order of the rows.
    pub order: Order,
    /// True: every request draws a new order, so that pages overlap and miss rows.
    pub shuffle: bool,
    /// What the addresses of photos begin with. Default: a host that does not exist; `<url of the sandbox>/pictures` serves them.
    pub photos: String,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    /// How far the remote's clock is ahead of ours, in seconds: `Date`, `updated_at`, tokens.
    pub clock_ahead_s: i64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            secret: "demo-integration-key".to_owned(),
            rate_limit: Some(2),
            retry_after: None,
            token_life_s: 1_296_000,
            expires_in_s: 86_400,
            wrong_secret_status: 401,
            access_denied: false,
            over_limit: OverLimit::Clamp,
            past_end: PastEnd::Null,
            stock_moves_updated_at: false,
            promo_moves_updated_at: false,
            order: Order::NewestFirst,
            shuffle: false,
            photos: "https://img.sandbox.example".to_owned(),
            latency_ms: 0,
            clock_ahead_s: 0,
        }
    }
}

impl Switches {
    /// These switches with the given ones replaced (RFC 7396); unknown names and bad values are refused, nothing is half set.
    pub fn merged(&self, change: &Value) -> Result<Self, String> {
        let Value::Object(change) = change else { return Err("switches must be a JSON object".to_owned()) };
        let mut all = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(all) = &mut all {
            for (name, value) in change {
                all.insert(name.clone(), value.clone());
            }
        }
        let merged: Self = serde_json::from_value(all).map_err(|error| format!("switches: {error}"))?;
        if !matches!(merged.wrong_secret_status, 400 | 401 | 403) {
            return Err("switches: wrong_secret_status must be 400, 401 or 403".to_owned());
        }
        Ok(merged)
    }
}
