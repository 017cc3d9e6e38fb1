//! The sizes of files and folders: how many lines a file has, and how many files a folder.

use std::collections::BTreeMap;
use std::path::Path;

/// More lines of a file than this hide that it has two subjects.
const LINES_MAX: usize = 400;

/// A test file has a subject too, but its cases are long.
const TEST_LINES_MAX: usize = 500;

/// The names in a folder should be read at a glance; `mod.rs` and `main.rs` count.
const FILES_MAX: usize = 15;

/// The Rust files below a folder of the repository: path and text.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_dir() {
            files.extend(self::files(&path));
        } else if name.ends_with(".rs") {
            files.push((path, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    files
}

/// Each file that is longer than it may be.
fn long_files(files: &[(String, String)], lines_max: usize) -> Vec<String> {
    let lines = files.iter().map(|(path, text)| (path, text.lines().count()));
    let long = lines.filter(|(_, lines)| *lines > lines_max);
    long.map(|(path, lines)| format!("{path} has {lines} lines")).collect()
}

/// Each folder with more files than it may have; files of its folders do not count.
fn full_folders(files: &[(String, String)]) -> Vec<String> {
    let mut folders = BTreeMap::new();
    for (path, _) in files {
        *folders.entry(path.rsplit_once('/').unwrap().0).or_insert(0) += 1;
    }
    let full = folders.into_iter().filter(|(_, files)| *files > FILES_MAX);
    full.map(|(folder, files)| format!("{folder} has {files} files")).collect()
}

#[test]
fn no_file_is_longer_than_400_lines_and_no_test_file_longer_than_500() {
    assert_eq!(long_files(&files("src"), LINES_MAX), [""; 0]);
    assert_eq!(long_files(&files("tests/it"), TEST_LINES_MAX), [""; 0]);
}

#[test]
fn no_folder_has_more_than_15_files() {
    let of = |folder| full_folders(&files(folder));
    assert_eq!([of("src"), of("tests/it")].concat(), [""; 0]);
}

#[test]
fn the_size_checks_find_long_files_and_full_folders() {
    let lines = |lines| [("src/a.rs".to_owned(), "\n".repeat(lines))];
    assert_eq!(long_files(&lines(400), 400), [""; 0]);
    assert_eq!(long_files(&lines(401), 400), ["src/a.rs has 401 lines"]);

    let mut files: Vec<_> = (1..=15).map(|n| (format!("src/m/{n}.rs"), String::new())).collect();
    files.push(("src/m/inner/mod.rs".to_owned(), String::new()));
    assert_eq!(full_folders(&files), [""; 0]);
    files.push(("src/m/16.rs".to_owned(), String::new()));
    assert_eq!(full_folders(&files), ["src/m has 16 files"]);
}
