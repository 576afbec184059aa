//! Where links live: the name of a link space, whose halves are the target and whoever writes into it.

/// The link space of a connection: which target (first half) and which source account and owner (second half).
///
/// Links belong to it and not to the connection, so a successor of a deleted connection adopts them (design.md section 6).
pub fn link_space(source: &str, target: &str, owner: Option<&str>) -> String {
    use sha2::{Digest, Sha256};
    let half = |parts: &[&str]| {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    half(&[target]) + &half(&[source, owner.unwrap_or_default()])
}

/// The name of a target, however many connections write into it: the first half of their link spaces.
pub fn target_name(target: &str) -> String {
    target_of_space(&link_space("", target, None)).to_owned()
}

/// The half of a link space that names the target.
pub fn target_of_space(space: &str) -> &str {
    space.get(..32).unwrap_or(space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sellers_of_one_shop_share_its_target_and_nothing_else() {
        let (one, two) = (link_space("billz2 a", "db/oc_", Some("seller:42")), link_space("billz2 a", "db/oc_", Some("seller:43")));
        assert_ne!(one, two);
        assert_eq!(target_of_space(&one), target_of_space(&two));
        assert_ne!(target_of_space(&one), target_of_space(&link_space("billz2 a", "other/oc_", Some("seller:42"))));
    }
}
