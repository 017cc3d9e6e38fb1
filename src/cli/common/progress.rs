//! Progress on stderr. It is shown only on a terminal, and not with `--quiet`.

use indicatif::{ProgressBar, ProgressStyle};
use tracing::Level;

/// A bar over this many events.
pub fn over_events(events: u64, what: &'static str) -> ProgressBar {
    let style = "{msg} {bar:40} {human_pos}/{human_len} events  {per_sec}  {eta} left";
    shown(|| ProgressBar::new(events).with_message(what), style)
}

/// A bar over this many bytes of files.
pub fn over_bytes(bytes: u64, what: &'static str) -> ProgressBar {
    let style = "{msg} {bar:40} {bytes}/{total_bytes}  {bytes_per_sec}";
    shown(|| ProgressBar::new(bytes).with_message(what), style)
}

/// Progress towards no known end, in this template of indicatif.
pub fn endless(style: &str) -> ProgressBar {
    shown(ProgressBar::new_spinner, style)
}

fn shown(bar: impl FnOnce() -> ProgressBar, style: &str) -> ProgressBar {
    let is_quiet = !tracing::enabled!(Level::WARN);
    match is_quiet {
        true => ProgressBar::hidden(),
        false => {
            let style = ProgressStyle::with_template(style);
            bar().with_style(style.expect("the templates are valid"))
        }
    }
}
