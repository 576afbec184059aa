//! When an incremental run turns full (design.md section 3).
//!
//! A Billz 2 sale may never move `updated_at`, so deltas alone would never bring it. `full_every: "auto"` begins at 30 minutes,
//! doubles up to 6 hours while whole reads find nothing that the deltas before them had missed, and halves, down to 5 minutes,
//! when they do.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    domain::clock,
    engine::{
        flow::EngineSettings,
        model::{Mode, ReadSummary, Stream},
    },
};

/// The first period of `auto`. Too low: the source's limit is spent on reading what did not change; too high: sales arrive late.
pub const FIRST: Duration = Duration::from_secs(30 * 60);
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// The period in force for a stream, as it is to be waited.
pub fn period(engine: EngineSettings, stream: &Stream) -> Duration {
    let seconds = stream.full_every_seconds.map(Duration::from_secs);
    clock::scaled(engine.full_every.or(seconds).unwrap_or(FIRST))
}

/// Whether a run of this stream must read everything.
pub fn is_due(asked: Mode, engine: EngineSettings, stream: &Stream, now: DateTime<Utc>) -> bool {
    asked == Mode::Full
        || stream.cursor.is_none()
        || stream.last_whole_read_at.is_none_or(|last| now - last >= clock::chrono_duration(period(engine, stream)))
}

/// The next period of `auto` in seconds, after a whole read; `None` leaves it as it is.
pub fn next(stream: &Stream, summary: &ReadSummary) -> Option<u64> {
    // The first read finds everything new, which says nothing about deltas.
    if summary.mode != Mode::Full || !summary.whole || stream.last_whole_read_at.is_none() {
        return None;
    }
    let present = stream.full_every_seconds.map_or(FIRST, Duration::from_secs);
    let next = if summary.missed_by_delta > 0 { present / 2 } else { present * 2 };
    Some(next.clamp(SHORTEST, LONGEST).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::Values;

    fn stream(seconds: Option<u64>, last: Option<DateTime<Utc>>) -> Stream {
        Stream {
            connection: String::new(),
            stream: String::new(),
            name: String::new(),
            enabled: true,
            settings: serde_json::Value::Null,
            cursor: last,
            last_synced_at: None,
            last_whole_read_at: last,
            full_every_seconds: seconds,
            last_run: None,
            version: 1,
        }
    }

    fn summary(missed: u64) -> ReadSummary {
        ReadSummary {
            mode: Mode::Full,
            reused: false,
            read: String::new(),
            rows: 0,
            started_at: clock::now(),
            whole: true,
            empty: false,
            doubt: None,
            changed: missed,
            missed_by_delta: missed,
            facts: Values::new(),
        }
    }

    #[test]
    fn auto_stretches_while_nothing_was_missed_and_shrinks_when_something_was() {
        let now = Some(clock::now());
        assert_eq!(next(&stream(None, now), &summary(0)), Some(3_600));
        assert_eq!(next(&stream(Some(21_600), now), &summary(0)), Some(21_600));
        assert_eq!(next(&stream(Some(3_600), now), &summary(7)), Some(1_800));
        assert_eq!(next(&stream(Some(300), now), &summary(7)), Some(300));
        assert_eq!(next(&stream(None, None), &summary(100)), None, "the first read says nothing");
    }

    #[test]
    fn the_first_run_and_every_full_one_read_everything() {
        let engine = EngineSettings {
            full_every: Some(Duration::from_secs(60)),
            read_reuse: Duration::ZERO,
            max_failed_share: 0.2,
            overlap: Duration::ZERO,
        };
        let now = clock::now();
        assert!(is_due(Mode::Incremental, engine, &stream(None, None), now));
        assert!(!is_due(Mode::Incremental, engine, &stream(None, Some(now)), now));
        assert!(is_due(Mode::Full, engine, &stream(None, Some(now)), now));
        assert!(is_due(Mode::Incremental, engine, &stream(None, Some(now - chrono::Duration::seconds(61))), now));
    }
}
