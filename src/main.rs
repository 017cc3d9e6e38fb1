//! Parses the arguments, runs the command, prints one chain of errors, chooses the exit code.

use std::process::ExitCode;

use delivery_ledger::cli::{Cli, Outcome, UsageError};
use delivery_ledger::telemetry::eprint_error;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const CHECK_FOUND_SOMETHING: u8 = 3;
const NOT_FOUND: u8 = 4;

fn main() -> ExitCode {
    match Cli::parse_arguments().run() {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::CheckFoundSomething) => CHECK_FOUND_SOMETHING.into(),
        Ok(Outcome::NotFound) => NOT_FOUND.into(),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint_error(format_args!("{error:#}"));
            let is_usage = error.is::<UsageError>();
            if is_usage { USAGE.into() } else { FAILED.into() }
        }
    }
}

/// Whether the reader of our output, such as `head`, has closed it.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(is_pipe))
}
