//! Names of tables and columns that come from settings: the only text that may ever be put into SQL.

use std::fmt;

use crate::{
    domain,
    fault::{Code, Fault},
};

/// A MySQL name of letters, digits and underscores, at most 64 of them. Prints with backticks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident(String);

impl Ident {
    /// Checks the form. Whether such a table exists is asked of `information_schema` by the caller.
    pub fn new(name: impl Into<String>) -> Result<Self, Fault> {
        let name = name.into();
        if domain::name::plain(&name).is_some() {
            Ok(Self(name))
        } else {
            Err(Fault::new(Code::ConfigInvalid, format!("`{name}` is no name of a table or column; use letters, digits and _ only")))
        }
    }

    /// The bare name, for comparing with `information_schema`.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        assert!(Ident::new("oc_product").is_ok_and(|name| name.to_string() == "`oc_product`"));
        for bad in ["", "a b", "a`b", "oc_product; DROP TABLE x", "é", &"a".repeat(65)] {
            assert!(Ident::new(bad).is_err(), "{bad}");
        }
    }
}
