//! The parts of a `mysql://` address: what identifies a database, and how to show it without its password.

use url::Url;

use crate::fault::{Code, Fault};

/// A checked `mysql://user:password@host:port/database` address.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: Url,
    database: String,
}

impl DatabaseUrl {
    /// Reads an address; the database's name is required.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = |why: &str| {
            Fault::new(Code::ConfigInvalid, format!("the database address is wrong: {why}; write mysql://user:password@host:3306/database"))
        };
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "mysql" | "mariadb") {
            return Err(wrong("it must begin with mysql://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("it names no host"));
        }
        // The client library takes `localhost` for its socket file and forgets the port; who names a port means TCP.
        if url.host_str() == Some("localhost") && url.port().is_some() {
            url.set_host(Some("127.0.0.1")).map_err(|error| wrong(&error.to_string()))?;
        }
        let database = url.path().trim_start_matches('/').to_owned();
        if database.is_empty() || database.contains('/') {
            return Err(wrong("it names no database"));
        }
        Ok(Self { url, database })
    }

    /// The whole address with its password, for connecting only.
    pub fn expose(&self) -> &str {
        self.url.as_str()
    }

    /// `host:port/database`: what makes it this database and no other.
    pub fn identity(&self) -> String {
        let host = self.url.host_str().unwrap_or_default().to_ascii_lowercase();
        let host = if host == "localhost" { "127.0.0.1" } else { &host };
        format!("{host}:{}/{}", self.url.port().unwrap_or(3306), self.database)
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "mysql://***@{}", self.identity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_leaves_the_credentials_out() {
        let url = DatabaseUrl::parse("mysql://shop:s3cret@LOCALHOST/kmall");
        assert!(url.is_ok_and(|url| url.identity() == "127.0.0.1:3306/kmall" && !format!("{url:?}").contains("s3cret")));
        for bad in ["kmall", "postgres://a/b", "mysql://host", "mysql://host/"] {
            assert!(DatabaseUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
