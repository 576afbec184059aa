//! Ids of our own rows: UUIDv7 without hyphens, so that newer sorts after older. Opaque strings to callers.

use uuid::Uuid;

/// A fresh id.
pub fn fresh() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Whether a caller's text can be one of our ids at all; anything else is simply not found.
pub fn plausible(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_are_plausible_and_sort_by_age() {
        let first = fresh();
        let second = fresh();
        assert!(plausible(&first) && first < second);
        assert!(!plausible("1 OR 1=1"));
    }
}
