//! The program: sets up its memory, reads the command line and does what it says.

use std::process::ExitCode;

fn main() -> ExitCode {
    one_arena();
    tradesync::cli::main()
}

/// Lets all threads share one heap. By default glibc gives each of the database's threads a heap of its own, and each of them keeps
/// the largest page of records that it ever carried: measured with `make bench ARGS=memory` at 100,000 products, 95 MiB instead of 47,
/// without being faster. Must be done before the second thread starts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library has no safe call for it; it takes two numbers and touches no memory of ours")]
fn one_arena() {
    // SAFETY: no other thread exists yet, and any value is allowed for this parameter.
    if unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) } == 0 {
        eprintln!("tradesync: the C library refused to share one heap; memory will grow a little more");
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn one_arena() {}
