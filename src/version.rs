//! What this program is: its version, the commit it was built from, and what is compiled in.
//! `scripts/build.rs` provides what only the build knows; what it did not learn is unknown.

use std::fmt::Write;

use time::OffsetDateTime;

use crate::store;

/// The version, as in `Cargo.toml`.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What stands for a commit that the build did not know, as no debug build does.
const UNKNOWN: &str = "unknown";

/// The digits of a commit that people read; a metric has as many.
const COMMIT_DIGITS: usize = 12;

/// The first digits of the commit, or `unknown`.
fn commit() -> &'static str {
    short(env!("DELIVERY_LEDGER_BUILD_COMMIT"))
}

/// The version of SQLite, which is compiled in.
fn sqlite() -> &'static str {
    store::sqlite_version()
}

/// What a metric says of it: names and values of labels.
pub fn labels() -> [(&'static str, &'static str); 3] {
    [("version", VERSION), ("commit", commit()), ("sqlite", sqlite())]
}

/// All of it, one thing a line, after the version.
pub fn long() -> String {
    let date = date(env!("DELIVERY_LEDGER_BUILD_COMMIT_SECONDS"));
    let compiler = env!("DELIVERY_LEDGER_BUILD_RUSTC");
    let mut text = VERSION.to_owned();
    for (name, value) in [
        ("commit", commit().to_owned()),
        ("date", date.unwrap_or_else(|| UNKNOWN.to_owned())),
        ("SQLite", sqlite().to_owned()),
        ("target", env!("DELIVERY_LEDGER_BUILD_TARGET").to_owned()),
        ("profile", env!("DELIVERY_LEDGER_BUILD_PROFILE").to_owned()),
        ("compiler", if compiler.is_empty() { UNKNOWN } else { compiler }.to_owned()),
    ] {
        write!(text, "\n{:<9} {value}", format!("{name}:")).expect("a String takes every text");
    }
    text
}

/// A packager may give a tag instead of a hash; it is shortened too, so that a label stays short.
fn short(commit: &str) -> &str {
    match commit.char_indices().nth(COMMIT_DIGITS) {
        _ if commit.is_empty() => UNKNOWN,
        Some((end, _)) => &commit[..end],
        None => commit,
    }
}

/// The day of a time in seconds since 1970, in UTC.
fn date(seconds: &str) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()?;
    Some(time.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::{date, short};

    #[test]
    fn a_commit_has_twelve_digits_and_its_day() {
        assert_eq!(short("0123456789abcdef0123456789abcdef01234567"), "0123456789ab");
        assert_eq!(short("v0.1.0"), "v0.1.0");
        assert_eq!(short(""), "unknown");
        assert_eq!(date("1795621935").as_deref(), Some("2026-11-25"));
        assert_eq!(date(""), None);
        assert_eq!(date("yesterday"), None);
    }
}
