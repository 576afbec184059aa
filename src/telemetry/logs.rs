//! Log lines on standard error, so that the command line keeps standard output for its answers.

use std::{fmt, io::IsTerminal, str::FromStr};

use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

use crate::fault::{Code, Fault, Result};

/// Form of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for Format {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(Fault::new(Code::ConfigInvalid, format!("TRADESYNC_LOG_FORMAT is `{other}`; write text or json"))),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Whether a filter (`info`, `tradesync=debug,warn`) can be read, without setting it.
pub fn check_filter(filter: &str) -> Result<()> {
    EnvFilter::try_new(filter).map(drop).map_err(|error| {
        Fault::new(Code::ConfigInvalid, format!("TRADESYNC_LOG is `{filter}`: {error}; write for example info, or tradesync=debug,warn"))
    })
}

/// Begins to log. Once per process.
pub fn init(filter: &str, format: Format) -> Result<()> {
    check_filter(filter)?;
    let lines =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr).with_span_events(FmtSpan::NONE);
    let begun = match format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    begun.map_err(|error| Fault::internal(format!("logs are initialised already: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_says_what_would_be_right() {
        assert_eq!("json".parse::<Format>().ok(), Some(Format::Json));
        assert!("xml".parse::<Format>().is_err_and(|fault| fault.detail.contains("text or json")));
        assert!(check_filter("tradesync=debug,warn").is_ok());
        assert!(check_filter("tradesync=loud").is_err_and(|fault| fault.detail.contains("TRADESYNC_LOG")));
    }
}
