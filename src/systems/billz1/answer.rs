//! One answer of any length, row by row as it comes: `{"jsonrpc", "id", "result": [row, row, ...]}`, keys in any order.
//!
//! serde_json reads a list from a reader element by element, so nobody ever holds more than a row. It wants a thread that may wait, which
//! [`client`](super::client) gives it.

use std::{
    fmt,
    io::{self, BufReader, Read},
};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::remote::lenient::scalar;

/// Bytes that come from another task, as a file.
pub struct Incoming {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Incoming {
    /// Reads the pieces of this channel, to its end.
    pub fn new(pieces: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { pieces, piece: io::Cursor::default() }
    }
}

impl Read for Incoming {
    /// Waits; not to be called on a thread of the runtime.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

/// What stood beside the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The answer's id, as text.
    pub id: Option<String>,
    /// Text of `error`, unless it was null.
    pub error: Option<String>,
    /// Whether `result` was a list, and was closed.
    pub list: bool,
    /// Why it could not be read to its end.
    pub broken: Option<Broken>,
}

/// Why an answer could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It ended in the middle.
    CutOff,
    /// It is no JSON, from some place on.
    Unreadable(String),
    /// Whoever takes the rows wants no more.
    Stopped,
}

/// Reads an answer; `take` gets each row and says whether to go on.
pub fn read(from: impl Read, take: impl FnMut(&RawValue) -> bool) -> Envelope {
    let mut envelope = Envelope::default();
    let mut stopped = false;
    let mut reader = serde_json::Deserializer::from_reader(without_mark(BufReader::with_capacity(64 * 1024, from)));
    let outcome = Whole { envelope: &mut envelope, take, stopped: &mut stopped }.deserialize(&mut reader).and_then(|()| reader.end());
    envelope.broken = outcome.err().map(|error| match error.classify() {
        _ if stopped => Broken::Stopped,
        serde_json::error::Category::Eof | serde_json::error::Category::Io => Broken::CutOff,
        serde_json::error::Category::Syntax | serde_json::error::Category::Data => Broken::Unreadable(error.to_string()),
    });
    envelope
}

/// Skips a byte order mark.
fn without_mark(mut reader: BufReader<impl Read>) -> impl Read {
    use io::BufRead;
    if reader.fill_buf().is_ok_and(|beginning| beginning.starts_with(b"\xef\xbb\xbf")) {
        reader.consume(3);
    }
    reader
}

struct Whole<'a, F> {
    envelope: &'a mut Envelope,
    take: F,
    stopped: &'a mut bool,
}

impl<'de, F: FnMut(&RawValue) -> bool> DeserializeSeed<'de> for Whole<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&RawValue) -> bool> Visitor<'de> for Whole<'_, F> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON-RPC object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "result" => self.envelope.list = map.next_value_seed(Rows { take: &mut self.take, stopped: self.stopped })?,
                "error" => {
                    let error = map.next_value::<Box<RawValue>>()?;
                    self.envelope.error = (error.get() != "null").then(|| error.get().to_owned());
                }
                "id" => self.envelope.id = scalar(map.next_value::<Box<RawValue>>()?.get()).filter(|id| !id.is_empty()),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// `result`: whether it was a list.
struct Rows<'a, F> {
    take: &'a mut F,
    stopped: &'a mut bool,
}

impl<'de, F: FnMut(&RawValue) -> bool> DeserializeSeed<'de> for Rows<'_, F> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&RawValue) -> bool> Visitor<'de> for Rows<'_, F> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<bool, A::Error> {
        while let Some(row) = rows.next_element::<Box<RawValue>>()? {
            if !(self.take)(&row) {
                *self.stopped = true;
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(from: impl Read) -> (Vec<String>, Envelope) {
        let mut rows = Vec::new();
        let envelope = read(from, |row| {
            rows.push(row.get().to_owned());
            true
        });
        (rows, envelope)
    }

    const ANSWER: &str = r#"{"jsonrpc":"2.0","result":[{"ID":1,"name":"]}\"ё"},{"ID":2,"x":[[1],{"y":"}"}]},"text",null],"id":"a7"}"#;

    #[test]
    fn rows_come_one_by_one_with_what_stands_beside_them() {
        let (found, envelope) = rows(ANSWER.as_bytes());
        assert_eq!(found, [r#"{"ID":1,"name":"]}\"ё"}"#, r#"{"ID":2,"x":[[1],{"y":"}"}]}"#, "\"text\"", "null"]);
        assert_eq!(envelope, Envelope { id: Some("a7".into()), error: None, list: true, broken: None });
        let id = |text: &str| rows(text.as_bytes()).1.id;
        assert_eq!((id(r#"{"id":7,"result":[]}"#).as_deref(), id(r#"{"id":null,"result":[]}"#)), (Some("7"), None));
        assert!(rows(&b"\xef\xbb\xbf{\"result\":[]}"[..]).1.list);
    }

    #[test]
    fn what_is_no_list_is_no_list() {
        for (text, broken) in [
            (r#"{"result":null}"#, false),
            ("{}", false),
            (r#"{"result":5}"#, true),
            (r#"{"result":"x"}"#, true),
            (r#"{"result":{"data":[]}}"#, true),
            ("[]", true),
            ("<html>", true),
            ("", true),
        ] {
            let (found, envelope) = rows(text.as_bytes());
            assert!(found.is_empty() && !envelope.list, "{text}");
            assert_eq!(envelope.broken.is_some(), broken, "{text}");
        }
        assert_eq!(rows(br#"{"result":null,"error":{"code":1}}"#.as_slice()).1.error.as_deref(), Some(r#"{"code":1}"#));
        assert!(matches!(rows(br#"{"result":[]} trailing"#.as_slice()).1.broken, Some(Broken::Unreadable(_))));
    }

    #[test]
    fn whoever_takes_the_rows_may_stop() {
        let mut taken = 0;
        let envelope = read(ANSWER.as_bytes(), |_| {
            taken += 1;
            taken < 2
        });
        assert_eq!((taken, envelope.broken, envelope.list), (2, Some(Broken::Stopped), false));
    }

    proptest! {
        /// However the bytes are cut into pieces, the rows are the same.
        #[test]
        fn pieces_of_any_size_give_the_same_rows(sizes in prop::collection::vec(1_usize..9, 1..40)) {
            let (send, receive) = mpsc::channel(1_000);
            let mut rest = ANSWER.as_bytes();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                send.try_send(piece.to_vec()).unwrap();
                rest = after;
            }
            drop(send);
            prop_assert_eq!(rows(Incoming::new(receive)), rows(ANSWER.as_bytes()));
        }

        /// An answer that breaks off, wherever, is never taken as complete, and its rows are a beginning.
        #[test]
        fn a_beginning_is_never_the_whole(at in 0_usize..ANSWER.len()) {
            let (found, envelope) = rows(ANSWER.as_bytes().get(..at).unwrap_or_default());
            prop_assert!(envelope.broken.is_some());
            let (whole, _) = rows(ANSWER.as_bytes());
            prop_assert!(whole.starts_with(&found));
        }
    }
}
