//! Group updates that were accepted and are still to be carried out (sheet 5.1): nobody is told when.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// One variant's new values.
#[derive(Clone, Debug)]
pub struct Update {
    /// The variant.
    pub variant: u64,
    /// Its fields, without the id.
    pub fields: Map<String, Value>,
}

/// What waits.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Vec<(Instant, Update)>,
}

impl Queue {
    /// Adds one that is due after `delay`.
    pub fn push(&mut self, delay: Duration, update: Update) {
        self.waiting.push((Instant::now() + delay, update));
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes out what is due. Out of order, nothing is done before all that waits is due, and then the last comes first.
    pub fn due(&mut self, now: Instant, out_of_order: bool) -> Vec<Update> {
        if out_of_order && self.waiting.iter().any(|(due, _)| *due > now) {
            return Vec::new();
        }
        let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(|(due, _)| *due <= now);
        self.waiting = waiting;
        let mut updates: Vec<Update> = due.into_iter().map(|(_, update)| update).collect();
        if out_of_order {
            updates.reverse();
        }
        updates
    }
}
