//! Values of settings as they are shown.

use std::time::Duration;

pub fn seconds_or_off(every: Option<Duration>) -> String {
    every.map_or("off".to_owned(), seconds)
}

pub fn seconds(length: Duration) -> String {
    format!("{} s", length.as_secs())
}

pub fn joined_or(texts: Vec<String>, otherwise: &str) -> String {
    if texts.is_empty() { otherwise.to_owned() } else { texts.join(", ") }
}
