//! Diagnostic output: lines on stderr, apart from every result.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts telemetry for this process. A later call changes nothing, which tests rely on.
///
/// The HTTP library stays silent: it has a line for each request that is not HTTP, and anybody can
/// send those by the thousand.
pub fn start() {
    let ours = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
    let ours = ours.parse_lossy("warn,actix_http=off,delivery_ledger=info");
    let lines = tracing_subscriber::fmt()
        .with_env_filter(ours)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_writer(std::io::stderr);
    let _already_started = lines.try_init();
}
