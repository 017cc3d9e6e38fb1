//! Questions to somebody at a terminal. Nobody else is asked: without a terminal, nothing waits.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use anyhow::{Context, Result};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tracing::Level;

/// True if there is somebody to ask: a terminal, and not `--quiet`.
pub fn is_possible() -> bool {
    tracing::enabled!(Level::WARN) && stdin().is_terminal() && stderr().is_terminal()
}

/// Asks until the answer is right; `None` if there is none.
pub fn until_right(question: &str, check: impl Fn(&str) -> Result<()>) -> Result<Option<String>> {
    loop {
        prompt(question)?;
        let answer = line()?;
        let answer = answer.trim();
        if answer.is_empty() {
            return Ok(None);
        }
        match check(answer) {
            Ok(()) => return Ok(Some(answer.to_owned())),
            Err(error) => writeln!(stderr(), "{error:#}")?,
        }
    }
}

/// Asks for a secret, which the terminal does not show.
pub fn secret(question: &str) -> Result<String> {
    let _hidden = Hidden::start()?;
    prompt(question)?;
    line()
}

/// Shows the question in one piece, as nothing is read before it is complete.
fn prompt(question: &str) -> Result<()> {
    Ok(stderr().write_all(format!("{question}: ").as_bytes())?)
}

/// A line of stdin; empty at its end.
pub fn line() -> Result<String> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line).context("cannot read stdin")?;
    Ok(line)
}

/// While it lives, the terminal does not show what is typed, only the line's end. Shells restore the
/// terminal of a program that Ctrl-C ended.
struct Hidden(Termios);

impl Hidden {
    fn start() -> Result<Self> {
        let before = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin(), OptionalActions::Now, &hidden).context("cannot hide what is typed")?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // If it fails, the terminal is gone.
        let _gone = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
