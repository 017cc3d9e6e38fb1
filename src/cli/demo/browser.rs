//! The offer to open the pages in a browser: only to somebody at a terminal, and only if a program can open them.

use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::Result;
use tokio::sync::oneshot;
use tracing::Level;

/// The program that opens a URL in the user's browser.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// The conditions of the offer.
#[derive(Debug, Clone, Copy)]
struct Circumstances {
    is_quiet: bool,
    stdin_is_terminal: bool,
    stdout_is_terminal: bool,
}

/// Offers to open the URL and waits for the answer.
pub async fn offer(url: &str) -> Result<()> {
    if !Circumstances::now().allow_offer() || !can_open() {
        return Ok(());
    }
    let mut out = stdout();
    write!(out, "\nOpen them in the browser? [Y/n] ")?;
    out.flush()?;
    if read_line().await.is_some_and(|answer| is_yes(&answer)) {
        open(url.to_owned());
    }
    Ok(())
}

impl Circumstances {
    fn now() -> Self {
        Self {
            is_quiet: !tracing::enabled!(Level::WARN),
            stdin_is_terminal: stdin().is_terminal(),
            stdout_is_terminal: stdout().is_terminal(),
        }
    }

    fn allow_offer(self) -> bool {
        let Self { is_quiet, stdin_is_terminal, stdout_is_terminal } = self;
        !is_quiet && stdin_is_terminal && stdout_is_terminal
    }
}

/// True if the answer, or its absence, means yes.
fn is_yes(answer: &str) -> bool {
    ["", "y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// A line of stdin; `None` at its end. A thread reads it that nobody waits for if the demo is stopped before.
async fn read_line() -> Option<String> {
    let (send, line) = oneshot::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = stdin().lock().read_line(&mut line);
        let _stopped = send.send(read.is_ok_and(|bytes| bytes > 0).then_some(line));
    });
    line.await.ok().flatten()
}

fn opener() -> Command {
    let mut command = Command::new(OPENER);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// True if there is a program that opens URLs.
fn can_open() -> bool {
    opener().arg("--version").status().is_ok()
}

/// Opens the URL. The program may run as long as the browser does.
fn open(url: String) {
    thread::spawn(move || {
        if !opener().arg(&url).status().is_ok_and(|status| status.success()) {
            tracing::warn!("{OPENER} did not open {url}: open it by hand");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Circumstances, is_yes};

    #[test]
    fn only_somebody_at_a_terminal_gets_the_offer() {
        let at_terminal =
            Circumstances { is_quiet: false, stdin_is_terminal: true, stdout_is_terminal: true };
        assert!(at_terminal.allow_offer());
        for other in [
            Circumstances { is_quiet: true, ..at_terminal },
            Circumstances { stdin_is_terminal: false, ..at_terminal },
            Circumstances { stdout_is_terminal: false, ..at_terminal },
        ] {
            assert!(!other.allow_offer(), "{other:?}");
        }
    }

    #[test]
    fn enter_means_yes() {
        for yes in ["\n", "y\n", "Y\r\n", " yes \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["n\n", "no\n", "later\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
