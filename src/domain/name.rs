//! Names of tables and columns as settings may give them; `db::Ident` puts them into SQL.

/// The name itself if it is made of 1 to 64 letters, digits and underscores.
pub fn plain(name: &str) -> Option<&str> {
    let fits = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then_some(name)
}
