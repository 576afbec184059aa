//! The table of failures. A code is public: it stands in `type` of problem documents and in a run's `error.code`.

use super::Kind;

macro_rules! codes {
    ($($variant:ident, $name:literal, $kind:ident, $status:literal, $title:literal, $next:literal;)*) => {
        /// Stable code of a failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the table's order.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// Stable public name.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),* }
            }

            /// Which reaction it calls for.
            pub fn kind(self) -> Kind {
                match self { $(Code::$variant => Kind::$kind),* }
            }

            /// HTTP status when it is the answer to a request.
            pub fn status(self) -> u16 {
                match self { $(Code::$variant => $status),* }
            }

            /// One sentence: what failed.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title),* }
            }

            /// One sentence: what to do next.
            pub fn next(self) -> &'static str {
                match self { $(Code::$variant => $next),* }
            }
        }
    };
}

codes! {
    // Requests to our API.
    InvalidJson, "invalid-json", Request, 400, "The body is not readable JSON.", "Send one JSON value in UTF-8; the detail names the line and column.";
    InvalidHeader, "invalid-header", Request, 400, "A request header has a form we cannot read.", "Correct the header named in the detail.";
    InvalidQuery, "invalid-query", Request, 400, "A query parameter cannot be read.", "Correct the parameter named in the errors.";
    ValidationFailed, "validation-failed", Request, 422, "A field is wrong or unknown.", "Correct the fields listed in errors; each pointer names one.";
    Unauthenticated, "unauthenticated", Request, 401, "No valid API key was given.", "Send Authorization: Bearer <api key>; keys are made with: tradesync key create.";
    Forbidden, "forbidden", Request, 403, "This API key may not do that.", "Use a key with the role that the detail names.";
    OnBehalfOfRequired, "on-behalf-of-required", Request, 403, "This key acts for sellers only and must say for whom.", "Send X-On-Behalf-Of, for example: seller:42.";
    NotFound, "not-found", Request, 404, "There is nothing here, or nothing that this key may see.", "Check the path and the id; lists show what is visible.";
    MethodNotAllowed, "method-not-allowed", Request, 405, "This path does not take that method.", "See Allow in the answer, or the OpenAPI document.";
    StreamBusy, "stream-busy", Request, 409, "This stream has a live run already.", "Follow the run given in run, or cancel it.";
    NotAwaiting, "not-awaiting", Request, 409, "The run is not in a state that allows this.", "Look at the run's state first.";
    PlanExpired, "plan-expired", Request, 409, "The plan is too old to be approved.", "Start a new run: it plans on what stands now. plan_expiry of the connection sets how long plans may wait.";
    NothingToUndo, "nothing-to-undo", Request, 409, "The run has changed nothing that could be undone.", "Look at the run's items: only what it applied can be undone.";
    UndoExpired, "undo-expired", Request, 409, "What stood there before the run is no longer known.", "Correct the values in the source or by hand; keep_changes sets how long old values are kept.";
    InUse, "in-use", Request, 409, "Something else still stands on this.", "Do what the detail says, or make a new connection.";
    RequestInProgress, "request-in-progress", Request, 409, "A request with the same Idempotency-Key is still being worked on.", "Wait for it to end and send it again to get its answer.";
    IdempotencyMismatch, "idempotency-mismatch", Request, 422, "This Idempotency-Key was used with another body.", "Use a new key for a new request.";
    PreconditionFailed, "precondition-failed", Request, 412, "The resource has changed since the ETag that you gave.", "Read it again and repeat the change on what stands now.";
    PreconditionRequired, "precondition-required", Request, 428, "This replaces everything that stands, so it needs If-Match.", "Read the resource, change what you read, and send it with If-Match: its ETag.";
    TooLarge, "too-large", Request, 413, "The body is too large.", "Send less at a time.";
    TooManyStreams, "too-many-streams", Request, 429, "This process follows as many runs as it may.", "Ask for the run itself instead, with If-None-Match; or come again after Retry-After.";
    HookQueueFull, "hook-queue-full", Request, 429, "Too many hooks wait to be dealt with.", "Find out why they wait (the stream's runs say), and send them again after Retry-After.";
    HookRefused, "hook-refused", Request, 422, "The hook is stored, but it cannot be carried out as it is.", "Correct what the errors name and send it again; what was sent is kept and shown as held.";
    UnsupportedMediaType, "unsupported-media-type", Request, 415, "The body is of a type we do not read.", "Send Content-Type: application/json.";

    // Remote systems.
    RemoteUnavailable, "remote-unavailable", Unavailable, 503, "A remote system did not answer.", "Nothing is lost: the next run begins where this one began.";
    RemoteSilent, "remote-silent", Unavailable, 503, "A remote system fell silent, so the run ended at once.", "Nothing is lost: what was done stays done, and the next run does the rest.";
    RemoteRateLimited, "remote-rate-limited", RateLimited, 503, "A remote system asks us to slow down.", "The run goes on by itself after the pause.";
    RemoteAuth, "remote-auth", Auth, 502, "A remote system refused our credentials.", "Check the secret of the connection; then run the connection's check.";
    RemoteForbidden, "remote-forbidden", Config, 502, "The credentials lack a right in the remote system.", "Give the key the rights that the detail names, in the remote system.";
    RemoteProtocol, "remote-protocol", Protocol, 502, "A remote system gave an answer that we cannot read.", "Repeat the run; if it stays, send us the run's id: a redacted sample is kept in the log.";
    RemoteRejected, "remote-rejected", Protocol, 502, "A remote system refused the request.", "Read the detail: it holds the remote's own words.";
    ReadNotWhole, "read-not-whole", Unavailable, 502, "The remote's answer was not proven whole.", "What was read is applied; nothing was taken as gone, and the next run reads the same span again.";
    SourceEmpty, "source-empty", Unavailable, 502, "The source says that it holds nothing, though it held goods before.", "Nothing was changed. Check the key's rights in the source; then start a full run.";
    SourceAccountChanged, "source-account-changed", Config, 502, "The key belongs to another account than this connection's links.", "Put the former key back, or make a new connection with another owner.";

    // Our side of a run.
    ConfigInvalid, "config-invalid", Config, 422, "The connection's settings do not allow a run.", "Correct the settings that the detail names.";
    TargetUnavailable, "target-unavailable", Unavailable, 503, "The target database did not answer.", "Nothing is lost: the run is repeated from its last finished step.";
    TargetSchema, "target-schema", Config, 502, "The target database lacks a table or column that we need.", "Check table_prefix and the seller adapter in the settings.";
    BadItem, "bad-item", BadItem, 422, "One item cannot be used as it is.", "Correct it in the source; it is offered again on the next run.";
    ValueNotKept, "value-not-kept", BadItem, 422, "The target was told a value several times and keeps another one.", "Look at the item in the target: another program may write it, or the target refuses the value without a word.";
    TooManyFailures, "too-many-failures", Config, 422, "Too large a share of the items failed, so nothing was changed.", "Look at the failed items; most have one common cause. max_failed_share sets the limit.";
    LeaseLost, "lease-lost", LeaseLost, 409, "Another worker took this run over.", "Nothing to do: the other worker finishes it.";
    PlanRejected, "plan-rejected", Cancelled, 409, "A person rejected what this run wanted to do.", "Nothing: the next run decides anew.";
    Superseded, "superseded", Cancelled, 409, "A newer run has decided anew about what waited here.", "Look at the run that the detail names.";
    Cancelled, "cancelled", Cancelled, 409, "The run was cancelled.", "Start it again when you like; what was applied stands in the items.";
    Yielded, "yielded", Cancelled, 503, "The run gave its place to others while it waits.", "Nothing: it goes on by itself.";
    WorkerLost, "worker-lost", Internal, 500, "Worker after worker fell silent over this run.", "Look into the logs of the workers for what ended them; then start it again.";
    Stopping, "stopping", Cancelled, 503, "The service is stopping.", "The run is taken up again by the next worker.";
    DatabaseUnavailable, "database-unavailable", Unavailable, 503, "Our own database did not answer.", "Check DATABASE_URL and the server; then repeat.";
    Internal, "internal", Internal, 500, "A mistake of ours.", "Send us the request's id; the log holds the rest.";
}

impl Code {
    /// The code of a stable name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_speak_kebab_case() {
        for (place, code) in Code::ALL.iter().enumerate() {
            let name = code.name();
            assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{name}");
            assert_eq!(Code::ALL.iter().position(|other| other.name() == name), Some(place), "{name} stands twice");
            assert_eq!(Code::parse(name), Some(*code));
        }
    }

    #[test]
    fn every_row_says_what_failed_and_what_to_do_next() {
        for code in Code::ALL {
            assert!(code.title().ends_with('.') && code.next().ends_with('.'), "{}", code.name());
            assert!((400..600).contains(&code.status()), "{}", code.name());
        }
    }
}
