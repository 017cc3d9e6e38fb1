//! Output that goes through a pager if it is longer than the terminal.

use std::io::{self, BufWriter, Stdout, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use tokio::signal::unix::{SignalKind, signal};
use unicode_width::UnicodeWidthStr;

/// `less` exits at once if everything fits, lets colours through, and leaves the text on the screen; the
/// same that git asks it for. A user's own LESS is kept.
const LESS: &str = "FRX";

/// Standard output that is held back until it is longer than the screen, and then shown by a pager.
///
/// A file or a pipe gets it directly, and so does a terminal if the pager cannot be started. Dropping it
/// shows what is left, and waits until the user leaves the pager.
pub struct Paged {
    out: Stdout,
    state: State,
}

enum State {
    Direct,
    Held { pager: Pager, text: Vec<u8> },
    Shown { child: Child, input: BufWriter<ChildStdin> },
}

/// A pager, and the screen that makes it necessary.
pub struct Pager {
    /// The program and its arguments, separated by blanks.
    pub command: String,
    /// True if the environment has options for `less`.
    pub has_less_options: bool,
    pub columns: usize,
    pub rows: usize,
}

impl Paged {
    /// Output through this pager, or directly.
    pub fn new(out: Stdout, pager: Option<Pager>) -> Self {
        let held = |pager| State::Held { pager, text: Vec::new() };
        Self { out, state: pager.map_or(State::Direct, held) }
    }

    /// Shows what has been held back: in the pager if it is too long for the screen.
    fn release(&mut self) -> io::Result<()> {
        let State::Held { pager, text } = std::mem::replace(&mut self.state, State::Direct) else {
            return Ok(());
        };
        if pager.is_exceeded_by(&text)
            && let Some(mut child) = pager.start()
            && let Some(input) = child.stdin.take()
        {
            self.state = State::Shown { child, input: BufWriter::new(input) };
        }
        self.write_all(&text)
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Direct => self.out.write(bytes),
            State::Shown { input, .. } => input.write(bytes),
            State::Held { pager, text } => {
                text.extend_from_slice(bytes);
                if bytes.contains(&b'\n') && pager.has_more_lines(text) {
                    self.release()?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Direct => self.out.flush(),
            State::Shown { input, .. } => input.flush(),
            State::Held { .. } => Ok(()),
        }
    }
}

impl Drop for Paged {
    fn drop(&mut self) {
        // A terminal that is gone, and a pager that was left early, do not want the rest.
        let _no_reader = self.release();
        if let State::Shown { mut child, mut input } =
            std::mem::replace(&mut self.state, State::Direct)
        {
            let _no_reader = input.flush();
            drop(input);
            let _ended = child.wait();
        }
    }
}

impl Pager {
    /// Starts it; `None` if there is no such program.
    fn start(&self) -> Option<Child> {
        let mut words = self.command.split_whitespace();
        let mut command = Command::new(words.next()?);
        command.args(words).stdin(Stdio::piped());
        if !self.has_less_options {
            command.env("LESS", LESS);
        }
        let child = command.spawn().ok()?;
        leave_ctrl_c_to_the_pager();
        Some(child)
    }

    fn has_more_lines(&self, text: &[u8]) -> bool {
        text.iter().filter(|byte| **byte == b'\n').count() >= self.rows
    }

    /// Whether the text, with its long lines wrapped, and the prompt after it need more rows than there
    /// are.
    fn is_exceeded_by(&self, text: &[u8]) -> bool {
        let text = anstream::adapter::strip_bytes(text).into_vec();
        let text = String::from_utf8_lossy(&text);
        let rows = text.lines().map(|line| line.width().div_ceil(self.columns).max(1));
        rows.sum::<usize>() >= self.rows
    }
}

/// From now on, Ctrl-C does not end this process: the terminal sends it to the pager as well, for which
/// it means something else, and which would be left without a parent.
fn leave_ctrl_c_to_the_pager() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    if let Ok(runtime) = runtime {
        // The handler stays after its receiver is dropped.
        let _handled = runtime.block_on(async { signal(SignalKind::interrupt()) });
    }
}

#[cfg(test)]
mod tests {
    use super::Pager;

    #[test]
    fn a_text_needs_a_pager_if_its_wrapped_lines_and_the_prompt_do_not_fit() {
        let pager =
            Pager { command: "less".to_owned(), has_less_options: false, columns: 10, rows: 4 };
        for (text, expected) in [
            ("a\nb\nc\n", false),
            ("a\nb\nc\nd\n", true),
            ("a\n12345678901\n", false),
            ("a\nb\n12345678901\n", true),
            ("a\nb\n\x1b[31m1234567890\x1b[0m\n", false),
        ] {
            assert_eq!(pager.is_exceeded_by(text.as_bytes()), expected, "{text:?}");
        }
    }
}
