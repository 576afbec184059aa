//! Addresses in settings.

use url::Url;

use crate::fault::{Code, Fault};

/// Reads an address; `name` is the setting's, for whoever has to correct it.
pub fn read(name: &str, text: &str) -> Result<Url, Fault> {
    Url::parse(text).map_err(|error| Fault::new(Code::ConfigInvalid, format!("{name} `{text}` is no address: {error}")))
}

/// An address as part of an identity: however it is written, the same place.
pub fn place(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_ascii_lowercase()
}
