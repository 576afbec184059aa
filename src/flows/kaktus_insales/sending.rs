//! What was sent and not seen yet. InSales answers 200 and queues (facts/insales.md section 5.1), so a link remembers what stood there when its
//! variant was last written, until a later read shows the new value. Pure.
//!
//! | a later look shows | what follows |
//! |---|---|
//! | the value that is wanted | done: the memory goes |
//! | not the value sent, and the sending is young | one update per variant in flight: wait |
//! | still the old value | it did not stick: sent again, [`GROUPS`] times in a group, then alone, which InSales answers by the variant as it stands |
//! | a third value | somebody else wrote: sent anew |

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::QUANTITY;
use crate::{
    domain::clock,
    engine::{
        model::{FieldChange, Link, Reason},
        undo::same,
    },
};

/// Where the link remembers it; stands in reports under this name, too.
pub const FIELD: &str = "sending";
/// Where the link remembers when its variant was last seen to stand as it should.
pub const SEEN: &str = "seen_at";
/// How often a value is sent in a group before it is sent alone.
pub const GROUPS: u32 = 3;
/// How long a sent value may be on its way. Too low: what is still queued is sent again; too high: what was lost stays wrong for longer.
const SETTLES: Duration = Duration::from_secs(30);

/// A value on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// What stood there when it was sent.
    pub from: Value,
    /// How often it was sent, this time included.
    pub tries: u32,
}

/// What is done about a value that does not stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is sent, for the so-many-th time.
    Send(u32),
    /// What was sent before may still come.
    Wait(Reason),
}

impl Sending {
    /// What a link remembers.
    pub fn of(link: &Link) -> Option<Self> {
        link.written.get(FIELD).filter(|value| !value.is_null()).and_then(|value| serde_json::from_value(value.clone()).ok())
    }

    /// How a change tells it.
    pub fn change(&self, link: Option<&Link>) -> FieldChange {
        FieldChange {
            field: FIELD.into(),
            old: link.and_then(|link| link.written.get(FIELD)).cloned(),
            new: serde_json::to_value(self).unwrap_or_default(),
            rule: Reason::new(if self.tries > GROUPS { "insales_sent_alone" } else { "insales_sent" }).with("tries", self.tries),
        }
    }
}

/// What is to be done when `stands` is not `wanted`. `seen_at` is when that was looked at.
pub fn next(link: Option<&Link>, stands: &Value, wanted: &Value, seen_at: DateTime<Utc>, now: DateTime<Utc>) -> Next {
    let Some((link, sent)) = link.and_then(|link| Sending::of(link).map(|sent| (link, sent))) else { return Next::Send(1) };
    let value = link.written.get(QUANTITY).cloned().unwrap_or_default();
    if same(stands, &value) {
        // It came to stand there, and Kaktus has moved on since.
        return Next::Send(1);
    }
    let settles = clock::chrono_duration(clock::scaled(SETTLES));
    if now - link.updated_at < settles || seen_at < link.updated_at {
        return Next::Wait(Reason::new("insales_queued").with("value", &value).with("tries", sent.tries));
    }
    if !same(stands, &sent.from) {
        return Next::Send(1);
    }
    Next::Send(if same(&value, wanted) { sent.tries.saturating_add(1) } else { 1 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::model::LinkState;

    /// A link whose variant stood at 3 and was told 7, so many seconds ago.
    fn link(tries: u32, ago: i64) -> Link {
        let sent = Sending { from: json!(3), tries };
        Link {
            source: "46".into(),
            name: String::new(),
            state: LinkState::Linked,
            target: Some("10".into()),
            witness: None,
            candidates: Vec::new(),
            origin: "auto".into(),
            written: [(QUANTITY.to_owned(), json!(7)), (FIELD.to_owned(), serde_json::to_value(sent).expect("JSON"))].into(),
            source_seen_at: None,
            undone: Default::default(),
            run: None,
            linked_at: None,
            updated_at: clock::now() - chrono::Duration::seconds(ago),
        }
    }

    fn after(link: &Link, stands: i64, wanted: i64) -> Next {
        next(Some(link), &json!(stands), &json!(wanted), clock::now(), clock::now())
    }

    #[test]
    fn nothing_on_its_way_is_sent_at_once() {
        assert_eq!(next(None, &json!(3), &json!(7), clock::now(), clock::now()), Next::Send(1));
        let mut done = link(1, 60);
        done.written.remove(FIELD);
        assert_eq!(after(&done, 3, 7), Next::Send(1), "somebody edits what was verified");
    }

    #[test]
    fn one_update_is_in_flight_at_a_time() {
        assert!(matches!(after(&link(1, 5), 3, 7), Next::Wait(_)), "it may still come");
        assert!(matches!(after(&link(1, 5), 3, 9), Next::Wait(_)), "even when Kaktus has moved on: two could change places");
        assert_eq!(after(&link(1, 5), 7, 9), Next::Send(1), "it has come");
        let old_look = next(Some(&link(1, 60)), &json!(3), &json!(7), clock::now() - chrono::Duration::seconds(90), clock::now());
        assert!(matches!(old_look, Next::Wait(_)), "a look from before the sending says nothing");
    }

    #[test]
    fn what_does_not_stick_is_sent_again_then_alone() {
        for (tries, next) in [(1, 2), (GROUPS, GROUPS + 1), (9, 10)] {
            assert_eq!(after(&link(tries, 60), 3, 7), Next::Send(next));
        }
        let alone = Sending { from: json!(3), tries: GROUPS + 1 }.change(None);
        assert_eq!(alone.rule.code, "insales_sent_alone");
        assert_eq!(after(&link(3, 60), 3, 8), Next::Send(1), "another value is a new beginning");
        assert_eq!(after(&link(3, 60), 5, 7), Next::Send(1), "somebody else wrote meanwhile");
    }
}
