//! Checks on the documentation: links resolve, files named in it exist, and pages stay short.

mod settings;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Pages that are meant to be read from top to bottom, with their maximum number of lines.
const SHORT_PAGES: [(&str, usize); 4] = [
    ("README.md", 150),
    ("docs/operations/", 150),
    ("docs/adr/", 80),
    ("docs/ARCHITECTURE.md", 150),
];

/// The folders whose files the documentation names by path.
const FOLDERS: [&str; 9] = [
    "src/",
    "tests/",
    "benches/",
    "docs/",
    "examples/",
    "migrations/",
    "scripts/",
    "fuzz/",
    ".cargo/",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, relative to the repository.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let relative = path.strip_prefix(root()).unwrap().to_path_buf();
        match path.is_dir() {
            true => files.extend(self::files(relative.to_str().unwrap())),
            false => files.push(relative),
        }
    }
    files
}

/// Every Markdown page: its path and its text.
fn pages() -> Vec<(String, String)> {
    let mut pages = files("docs");
    pages.extend(["README.md", "CHANGELOG.md", "examples/README.md"].map(PathBuf::from));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    let read = |page: PathBuf| {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        (page.to_str().unwrap().to_owned(), text)
    };
    pages.into_iter().map(read).collect()
}

/// The lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of the links in a text.
fn links(text: &str) -> Vec<String> {
    let target = |rest: &str| rest.split_once(')').map(|(target, _)| target.to_owned());
    let links = |line: &str| line.split("](").skip(1).filter_map(target).collect::<Vec<_>>();
    prose(text).flat_map(links).collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading
            .chars()
            .filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter))
            .collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_relative_link_resolves() {
    let mut dead = Vec::new();
    for (page, text) in pages() {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { root().join(&page) } else { folder.join(file) };
            let found = match anchor {
                "" => target.exists(),
                _ => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !found {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

/// The paths in a text that begin with one of our folders, without trailing punctuation.
fn paths(text: &str) -> BTreeSet<&str> {
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let words = text.split(|letter: char| !is_path(letter)).map(|word| word.trim_end_matches('.'));
    words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder))).collect()
}

#[test]
fn every_path_in_the_documentation_exists() {
    let mut missing = Vec::new();
    for (page, text) in pages() {
        let exists = |path: &str| {
            let path = root().join(path);
            path.exists() || path.with_extension("rs").exists()
        };
        for path in paths(&text).into_iter().filter(|path| !exists(path)) {
            missing.push(format!("{page}: {path}"));
        }
    }
    assert!(missing.is_empty(), "named and missing:\n{}", missing.join("\n"));
}

/// The Rust files in backticks, which may be given without their folder.
fn rust_files(text: &str) -> BTreeSet<&str> {
    let words = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    words.filter(|word| word.ends_with(".rs") && !word.contains(' ')).collect()
}

#[test]
fn every_rust_file_in_the_documentation_exists() {
    let folders = ["src", "tests", "benches", "fuzz/targets"];
    let known: Vec<_> = folders.into_iter().flat_map(files).collect();
    let mut missing = Vec::new();
    for (page, text) in pages() {
        let exists = |name: &str| known.iter().any(|file| file.ends_with(name));
        for name in rust_files(&text).into_iter().filter(|name| !exists(name)) {
            missing.push(format!("{page}: {name}"));
        }
    }
    assert!(missing.is_empty(), "named and missing:\n{}", missing.join("\n"));
}

#[test]
fn every_page_referenced_by_the_code_exists() {
    let mut missing = Vec::new();
    for file in files("src").into_iter().chain(files("docs/deploy")) {
        // Compressed files name no page.
        let text = String::from_utf8_lossy(&fs::read(root().join(&file)).unwrap()).into_owned();
        let pages = paths(&text).into_iter().filter(|path| path.ends_with(".md"));
        for page in pages.filter(|page| !root().join(page).exists()) {
            missing.push(format!("{}: {page}", file.display()));
        }
    }
    assert!(missing.is_empty(), "named and missing:\n{}", missing.join("\n"));
}

/// The table of imports that the shape tests enforce: each module, followed by those that it may use.
fn enforced_imports() -> Vec<Vec<&'static str>> {
    let (_, table) = include_str!("../shape/mod.rs").split_once("MAY_USE: [(").unwrap();
    let (table, _) = table.split_once("\n];").unwrap();
    let (_, table) = table.split_once("= [").unwrap();
    let rows = table.split('(').skip(1);
    rows.map(|row| row.split('"').skip(1).step_by(2).collect()).collect()
}

#[test]
fn the_architecture_page_shows_the_imports_that_are_enforced() {
    let page = include_str!("../../../docs/ARCHITECTURE.md");
    let imports = enforced_imports();
    for row in &imports {
        let names: Vec<_> = row[1..].iter().map(|name| format!("`{name}`")).collect();
        let names = match names.len() {
            0 => "none of our modules".to_owned(),
            all if all == imports.len() - 1 => "everything".to_owned(),
            _ => names.join(", "),
        };
        let row = format!("| `{}` | {names} |", row[0]);
        assert!(page.lines().any(|line| line == row), "there is no row {row}");
    }
}

#[test]
fn pages_stay_within_their_line_limits() {
    for (page, text) in pages() {
        let limit = SHORT_PAGES.iter().find(|(short, _)| page.starts_with(short));
        let lines = text.lines().count();
        if let Some((_, limit)) = limit {
            assert!(lines < *limit, "{page} has {lines} lines, {limit} are the limit");
        }
    }
}
