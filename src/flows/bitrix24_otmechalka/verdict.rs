//! What an item comes to before anything is sent.

use crate::engine::model::Reason;

/// What an item comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// It is sent like this.
    Ready(T),
    /// Nothing of it is supported (corner case "Выбраны неподдерживаемые продукты или филиалы"): "Успешно", and nothing is sent.
    Ignored(Reason),
    /// Its data are wrong (corner case "Данные из B24 не соответствуют формату"): the text goes into its status.
    Wrong(Reason),
}

impl<T> Verdict<T> {
    /// Of a value or what is wrong with it.
    pub fn of(result: Result<T, Reason>) -> Self {
        match result {
            Ok(value) => Self::Ready(value),
            Err(reason) => Self::Wrong(reason),
        }
    }
}
