//! "Статус синхронизации": the text that people see in Bitrix24. In Russian, since the customer's staff read it; cut to the field's length.

use crate::{
    domain::text::{Lang, reason_text},
    engine::model::Reason,
};

/// The field in reports.
pub const FIELD: &str = "sync_status";
/// Most letters where the portal names no length of the field.
pub const LONGEST: usize = 500;

/// The text of an error.
pub fn of(reason: &Reason, longest: usize) -> String {
    cut(&reason_text(Lang::Ru, &reason.code, &reason.params), longest)
}

/// A text that fits into so many letters.
pub fn cut(text: &str, longest: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let head: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_russian_and_fits_its_field() {
        let reason = Reason::new("parent_last_name_empty").with("other", "Наталья Зарудная");
        let text = of(&reason, LONGEST);
        assert!(text.contains("Наталья Зарудная") && text.contains("фамили"), "{text}");
        let short = of(&reason, 20);
        assert!(short.chars().count() <= 20 && short.ends_with('…'), "{short}");
        assert_eq!(cut("Успешно", 7), "Успешно");
    }
}
