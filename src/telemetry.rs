//! Diagnostic output: lines on stderr, apart from every result; for a terminal as text, else as JSON,
//! an object a line.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Writes a line to stderr, apart from telemetry: what a command has to say beside its result. Where
/// nobody reads it any more it is lost, as `eprintln!` would not have it.
pub fn say(line: impl Display) {
    let _nobody_reads_it = writeln!(std::io::stderr(), "{line}");
}

/// Starts telemetry for this process. A later call changes nothing, which tests rely on.
///
/// The HTTP library stays silent: it has a line for each request that is not HTTP, and anybody can
/// send those by the thousand.
pub fn start() {
    let ours = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
    let ours = ours.parse_lossy("warn,actix_http=off,delivery_ledger=info");
    let lines = tracing_subscriber::fmt()
        .with_env_filter(ours)
        .with_target(false)
        // A line that cannot be written is lost; to complain of it would panic, on stderr again.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let _already_started = match std::io::stderr().is_terminal() {
        true => lines.with_ansi(true).try_init(),
        // Its fields stand beside the message, where those who collect lines look for them.
        false => lines.json().flatten_event(true).try_init(),
    };
}
