//! Which groups of the target look like a group of the source, by their names. A person confirms; nothing is mapped by likeness alone.
//!
//! Names come from many hands and in two scripts, so they are compared in a plain form ([`plain`]): small Latin letters, `ё` as `е`,
//! without Uzbek apostrophes and punctuation. The likeness of two names is the better of their common pairs of letters (which does not
//! mind the order of words) and their edit distance (which minds a misprint less in short words). The groups above count for the rest, since
//! «Аксессуары» stand under clothes and under electronics alike.

use super::TargetGroup;

/// Below this, two names only share some letters. Lower: noise. Higher: «Ko'ylaklar» finds no «Койлаклар» misprint.
const LEAST: f64 = 0.5;
/// What the name itself weighs against the names above it.
const OWN_WEIGHT: f64 = 0.8;
/// Most proposals for one group.
const MOST: usize = 5;

/// A group of the target that looks like the one in question.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The target's id.
    pub target: String,
    /// Its path as people read it.
    pub name: String,
    /// 0 to 1, in hundredths; 1 = the same names all the way up.
    pub score: f64,
}

/// A name in the form in which names are compared.
pub fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars().map(|letter| if matches!(letter, 'ё' | 'Ё') { 'е' } else { letter }) {
        // oʻ, gʼ and their like are typed with whatever the keyboard has, and all become this one; so do the soft signs.
        for letter in deunicode::deunicode_char(letter).unwrap_or_default().chars().filter(|letter| !matches!(letter, '\'' | '`')) {
            if letter.is_ascii_alphanumeric() {
                plain.push(letter.to_ascii_lowercase());
            } else if !plain.is_empty() && !plain.ends_with(' ') {
                plain.push(' ');
            }
        }
    }
    plain.trim_end().to_owned()
}

/// Groups of the target in the form in which they are compared: made once for many questions.
pub struct Shelf {
    rows: Vec<(Vec<String>, TargetGroup)>,
}

impl Shelf {
    /// Of these groups.
    pub fn new(groups: Vec<TargetGroup>) -> Self {
        Self { rows: groups.into_iter().map(|group| (group.path.iter().map(|name| plain(name)).collect(), group)).collect() }
    }

    /// What looks like the group with this path (root first), the best first.
    pub fn like(&self, path: &[String]) -> Vec<Proposal> {
        // A nameless group is known by the one above it.
        let asked: Vec<String> = path.iter().map(|name| plain(name)).filter(|name| !name.is_empty()).collect();
        let mut found: Vec<(f64, &TargetGroup)> =
            self.rows.iter().map(|(names, group)| (likeness(&asked, names), group)).filter(|(score, _)| *score >= LEAST).collect();
        found.sort_by(|(one, left), (other, right)| other.total_cmp(one).then_with(|| left.path.cmp(&right.path)));
        let proposals = found.into_iter().take(MOST);
        proposals
            .map(|(score, group)| Proposal { target: group.key.clone(), name: group.name(), score: (score * 100.0).round() / 100.0 })
            .collect()
    }
}

fn likeness(asked: &[String], offered: &[String]) -> f64 {
    let (Some((own, above)), Some((theirs, their_above))) = (asked.split_last(), offered.split_last()) else { return 0.0 };
    let own = alike(own, theirs);
    // Nothing above can make a wrong name right.
    if own < LEAST {
        return 0.0;
    }
    let above = match (above.is_empty(), their_above.is_empty()) {
        (true, true) => 1.0,
        // One keeps its groups flat, which says nothing against them.
        (true, false) | (false, true) => 0.5,
        (false, false) => alike(&above.join(" "), &their_above.join(" ")),
    };
    OWN_WEIGHT * own + (1.0 - OWN_WEIGHT) * above
}

fn alike(one: &str, other: &str) -> f64 {
    strsim::sorensen_dice(one, other).max(strsim::normalized_damerau_levenshtein(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> Shelf {
        let group = |key: &str, path: &str| TargetGroup { key: key.into(), path: path.split(" > ").map(str::to_owned).collect() };
        Shelf::new(vec![
            group("20", "Одежда"),
            group("26", "Одежда > Футболки"),
            group("27", "Одежда > Аксессуары"),
            group("41", "Электроника > Аксессуары"),
            group("42", "Электроника > Наушники"),
            group("50", "Ayollar kiyimi > Koʻylaklar"),
            group("60", "Ёлочные игрушки"),
        ])
    }

    fn best(path: &[&str]) -> Vec<(String, f64)> {
        let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
        shelf().like(&path).into_iter().map(|proposal| (proposal.target, proposal.score)).collect()
    }

    fn first(path: &[&str]) -> String {
        best(path).into_iter().next().map(|(target, _)| target).unwrap_or_default()
    }

    #[test]
    fn names_are_compared_in_a_plain_form() {
        for spelling in ["Ko'ylaklar", "koʻylaklar", "KOʼYLAKLAR", "ko`ylaklar ", "Ko’ylaklar"] {
            assert_eq!(plain(spelling), "koylaklar", "{spelling}");
        }
        assert_eq!(plain("  Дом &  сад, кухня  "), "dom sad kukhnia");
        assert_eq!(plain("ЁЛКИ"), plain("елки"));
        assert_eq!(plain(" — "), "");
    }

    #[test]
    fn the_same_name_is_proposed_first_with_its_whole_path() {
        assert_eq!(best(&["Одежда", "ФУТБОЛКИ"]).first(), Some(&("26".to_owned(), 1.0)));
        let proposals = shelf().like(&["Одежда".to_owned(), "Футболки".to_owned()]);
        assert_eq!(proposals[0].name, "Одежда > Футболки");
    }

    #[test]
    fn the_path_tells_namesakes_apart() {
        assert_eq!(first(&["Электроника", "Аксессуары"]), "41");
        assert_eq!(first(&["Одежда", "Аксессуары"]), "27");
        assert_eq!(best(&["Аксессуары"]).len(), 2);
    }

    #[test]
    fn apostrophes_yo_word_order_and_misprints_do_not_matter() {
        assert_eq!(first(&["Ayollar kiyimi", "Ko'ylaklar"]), "50");
        assert_eq!(first(&["Игрушки ёлочные"]), "60");
        assert_eq!(first(&["елочные игрушки"]), "60");
        assert_eq!(first(&["Электроника", "Наушнки"]), "42");
        assert_eq!(first(&["Odezhda", "Futbolki"]), "26");
    }

    #[test]
    fn a_nameless_group_is_known_by_its_parent_and_strangers_get_nothing() {
        assert_eq!(first(&["Электроника", "Аксессуары", "—"]), "41");
        assert_eq!(best(&["Xizmatlar"]), []);
        assert_eq!(best(&[]), []);
        assert_eq!(best(&["—"]), []);
    }
}
