//! What can be set while the simulator runs. Defaults are the harder of two unknowns.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The switches; the control API merges JSON into them by these names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The account's name; a token must carry it in lower case.
    pub username: String,
    /// The account's secret: its bytes sign the tokens.
    pub secret: String,
    /// HTTP status of a refused token: 200 (default) or 401.
    pub refused_status: u16,
    /// Keys `id` and `barcode` instead of `ID` and `barCode`.
    pub small_keys: bool,
    /// Offices without stock are listed too. Default false, the harder case (sheet 4.2).
    pub list_empty_offices: bool,
    /// `LastUpdatedDate` takes the very second in. Default false: strictly after.
    pub at_or_after: bool,
    /// A sale moves a product into the delta. Default true: nothing says otherwise for this API.
    pub stock_moves_date: bool,
    /// Rows carry `totalRows`.
    pub total_rows: bool,
    /// Numbers with a point (`5.0`) in every second row.
    pub floats: bool,
    /// Every third row stands in the answer twice.
    pub doubles: bool,
    /// The answer's rows come in reverse order.
    pub newest_first: bool,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    /// Pause between any two pieces of a long answer, in milliseconds.
    pub piece_pause_ms: u64,
    /// How far the remote's clock is ahead of ours, in seconds: `Date`, tokens, dates of change.
    pub clock_ahead_s: i64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            username: "demo.ecommerce".to_owned(),
            secret: "demo-integration-key".to_owned(),
            refused_status: 200,
            small_keys: false,
            list_empty_offices: false,
            at_or_after: false,
            stock_moves_date: true,
            total_rows: true,
            floats: true,
            doubles: false,
            newest_first: false,
            latency_ms: 0,
            piece_pause_ms: 0,
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
        if !matches!(merged.refused_status, 200 | 401) {
            return Err("switches: refused_status must be 200 or 401".to_owned());
        }
        Ok(merged)
    }
}
