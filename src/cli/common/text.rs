//! Text for people: tables, numbers and progress bars.

use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::{Position, event};
pub use crate::text::number;

/// Parses a position, with or without commas: `51522` or `51,522`.
pub fn position(text: &str) -> Result<Position, String> {
    event::parse_position(text)
        .ok_or_else(|| "it is not a position, such as 42 or 51,522".to_owned())
}

/// A progress bar on stderr over this many events; invisible if stderr is not a terminal.
pub fn progress_bar(events: u64, what: &'static str) -> ProgressBar {
    let style = "{msg} {bar:40} {human_pos}/{human_len} events  {per_sec}  {eta} left";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(events).with_style(style).with_message(what)
}
