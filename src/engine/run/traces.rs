//! What a run may have to look for in the store. Most runs of a quiet shop store no change, and nothing is left of the runs before
//! them: they need not ask for what is not there.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use crate::engine::{
    model::{Phase, Run},
    standing::Left,
};

/// What a run and those before it have left in the store.
pub(super) struct Traces {
    /// Whether changes of this run may be stored.
    changes: AtomicBool,
    /// What earlier runs have left of the stream, once somebody has looked.
    left: OnceLock<Left>,
}

impl Traces {
    /// Before the run goes on. Nothing is known of what an earlier taking came to, nor of plans that wait for being carried out.
    pub(super) fn before(run: &Run) -> Self {
        let changes = run.attempts > 1 || run.phase != Phase::Read || run.plan.approved();
        Self { changes: AtomicBool::new(changes), left: OnceLock::new() }
    }

    /// From now on changes of the run are stored.
    pub(super) fn changes_are_stored(&self) {
        self.changes.store(true, Ordering::Relaxed);
    }

    /// Earlier runs have left this.
    pub(super) fn are_left(&self, left: Left) {
        let _ = self.left.set(left);
    }

    /// Whether changes of the run may be stored.
    pub(super) fn may_have_changes(&self) -> bool {
        self.changes.load(Ordering::Relaxed)
    }

    /// What earlier runs have left: everything, as long as nobody has looked.
    pub(super) fn left(&self) -> Left {
        self.left.get().copied().unwrap_or(Left::UNKNOWN)
    }

    /// Whether the run has told nothing, and nothing was left to be settled by it.
    pub(super) fn are_none(&self) -> bool {
        let left = self.left();
        !left.listed && !left.standing && !self.may_have_changes()
    }
}
