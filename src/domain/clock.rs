//! Durations, and the one factor that divides them all in tests (`TRADESYNC_TIME_FACTOR`, design.md section 6).

use std::{sync::OnceLock, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};

static FACTOR: OnceLock<f64> = OnceLock::new();

/// Sets the factor once, at start. Values below or at zero and later calls are ignored: time must never stand still.
pub fn set_time_factor(factor: f64) {
    if factor.is_finite() && factor > 0.0 {
        let _ = FACTOR.set(factor);
    }
}

/// The factor in force, 1 unless set.
pub fn time_factor() -> f64 {
    FACTOR.get().copied().unwrap_or(1.0)
}

/// A duration as it is to be waited: divided by the factor.
pub fn scaled(duration: Duration) -> Duration {
    duration.div_f64(time_factor())
}

/// Reads `60s`, `5m`, `24h`, `1h 30m`; never negative.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim()).map_err(|error| format!("`{text}` is no duration ({error}); write for example 60s, 5m or 24h"))
}

/// The same duration in chrono's type, capped at a century.
pub fn chrono_duration(duration: Duration) -> chrono::Duration {
    chrono::Duration::from_std(duration).unwrap_or_else(|_| chrono::Duration::days(36_500))
}

/// Now, in microseconds as the database keeps it.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(parse_duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse_duration(" 1h 30m "), Ok(Duration::from_secs(5_400)));
        assert!(parse_duration("soon").is_err_and(|text| text.contains("`soon`")));
    }
}
