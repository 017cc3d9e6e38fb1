//! Diagnostic output: log lines on stderr, as text for a terminal and otherwise as JSON, one object a
//! line. Results go to stdout and are written elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Writes a line to stderr that is not a log line, such as a command's error. Unlike `eprintln!`, it
/// does not panic if stderr is closed.
pub fn eprint_line(line: impl Display) {
    let _stderr_is_closed = writeln!(std::io::stderr(), "{line}");
}

/// Starts telemetry for this process. A later call changes nothing, which tests rely on.
///
/// The HTTP library is silenced: it logs every request that is not HTTP, and anybody can send
/// thousands of those.
pub fn start() {
    let ours = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
    let ours = ours.parse_lossy("warn,actix_http=off,delivery_ledger=info");
    let lines = tracing_subscriber::fmt()
        .with_env_filter(ours)
        .with_target(false)
        // Reporting a line that cannot be written would panic, because that goes to stderr too.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let _already_started = match std::io::stderr().is_terminal() {
        true => lines.with_ansi(true).try_init(),
        // Log collectors expect the fields at the same level as the message.
        false => lines.json().flatten_event(true).try_init(),
    };
}
