//! Words for addresses of pages ("SEO URL"), from names in any script.
//!
//! `slug` (with `deunicode`) turns any script into dashes and ASCII; what it does not know is how people here write Cyrillic in
//! addresses, and that the Uzbek `oʻ`, `gʻ` and the apostrophe are parts of a word and not its end.

/// Longest keyword made of a name. Too low: names of one kind fall together; too high: addresses nobody can read.
const LONGEST: usize = 96;

/// What a page is called that has no name of letters, such as one of emoji.
const NAMELESS: &str = "product";

/// Latin for one small letter of Russian, Uzbek Cyrillic or Ukrainian; `None` = let the crate say.
fn latin(letter: char) -> Option<&'static str> {
    Some(match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' | 'ғ' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' | 'ы' => "y",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' | 'ў' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' | 'ҳ' => "h",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ю' => "yu",
        'я' => "ya",
        'є' => "ye",
        'ї' => "yi",
        'қ' => "q",
        _ => return None,
    })
}

/// Every sign that people write for the Uzbek and Ukrainian apostrophe.
pub(super) fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '`' | '´' | '‘' | '’' | '‛' | 'ʻ' | 'ʼ' | 'ʹ' | 'ˈ' | '′' | '＇')
}

/// A keyword of small letters, digits and single dashes; never empty, at most [`LONGEST`] characters, cut between words where it can be.
pub(super) fn keyword(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars().filter(|letter| !is_apostrophe(*letter)).flat_map(char::to_lowercase) {
        match latin(letter) {
            Some(latin) => plain.push_str(latin),
            None => plain.push(letter),
        }
    }
    let whole = slug::slugify(&plain);
    let cut = match whole.get(..LONGEST) {
        Some(cut) if whole.len() > LONGEST => cut.rfind('-').and_then(|end| cut.get(..end)).unwrap_or(cut),
        _ => &whole,
    };
    if cut.is_empty() { NAMELESS.to_owned() } else { cut.to_owned() }
}

/// What a page may be called, the best first; the last carries `number`, which nothing else of its kind has.
pub(super) fn candidates(name: &str, article: &str, number: &str) -> Vec<String> {
    let base = keyword(name);
    let mut candidates = vec![base.clone()];
    let article = slug::slugify(article);
    if !article.is_empty() && article.len() <= 40 {
        candidates.push(format!("{base}-{article}"));
    }
    candidates.push(format!("{base}-{number}"));
    candidates
}

/// The word in each of these languages (id, code): the bare one in the shop's own, with the language behind it in the others, since the
/// admin refuses to save a product that has one word for two languages.
pub(super) fn in_languages(word: &str, languages: &[(i64, String)], own: i64) -> Vec<(i64, String)> {
    let primary = |code: &str| code.split(['-', '_']).next().unwrap_or_default().to_lowercase();
    let languages_like = |code: &str| languages.iter().filter(|(_, other)| primary(other) == primary(code)).count();
    languages
        .iter()
        .map(|(id, code)| {
            let tag = if languages_like(code) > 1 { slug::slugify(format!("{code} {id}")) } else { slug::slugify(primary(code)) };
            (*id, if *id == own || tag.is_empty() { word.to_owned() } else { format!("{word}-{tag}") })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_all_three_alphabets_become_readable() {
        for (name, expected) in [
            ("Кроссовки беговые, 42 / Чёрный", "krossovki-begovye-42-chernyy"),
            ("Щётка для объектива", "shchetka-dlya-obektiva"),
            ("Ўзбекистон қўғирчоғи ҳақида", "ozbekiston-qogirchogi-haqida"),
            ("Oʻzbekcha koʻylak", "ozbekcha-koylak"),
            ("O'zbekcha ko‘ylak, G`ijduvon so’zanasi", "ozbekcha-koylak-gijduvon-sozanasi"),
            // The Ukrainian `и` is written as the Russian one: the alphabet does not tell the languages apart.
            ("М'яч «Київ» з ґудзиками, Їжак та Єнот", "myach-kiyiv-z-gudzikami-yizhak-ta-yenot"),
            ("Lancôme Crème №5", "lancome-creme-no5"),
            ("  Tom & Jerry  ", "tom-jerry"),
            ("---", "product"),
            ("", "product"),
        ] {
            assert_eq!(keyword(name), expected, "{name}");
        }
    }

    #[test]
    fn long_names_end_with_a_whole_word() {
        let word = keyword(&"очень длинное название ".repeat(12));
        assert!(word.len() <= LONGEST && word.ends_with("nazvanie") || word.ends_with("dlinnoe") || word.ends_with("ochen"), "{word}");
        assert!(keyword(&"ж".repeat(300)).len() <= LONGEST);
    }

    #[test]
    fn twins_get_their_article_and_then_their_number() {
        assert_eq!(candidates("Мяч", "A/1", "17"), ["myach", "myach-a-1", "myach-17"]);
        assert_eq!(candidates("Мяч", "", "17"), ["myach", "myach-17"]);
    }

    #[test]
    fn no_two_languages_share_a_word() {
        let languages = [(1, "ru-ru".to_owned()), (2, "uz-uz".to_owned()), (3, "en-gb".to_owned()), (4, "en-us".to_owned())];
        let words: Vec<String> = in_languages("myach", &languages, 1).into_iter().map(|(_, word)| word).collect();
        assert_eq!(words, ["myach", "myach-uz", "myach-en-gb-3", "myach-en-us-4"]);
    }

    proptest! {
        #[test]
        fn a_keyword_is_plain_whatever_the_name(name in "\\PC{0,60}") {
            let word = keyword(&name);
            prop_assert!(!word.is_empty() && word.len() <= LONGEST);
            prop_assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            prop_assert!(!word.starts_with('-') && !word.ends_with('-') && !word.contains("--"));
        }
    }
}
