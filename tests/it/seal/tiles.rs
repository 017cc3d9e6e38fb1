//! The tree as tiles, over HTTP and in a folder, against another implementation of them.

use std::fs;
use std::path::Path;

use delivery_ledger::domain::statement::Statement;
use delivery_ledger::domain::tree::{RightEdge, leaf_hash};
use delivery_ledger::seal::note::Note;

use crate::support::seals::{app_with_key, note, receive};
use crate::support::{App, assert_problem, delivered, sid};

/// The entries in a tile, each after two bytes with its length.
fn entries(mut tile: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = tile.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(u16::from_be_bytes(*length).into());
        entries.push(entry.to_vec());
        tile = rest;
    }
    entries
}

fn root(entries: impl IntoIterator<Item = Vec<u8>>) -> [u8; 32] {
    let mut tree = RightEdge::default();
    entries.into_iter().for_each(|entry| tree.push(leaf_hash(&entry), |_, _| {}));
    tree.root()
}

#[test]
fn tiles_have_the_entries_and_hashes_of_the_sealed_tree_and_no_further_ones() {
    let app = app_with_key(&[]);
    receive(&app, 0, 300);
    let seal = note(&app, &["seal"]);
    let statement = Statement::parse(&seal.text).unwrap();
    // These are not sealed yet.
    receive(&app, 300, 310);

    let get = |path: &str| app.get(&format!("/v1/tree/{path}"));
    assert_eq!(String::from_utf8(get("checkpoint").body).unwrap(), seal.to_string());
    let first = entries(&get("tile/entries/000").body);
    let second = entries(&get("tile/entries/001.p/44").body);
    assert_eq!((first.len(), second.len()), (256, 44));
    assert_eq!(root(first.iter().chain(&second).cloned()), statement.root);
    let hashes = get("tile/0/001.p/44").body;
    let expected: Vec<u8> = second.iter().flat_map(|entry| leaf_hash(entry)).collect();
    assert_eq!(hashes, expected);
    assert_eq!(get("tile/1/000.p/1").body, root(first));
    for missing in [
        "tile/0/001",
        "tile/entries/001.p/45",
        "tile/0/002.p/1",
        "tile/1/000.p/2",
        "tile/x",
        "tile/0/0",
    ] {
        assert_problem(&get(missing), 404, "there is no such tile up to the last seal");
    }
}

#[test]
fn an_exported_tree_shows_whether_a_bundle_is_complete() {
    let app = app_with_key(&[]);
    receive(&app, 0, 270);
    assert_eq!(app.receive(delivered(&sid(7))).code, 200);
    app.caught_up();
    assert!(app.run(&["evidence", &sid(7), "--output", "bundle"]).status.success());
    let exported = app.run(&["export", "tree", "tree"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    assert!(app.folder().join("tree/tile/entries/001.p/15").exists());
    let seal = fs::read_to_string(app.folder().join("tree/checkpoint")).unwrap();
    assert_eq!(Statement::parse(&Note::parse(&seal).unwrap().text).unwrap().size, 271);

    let (code, checked) = check(&app, "bundle", "tree");
    assert_eq!((code, &checked["complete"]), (Some(0), &true.into()), "{checked}");
    without_last_event(app.folder());
    let (code, checked) = check(&app, "shorter", "tree");
    assert_eq!((code, &checked["complete"]), (Some(3), &false.into()));
    let findings: Vec<_> = checked["findings"].as_array().unwrap().iter().collect();
    assert!(
        findings.iter().any(|found| found["finding"] == "incomplete" && found["position"] == 271),
        "{checked}"
    );

    let tile = app.folder().join("tree/tile/entries/000");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[100] ^= 1;
    fs::write(&tile, bytes).unwrap();
    let (code, checked) = check(&app, "bundle", "tree");
    assert_eq!((code, &checked["findings"][0]["finding"]), (Some(3), &"bad-entries".into()));
    assert!(
        app.run(&["export", "tree", "tree"]).status.success(),
        "whole tiles are left as they are"
    );
}

#[test]
fn a_tree_is_not_exported_into_the_folder_of_another() {
    let (app, other) = (app_with_key(&[]), app_with_key(&[]));
    for app in [&app, &other] {
        receive(app, 0, 300);
        note(app, &["seal"]);
    }
    assert!(app.run(&["export", "tree", "tree"]).status.success());
    let tree = app.folder().join("tree");
    let tree = tree.to_str().unwrap();
    assert_eq!(other.run(&["export", "tree", tree]).status.code(), Some(1));
    // Not even if an interrupted export has left no seal.
    fs::remove_file(app.folder().join("tree/checkpoint")).unwrap();
    let refused = other.run(&["export", "tree", tree]);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(stderr.contains("is a tile of another tree"), "{stderr}");
    assert!(app.run(&["export", "tree", tree]).status.success());
}

fn check(app: &App, bundle: &str, entries: &str) -> (Option<i32>, serde_json::Value) {
    let key = crate::support::seals::public_key(app);
    let output = app.run(&[
        "evidence",
        "check",
        bundle,
        "--key",
        &key,
        "--entries",
        entries,
        "--format",
        "json",
    ]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn without_last_event(folder: &Path) {
    let mut bundle: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("bundle")).unwrap()).unwrap();
    bundle["events"].as_array_mut().unwrap().pop();
    fs::write(folder.join("shorter"), bundle.to_string()).unwrap();
}

#[test]
fn a_token_that_sees_addresses_masked_gets_no_entries() {
    let mut app = app_with_key(&[]);
    receive(&app, 0, 1);
    note(&app, &["seal"]);
    app.stop();
    app.use_token_with_scope("read:masked");
    app.restart();
    assert_eq!(app.get("/v1/tree/tile/entries/000.p/1").code, 403);
    assert_eq!(app.get(&format!("/v1/messages/{}/evidence", sid(0))).code, 403);
    assert_eq!(app.get("/v1/tree/tile/0/000.p/1").code, 200);
    assert_eq!(app.get("/v1/seals/latest").code, 200);
}
