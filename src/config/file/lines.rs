//! The lines of a TOML text that keys and sections are on, for errors and origins.

use std::collections::BTreeMap;

/// A line with a key or the head of a section.
struct Line {
    /// From 1.
    number: usize,
    /// The key with its section, such as `reconcile.every`, or the section.
    key: String,
    is_section: bool,
}

/// The line of each key, counted from 1, with the section that it is in.
pub fn lines_of_keys(text: &str) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for Line { number, key, .. } in lines_of(text).into_iter().filter(|line| !line.is_section) {
        lines.entry(key).or_insert(number);
    }
    lines
}

/// The key or the section on a line; `None` if there is none.
pub fn key_on_line(text: &str, number: usize) -> Option<String> {
    lines_of(text).into_iter().find(|line| line.number == number).map(|line| line.key)
}

fn lines_of(text: &str) -> Vec<Line> {
    let (mut lines, mut section) = (Vec::new(), String::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            lines.push(Line { number, key: name.trim().to_owned(), is_section: true });
            section = format!("{}.", name.trim());
        } else if let Some((key, _)) = line.split_once('=') {
            lines.push(Line { number, key: format!("{section}{}", key.trim()), is_section: false });
        }
    }
    lines
}
