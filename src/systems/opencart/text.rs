//! Text as the shop stores it: HTML-escaped once, cut to its column, without characters that the column cannot hold.
//!
//! OpenCart escapes input by `htmlspecialchars(ENT_COMPAT)` and its templates print it as it is: raw text from a feed would be
//! markup in the storefront (facts section 2). A lenient server cuts what is too long in the middle of anything, silently.

use serde::{Deserialize, Serialize};

use super::schema::Column;

/// What one character becomes; `None` = itself.
fn entity(letter: char) -> Option<&'static str> {
    match letter {
        '&' => Some("&amp;"),
        '"' => Some("&quot;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

/// Escapes as OpenCart does; `'` stays.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match entity(letter) {
            Some(entity) => escaped.push_str(entity),
            None => escaped.push(letter),
        }
    }
    escaped
}

/// Stored text as people read it.
pub fn unescape(text: &str) -> String {
    html_escape::decode_html_entities(text).into_owned()
}

/// A text ready for its column, and what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fitted {
    pub(super) text: String,
    /// The end did not fit.
    pub(super) cut: bool,
    /// Characters beyond U+FFFF were left out.
    pub(super) stripped: bool,
}

fn representable(text: &str, room: Room) -> (String, bool) {
    if room.all_characters || text.chars().all(|letter| u32::from(letter) <= 0xFFFF) {
        return (text.to_owned(), false);
    }
    // Joiners and variation selectors only make sense beside the emoji that they belong to.
    let kept: String = text.chars().filter(|letter| u32::from(*letter) <= 0xFFFF && !matches!(*letter, '\u{200D}' | '\u{FE0F}')).collect();
    (kept.trim().to_owned(), true)
}

/// What a column of text can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Most characters; `None` where bytes are counted.
    chars: Option<usize>,
    /// Most bytes.
    bytes: Option<usize>,
    /// Whether characters beyond U+FFFF can be held.
    all_characters: bool,
}

impl From<&Column> for Room {
    fn from(column: &Column) -> Self {
        Self { chars: column.max_chars(), bytes: column.max_bytes(), all_characters: column.takes_all_characters() }
    }
}

impl Room {
    /// A plain text as it will stand there: escaped, and cut if it must be.
    pub fn plain(self, text: &str) -> String {
        fit(text, self).text
    }

    /// Safe HTML as it will stand there.
    pub fn html(self, html: &str) -> String {
        fit_html(html, self).text
    }

    fn most(self) -> usize {
        self.chars.or(self.bytes).unwrap_or(usize::MAX)
    }

    fn measure(self, text: &str) -> usize {
        if self.chars.is_some() { text.chars().count() } else { text.len() }
    }
}

/// Escapes a plain text and cuts it at a whole character of the original, never inside an entity.
pub(super) fn fit(text: &str, room: impl Into<Room>) -> Fitted {
    let room = room.into();
    let (text, stripped) = representable(text, room);
    let (most, mut used) = (room.most(), 0);
    let mut fitted = String::with_capacity(text.len());
    let mut letter_text = [0u8; 4];
    for letter in text.chars() {
        let piece = entity(letter).unwrap_or_else(|| letter.encode_utf8(&mut letter_text));
        used += room.measure(piece);
        if used > most {
            return Fitted { text: fitted, cut: true, stripped };
        }
        fitted.push_str(piece);
    }
    Fitted { text: fitted, cut: false, stripped }
}

/// Escapes an identifier, which is never cut nor changed: `None` if the column cannot hold it whole.
pub(super) fn fit_whole(text: &str, room: impl Into<Room>) -> Option<String> {
    let fitted = fit(text, room);
    (!fitted.cut && !fitted.stripped).then_some(fitted.text)
}

/// Escapes HTML (cleaned already) for a text column. What is too long is cut outside tags and its open tags are closed.
pub(super) fn fit_html(html: &str, room: impl Into<Room>) -> Fitted {
    let room = room.into();
    let (html, stripped) = representable(html, room);
    let most = room.most();
    let escaped = escape(&html);
    if room.measure(&escaped) <= most {
        return Fitted { text: escaped, cut: false, stripped };
    }
    let mut target = most;
    while target > 0 {
        let (mut used, mut end, mut inside) = (0, 0, false);
        for (at, letter) in html.char_indices() {
            used += entity(letter).map_or_else(|| if room.chars.is_some() { 1 } else { letter.len_utf8() }, str::len);
            if used > target {
                break;
            }
            inside = if inside { letter != '>' } else { letter == '<' };
            if !inside {
                end = at + letter.len_utf8();
            }
        }
        let closed = escape(&ammonia::clean(html.get(..end).unwrap_or_default()));
        if room.measure(&closed) <= most {
            return Fitted { text: closed, cut: true, stripped };
        }
        target = target.saturating_sub((most / 16).max(1));
    }
    Fitted { text: String::new(), cut: true, stripped }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::schema::tests::text_column, *};

    #[test]
    fn text_is_escaped_once_as_the_shop_does() {
        assert_eq!(escape("Tom & \"Jerry's\" <b>"), "Tom &amp; &quot;Jerry's&quot; &lt;b&gt;");
        assert_eq!(escape("&amp;"), "&amp;amp;");
        assert_eq!(unescape("A &amp; B"), "A & B");
    }

    #[test]
    fn cuts_fall_between_characters_and_never_inside_an_entity() {
        let fitted = fit("ab&cd", &text_column("varchar", 6, "utf8mb4"));
        assert_eq!((fitted.text.as_str(), fitted.cut), ("ab", true));
        assert_eq!(fit("ab&cd", &text_column("varchar", 9, "utf8mb4")).text, "ab&amp;cd");
        assert_eq!(fit("жжжж", &text_column("varchar", 3, "utf8mb3")).text, "жжж");
        assert_eq!(fit("жжжж", &text_column("text", 5, "utf8mb3")).text, "жж");
        assert_eq!(fit_whole("A&B", &text_column("varchar", 6, "utf8mb3")), None);
    }

    #[test]
    fn emoji_are_left_out_where_they_cannot_be_held() {
        let fitted = fit("Чехол 👨‍👩‍👧 ❤️", &text_column("varchar", 255, "utf8mb3"));
        assert_eq!((fitted.text.as_str(), fitted.stripped), ("Чехол  ❤", true));
        assert_eq!(fit("Чехол 📱", &text_column("varchar", 255, "utf8mb4")).text, "Чехол 📱");
        assert_eq!(fit_whole("A📱", &text_column("varchar", 64, "utf8mb3")), None);
    }

    #[test]
    fn long_html_keeps_its_tags_whole() {
        let html = format!("<p><b>{}</b></p><p>end</p>", "x".repeat(100));
        let fitted = fit_html(&html, &text_column("text", 90, "utf8mb3"));
        assert!(fitted.cut && fitted.text.len() <= 90);
        let back = unescape(&fitted.text);
        assert!(back.starts_with("<p><b>xxx") && back.ends_with("</b></p>"), "{back}");
    }

    proptest! {
        #[test]
        fn what_is_fitted_fits_and_is_a_beginning(text in "\\PC{0,40}", room in 1u64..40) {
            let column = text_column("varchar", room, "utf8mb4");
            let fitted = fit(&text, &column);
            prop_assert!(fitted.text.chars().count() as u64 <= room);
            prop_assert!(escape(&text).starts_with(&fitted.text));
            prop_assert_eq!(fitted.cut, escape(&text).chars().count() as u64 > room);
        }
    }
}
