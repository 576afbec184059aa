//! A good answer that is too long to hold: handed over piece by piece as it comes.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    call::{Answer, Call},
    wait::unless_stopped,
};
use crate::fault::{Code, Fault};

/// So much of an answer is read before it is judged. An error of any remote we know fits in, so it is told from the list that was asked for.
pub(super) const HEAD: usize = 64 * 1024;

/// What of the body is still to come.
pub(super) struct Rest {
    pub(super) response: reqwest::Response,
    /// For each piece.
    pub(super) patience: Duration,
    pub(super) stop: CancellationToken,
}

/// A good answer whose body is still coming.
pub struct Streamed<T> {
    /// What the judge made of its beginning, and the remote's clock.
    pub answer: Answer<T>,
    name: String,
    head: Option<Vec<u8>>,
    rest: Option<Rest>,
    bytes: usize,
}

impl<T> Streamed<T> {
    pub(super) fn new(call: &Call<'_>, answer: Answer<T>, head: Vec<u8>, rest: Option<Rest>) -> Self {
        Self { answer, name: format!("{} {}", call.system, call.route), head: Some(head), rest, bytes: 0 }
    }

    /// The next piece of the body; `None` at its end. The beginning that was judged comes first.
    ///
    /// `remote-unavailable` when it breaks off or falls silent, `cancelled` when the run is stopped.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(head) = self.head.take() {
            self.bytes = head.len();
            return Ok(Some(head));
        }
        let Some(rest) = &mut self.rest else { return Ok(None) };
        let piece = tokio::time::timeout(rest.patience, rest.response.chunk());
        let broken = |why: &str| Fault::new(Code::RemoteUnavailable, format!("{}: the answer {why} after {} bytes", self.name, self.bytes));
        match unless_stopped(&rest.stop, piece).await? {
            Ok(Ok(Some(piece))) => {
                self.bytes += piece.len();
                Ok(Some(piece.to_vec()))
            }
            Ok(Ok(None)) => {
                self.rest = None;
                Ok(None)
            }
            Ok(Err(error)) => Err(broken("broke off").caused_by(error.without_url())),
            Err(_) => Err(broken("fell silent")),
        }
    }
}
