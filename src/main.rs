//! The program: reads the command line and does what it says.

use std::process::ExitCode;

/// Work hops between many threads, and glibc keeps what each of them once needed: measured, the peak grew with the catalogue.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tradesync::cli::main()
}
