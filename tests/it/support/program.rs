//! The program's other commands, run to their end.

use std::process::{Command, Output};

use super::{Database, MASTER_KEY};

/// Runs `tradesync` with a command line; the database is the test's.
pub fn program(database: &Database, arguments: &[&str]) -> Output {
    command(arguments).env("DATABASE_URL", database.url.expose()).env("TRADESYNC_MASTER_KEY", MASTER_KEY).output().unwrap()
}

/// The command with nothing of our environment but what it needs to be found.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradesync"));
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(std::env::temp_dir());
    command
}

/// An API key made on the command line.
pub struct Key {
    pub id: String,
    pub key: String,
}

/// `tradesync key create --name test …`.
#[track_caller]
pub fn key(database: &Database, arguments: &[&str]) -> Key {
    let output = program(database, &[&["key", "create", "--name", "test"], arguments].concat());
    let (told, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{said}");
    let id = said.split("id ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    Key { id, key: told.trim().to_owned() }
}
