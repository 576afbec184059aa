//! Descriptions of Billz as a shop may show them: safe HTML, or nothing.

use std::{collections::HashSet, sync::LazyLock};

/// Pictures are left out: Billz asks not to be linked to (facts/billz-2.md section 4.5), and they come by a way of their own.
static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::default();
    cleaner
        .rm_tags(["img", "map", "area"])
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .link_rel(Some("nofollow noopener noreferrer"));
    cleaner
});

/// Whether a text is written as HTML at all: Billz 1 has plain text with line ends.
fn is_html(text: &str) -> bool {
    let tag = text
        .match_indices('<')
        .any(|(at, _)| text.get(at + 1..).is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_alphabetic() || next == '/')));
    tag || html_escape::decode_html_entities(text) != text
}

/// What a visitor reads of it, without tags.
fn readable(html: &str) -> String {
    let mut inside = false;
    let text: String = html
        .chars()
        .filter(|letter| match letter {
            '<' => {
                inside = true;
                false
            }
            '>' if inside => {
                inside = false;
                false
            }
            _ => !inside,
        })
        .collect();
    html_escape::decode_html_entities(&text).into_owned()
}

/// The description as safe HTML; empty when there is nothing to read in it, such as the `<p class="editor-paragraph"><br></p>` of Billz's
/// editor.
pub fn description(text: &str) -> String {
    let cleaned = if is_html(text) { CLEANER.clean(text).to_string() } else { text.to_owned() };
    let html = if is_html(&cleaned) {
        cleaned
    } else {
        let lines = cleaned.lines().map(str::trim).filter(|line| !line.is_empty());
        let paragraphs: String = lines.map(|line| format!("<p>{}</p>", html_escape::encode_text(line))).collect();
        CLEANER.clean(&paragraphs).to_string()
    };
    // A zero-width space is what some editors keep in an empty line.
    let nothing = readable(&html).chars().all(|letter| letter.is_whitespace() || matches!(letter, '\u{200b}' | '\u{feff}'));
    if nothing { String::new() } else { html.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_empty_forms_of_the_editor_are_nothing() {
        for empty in [
            "",
            "  ",
            "<p class=\"editor-paragraph\"><br></p>",
            "<p><span></span></p>",
            "<p>&nbsp;\u{200b}</p>",
            "<script>alert(1)</script>",
            "<img src=\"https://x.example/a.jpg\">",
        ] {
            assert_eq!(description(empty), "", "{empty}");
        }
    }

    #[test]
    fn what_is_dangerous_goes_and_what_is_written_stays() {
        assert_eq!(
            description(
                "<p class=\"editor-paragraph\" onclick=\"x()\">Хлопок &amp; <b>лён</b><script>alert(1)</script></p><ul><li>1</li></ul>"
            ),
            "<p>Хлопок &amp; <b>лён</b></p><ul><li>1</li></ul>"
        );
        assert_eq!(
            description("<a href=\"javascript:alert(1)\">a</a><a href=\"https://x.example/\">b</a>"),
            "<a rel=\"nofollow noopener noreferrer\">a</a><a href=\"https://x.example/\" rel=\"nofollow noopener noreferrer\">b</a>"
        );
    }

    #[test]
    fn plain_text_keeps_its_lines_and_its_signs() {
        assert_eq!(description("100% хлопок\r\n\r\nвес < 5 кг & мягкий"), "<p>100% хлопок</p><p>вес &lt; 5 кг &amp; мягкий</p>");
    }

    proptest! {
        #[test]
        fn cleaning_is_done_once(text in "\\PC{0,60}") {
            let once = description(&text);
            prop_assert_eq!(description(&once), once);
        }
    }
}
