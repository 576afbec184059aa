//! Planned failures at named points, for the crash tests: `TRADESYNC_FAILPOINT=after-effect` ends the process at that point as
//! `kill -9` would; `after-effect:3` at its third passing; `after-effect@/tmp/once` only while that file can be removed, so that
//! a restarted process passes.
//!
//! Without the cargo feature `failpoints` every call is empty.

/// Every point there is, in the order a run passes them.
pub const POINTS: &[&str] = &[
    "after-page-read",
    "after-read",
    "after-plan",
    "after-brakes",
    "after-decide",
    "after-intent",
    "mid-batch",
    "hooks-taken",
    "hooks-not-settled",
    "sent-not-told",
    "name-claimed",
    "shared-row-half-made",
    "creating-product",
    "product-without-children",
    "before-going-live",
    "family-claimed",
    "family-without-option",
    "family-value-made",
    "family-half-made",
    "before-family-sum",
    "before-family-shows",
    "after-effect",
    "after-record",
    "before-cursor",
    "picture-file-written",
    "pictures-stored",
    "pictures-shown",
    "alert-sent",
];

/// Passes a point.
#[cfg(feature = "failpoints")]
pub fn hit(point: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };
    static PLAN: OnceLock<Option<(String, u32, Option<String>)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let plan = PLAN.get_or_init(|| {
        let text = std::env::var("TRADESYNC_FAILPOINT").ok()?;
        let (text, once) = match text.split_once('@') {
            Some((text, file)) => (text.to_owned(), Some(file.to_owned())),
            None => (text, None),
        };
        let (name, passing) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), passing.parse().unwrap_or(1), once))
    });
    if let Some((name, passing, once)) = plan
        && name == point
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *passing
        && once.as_ref().is_none_or(|file| std::fs::remove_file(file).is_ok())
    {
        // No destructors, no flushing: as if the machine had lost its power.
        std::process::abort();
    }
}

/// Passes a point: nothing in a packaged binary.
#[cfg(not(feature = "failpoints"))]
pub fn hit(_point: &str) {}
