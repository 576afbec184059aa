//! Locks of a connection: what we never touch.

use super::{MAX_KEY_CHARS, Scope, Service, is_key};
use crate::{
    engine::locks::{Lock, LockSet},
    fault::{Fault, FieldError, Result},
};

/// Most locks of a connection: whoever locks more should not synchronise those fields at all.
const MAX_LOCKS: usize = 10_000;
/// Longest note.
const MAX_NOTE_CHARS: usize = 500;

impl Service {
    /// All locks, in the order in which they were given.
    pub async fn locks(&self, scope: &Scope, connection: &str) -> Result<LockSet> {
        let connection = self.connection(scope, connection).await?;
        self.lock_store.locks(&connection.id).await
    }

    /// Replaces all locks. Those that stood already keep who set them and when.
    pub async fn replace_locks(&self, scope: &Scope, connection: &str, locks: Vec<Lock>, expected: Option<u64>) -> Result<LockSet> {
        let connection = self.connection(scope, connection).await?;
        check(&locks, self.flow_of(&connection)?.lockable())?;
        self.lock_store.replace_locks(&connection.id, locks, expected).await
    }
}

fn check(locks: &[Lock], lockable: &[&str]) -> Result<()> {
    if locks.len() > MAX_LOCKS {
        return Err(Fault::field(
            "/items",
            format!("must hold at most {MAX_LOCKS} locks; for a field of all products, leave source and target out"),
        ));
    }
    let mut errors = Vec::new();
    for (place, lock) in locks.iter().enumerate() {
        let mut wrong = |field: &str, detail: String| errors.push(FieldError::new(format!("/items/{place}{field}"), detail));
        for (field, key) in [("/source", &lock.source), ("/target", &lock.target)] {
            if key.as_deref().is_some_and(|key| !is_key(key)) {
                wrong(field, format!("must be a text of 1 to {MAX_KEY_CHARS} characters without blanks at its ends"));
            }
        }
        match (&lock.source, &lock.target) {
            (Some(_), Some(_)) => wrong("/target", "an item is named by its source or by its target, not by both".to_owned()),
            (None, None) if lock.fields.is_empty() => {
                wrong("", "would lock everything: name source, target or fields; to stop a whole connection, disable it".to_owned())
            }
            _ => {}
        }
        for (number, field) in lock.fields.iter().enumerate() {
            if !lockable.contains(&field.as_str()) {
                wrong(
                    &format!("/fields/{number}"),
                    format!("there is no field of that name to be locked; there are: {}", lockable.join(", ")),
                );
            }
        }
        if lock.note.chars().count() > MAX_NOTE_CHARS || lock.note.chars().any(|letter| letter.is_control() && letter != '\n') {
            wrong("/note", format!("must be a text of at most {MAX_NOTE_CHARS} characters"));
        }
        if locks.iter().take(place).any(|before| before.subject() == lock.subject()) {
            wrong("", "stands twice".to_owned());
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Fault::fields(errors)) }
}
