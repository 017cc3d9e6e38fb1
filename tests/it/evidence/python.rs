//! The checker in Python that docs/EVIDENCE.md prints, over bundles of others and of this program.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::seals::{app_with_key, public_key, receive};
use crate::support::{delivered, sid};

/// How many lines it may have, so that it can be read before it is trusted.
const LINES_MAX: usize = 300;

fn checker() -> &'static str {
    let (_, code) = include_str!("../../../docs/EVIDENCE.md").split_once("```python\n").unwrap();
    code.split_once("\n```").unwrap().0
}

/// The exit code and the findings of the checker.
fn check(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    fs::write(folder.join("check_evidence.py"), checker()).unwrap();
    let mut command = Command::new("python3");
    command.current_dir(folder).args(["-B", "check_evidence.py"]).args(arguments);
    let output = command.output().expect("python3 can run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn it_is_short_enough_to_be_read() {
    assert!(checker().lines().count() <= LINES_MAX, "{} lines", checker().lines().count());
}

#[test]
fn it_gives_every_bundle_the_verdict_that_it_has_to_find() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../data/evidence_vectors.json")).unwrap();
    let folder = TempDir::new().unwrap();
    let tile = vectors["tiles"]["tile/entries/000.p/33"].as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&tile[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..tile.len()).step_by(2).map(byte).collect();
    fs::write(folder.path().join("entries"), bytes).unwrap();
    for bundle in vectors["bundles"].as_array().unwrap() {
        fs::write(folder.path().join("bundle"), bundle["file"].as_str().unwrap()).unwrap();
        let mut arguments = vec!["bundle"];
        for (flag, name) in [("--key", "keys"), ("--witness", "witnesses")] {
            for key in bundle[name].as_array().unwrap() {
                arguments.extend([flag, key.as_str().unwrap()]);
            }
        }
        if bundle["with_entries"] == true {
            arguments.extend(["--entries", "entries"]);
        }
        let (code, printed) = check(folder.path(), &arguments);
        let name = bundle["name"].as_str().unwrap();
        match bundle["finding"].as_str() {
            None => assert_eq!(code, Some(0), "{name}: {printed}"),
            Some(finding) if bundle["python_finds_it"] == true => {
                assert_eq!(code, Some(3), "{name}: {printed}");
                assert!(printed.contains(&format!("{finding}: ")), "{name}: {printed}");
            }
            Some(_) => {}
        }
    }
}

#[test]
fn it_accepts_a_bundle_of_this_program_and_nothing_that_was_changed_in_it() {
    let app = app_with_key(&[]);
    receive(&app, 0, 270);
    assert_eq!(app.receive(delivered(&sid(7))).code, 200);
    app.caught_up();
    assert!(app.run(&["evidence", &sid(7), "--output", "bundle"]).status.success());
    assert!(app.run(&["export", "tree", "tree"]).status.success());
    let key = public_key(&app);
    let usual = ["bundle", "--key", &key, "--entries", "tree"];
    let (code, printed) = check(app.folder(), &usual);
    assert_eq!(code, Some(0), "{printed}");

    let bundle = fs::read_to_string(app.folder().join("bundle")).unwrap();
    let later = bundle.replacen("\"source\": \"callback\"", "\"source\": \"import\"", 1);
    assert_ne!(bundle, later);
    fs::write(app.folder().join("bundle"), later).unwrap();
    let (code, printed) = check(app.folder(), &usual);
    assert_eq!(code, Some(3));
    assert!(printed.contains("bad-proof: "), "{printed}");
}
