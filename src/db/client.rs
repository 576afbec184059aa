//! The client library that diesel is linked with.
//!
//! Some releases of MariaDB's (3.3.19 in Debian 12.15 without its security updates, 3.4.9) set the lengths of a row's texts back to 0
//! when diesel has fetched what was too long for its buffers: the texts of a first row are read as empty (CONC-821). A shop whose
//! descriptions seem empty would be written over, so a process that has such a library does nothing.

use diesel::{MysqlConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

use crate::fault::{Code, Fault};

/// Longer than any buffer that diesel begins with.
const LENGTH: usize = 1_000;

#[derive(QueryableByName)]
struct Probe {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Makes sure that long texts come back whole. `ConfigInvalid` when the library loses them.
pub fn prove(connection: &mut MysqlConnection) -> Result<(), Fault> {
    let probe: Probe = sql_query(format!("SELECT REPEAT('x', {LENGTH}) AS text"))
        .get_result(connection)
        .map_err(|error| super::pool::from_diesel(error, Code::DatabaseUnavailable))?;
    judge(&probe.text)
}

fn judge(text: &str) -> Result<(), Fault> {
    if text.len() == LENGTH && text.bytes().all(|byte| byte == b'x') {
        return Ok(());
    }
    let lost = format!(
        "the installed libmariadb loses texts: of {LENGTH} letters {} came back. Nothing was read or written. Install another version of it \
         (on Debian: apt-get install --only-upgrade libmariadb3 from the security updates; 3.3.19 and 3.4.9 do this, 3.3.20 does not)",
        text.bytes().filter(|byte| *byte == b'x').count()
    );
    Err(Fault::new(Code::ConfigInvalid, lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_loses_texts_is_refused() {
        assert!(judge(&"x".repeat(LENGTH)).is_ok());
        for lost in [String::new(), "x".repeat(LENGTH - 1), "\0".repeat(LENGTH), format!("x{}", "\0".repeat(LENGTH - 1))] {
            let fault = judge(&lost).unwrap_err();
            assert_eq!(fault.code, Code::ConfigInvalid);
            assert!(fault.detail.contains("libmariadb"), "{}", fault.detail);
        }
    }
}
