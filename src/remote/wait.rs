//! Waiting that a cancel ends at once.

use std::{future::Future, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::fault::{Code, Fault};

/// Waits for `duration` of real time. A cancel of `stop` ends it at once with [`Code::Cancelled`].
pub async fn wait(duration: Duration, stop: &CancellationToken) -> Result<(), Fault> {
    unless_stopped(stop, tokio::time::sleep(duration)).await
}

/// Runs `work`, unless `stop` is cancelled first: then `work` is dropped where it stands.
pub async fn unless_stopped<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(cancelled()),
        done = work => Ok(done),
    }
}

/// The fault of a cancelled wait.
pub fn cancelled() -> Fault {
    Fault::new(Code::Cancelled, "cancelled while talking to a remote system")
}
