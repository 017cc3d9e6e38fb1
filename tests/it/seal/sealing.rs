//! Sealing a ledger: by command, by a server, and never so that two seals contradict each other.

use std::fs;
use std::path::Path;

use delivery_ledger::domain::hash::hex;
use delivery_ledger::domain::statement::Statement;
use delivery_ledger::seal::note::Note;
use serde_json::Value;

use crate::support::seals::{app_with_key, note, public_key, receive};
use crate::support::{App, delivered, sid};

fn statement(note: &Note) -> Statement {
    Statement::parse(&note.text).unwrap()
}

#[test]
fn a_seal_has_the_root_that_verify_shows_and_is_the_same_from_every_process() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    let seal = note(&app, &["seal"]);
    let verified = app.json(&["verify", "--format", "json"]);
    assert_eq!(statement(&seal).size, 3);
    assert_eq!(hex(&statement(&seal).root), verified["hash"].as_str().unwrap());
    assert_eq!(note(&app, &["seal", "new"]), seal, "nothing has come since");
    assert_eq!(note(&app, &["seal", "show"]), seal);
    assert_eq!(note(&app, &["seal", "show", "3"]), seal);
    let served = app.get("/v1/seals/latest");
    assert_eq!(String::from_utf8(served.body).unwrap(), seal.to_string());
}

#[test]
fn without_a_key_nothing_is_sealed_and_it_is_said_what_to_do() {
    let app = App::start();
    receive(&app, 0, 1);
    let refused = app.run(&["seal"]);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr.contains("seal key new FILE"), "{stderr}");
    assert_eq!(app.run(&["evidence", &sid(0)]).status.code(), Some(1));
    assert_eq!(app.get(&format!("/v1/messages/{}/evidence", sid(0))).code, 409);
    assert_eq!(app.get("/v1/seals/latest").code, 404);
    assert!(app.stderr().contains("nothing is sealed, because seal.key_file is not set"));
}

#[test]
fn a_key_is_readable_by_its_owner_alone_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let app = App::start();
    assert!(app.run(&["seal", "key", "new", "key"]).status.success());
    let path = app.folder().join("key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&path).unwrap();
    let again = app.run(&["seal", "key", "new", "key"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_server_seals_at_intervals_if_there_are_new_events_and_when_it_stops() {
    let mut app = app_with_key(&[("DELIVERY_LEDGER_SEAL_EVERY", "1s")]);
    receive(&app, 0, 2);
    app.eventually("the events are sealed", || app.get("/v1/seals/2").code == 200);
    let list = |app: &App| app.get("/v1/seals").json()["data"].as_array().unwrap().len();
    let count = list(&app);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(list(&app), count, "nothing has come since");
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    assert!(metrics.contains("\ndelivery_ledger_seal_size 2\n"), "{metrics}");
    assert!(metrics.contains("\ndelivery_ledger_seal_differs 0\n"), "{metrics}");

    receive(&app, 2, 5);
    app.stop();
    assert_eq!(statement(&note(&app, &["seal", "show"])).size, 5);
}

#[test]
fn every_seal_is_appended_to_the_file_even_if_it_was_out_of_reach() {
    let app = app_with_key(&[]);
    let elsewhere = app.folder().join("elsewhere");
    app.configure(&format!("file = \"{}/seals\"\n", elsewhere.display()));
    receive(&app, 0, 1);
    let failed = app.run(&["seal"]);
    assert_eq!(failed.status.code(), Some(1), "the folder is not there");
    let first = note(&app, &["seal", "show"]);
    fs::create_dir(&elsewhere).unwrap();
    receive(&app, 1, 3);
    let second = note(&app, &["seal"]);
    let file = fs::read_to_string(elsewhere.join("seals")).unwrap();
    assert_eq!(file, format!("{first}{second}"));

    // A machine that stopped in the middle of a write leaves a part of a note.
    fs::write(elsewhere.join("seals"), format!("{first}{}", &second.to_string()[..40])).unwrap();
    let again = note(&app, &["seal"]);
    assert_eq!(again, second);
    let file = fs::read_to_string(elsewhere.join("seals")).unwrap();
    assert!(file.ends_with(&format!("\n{second}")), "{file}");
}

/// Copies the log while no server runs.
fn copy_log(app: &App, name: &str) {
    fs::copy(app.folder().join("ledger.db"), app.folder().join(name)).unwrap();
}

fn findings(app: &App) -> Vec<String> {
    let verified: Value =
        serde_json::from_slice(&app.run(&["verify", "--format", "json"]).stdout).unwrap();
    let findings = verified["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["finding"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_log_that_lost_sealed_events_is_not_sealed_again_but_accepts_callbacks() {
    let mut app = app_with_key(&[]);
    let file = app.folder().join("seals");
    app.configure("file = \"seals\"\n");
    receive(&app, 0, 2);
    app.stop();
    copy_log(&app, "backup.db");
    app.restart();
    receive(&app, 2, 4);
    let lost = note(&app, &["seal"]);
    app.stop();
    remove_ledger(app.folder());
    let restored = app.run(&["restore", "backup.db"]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));

    app.restart();
    app.eventually("the difference is reported", || app.get("/readyz").code == 503);
    let reason = app.get("/readyz").json()["reason"].to_string();
    assert!(reason.contains("seal-differs") && reason.contains("ends at position 2"), "{reason}");
    assert_eq!(findings(&app), ["seal-differs"], "the file has what the restored log lacks");
    receive(&app, 4, 7);
    let refused = app.run(&["seal"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("seal-differs"));
    assert!(fs::read_to_string(&file).unwrap().ends_with(&lost.to_string()), "nothing is added");
    let doctor = app.run(&["doctor", "--format", "json"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("seal-differs"));
    app.stop();

    // Another origin, which needs a key of its own.
    remove_ledger(app.folder());
    let branched = app.run(&["restore", "backup.db", "--branch"]);
    assert!(branched.status.success(), "{}", String::from_utf8_lossy(&branched.stderr));
    let refused = app.run(&["seal"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the key is for seals of"));
    assert!(app.run(&["seal", "key", "new", "branch-key"]).status.success());
    let config = app.folder().join("delivery-ledger.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"seal-key\"", "\"branch-key\"")).unwrap();
    let branch = note(&app, &["seal"]);
    assert_ne!(statement(&branch).origin, statement(&lost).origin);
    assert_eq!(statement(&branch).size, 2);
    assert_eq!(findings(&app), [""; 0]);
}

/// Removes the files of a ledger, and no other.
pub fn remove_ledger(folder: &Path) {
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("ledger.") {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_log_with_another_root_than_was_sealed_is_a_finding() {
    let mut app = app_with_key(&[]);
    receive(&app, 0, 3);
    note(&app, &["seal"]);
    app.stop();
    assert_eq!(findings(&app), [""; 0]);
    let log = rusqlite::Connection::open(app.folder().join("ledger.db")).unwrap();
    let guard: String = log
        .query_row("SELECT sql FROM sqlite_master WHERE name = 'events_never_change'", [], |row| {
            row.get(0)
        })
        .unwrap();
    log.execute_batch("DROP TRIGGER events_never_change").unwrap();
    log.execute("UPDATE events SET received_at = received_at + 1 WHERE position = 2", []).unwrap();
    log.execute_batch(&guard).unwrap();
    drop(log);
    let found = findings(&app);
    assert!(found.contains(&"seal-differs".to_owned()), "{found:?}");
    // Who rebuilds the views hides it from the tree, but not from the seal.
    assert!(app.run(&["replay"]).status.success());
    assert_eq!(findings(&app), ["seal-differs"]);
    assert_eq!(app.run(&["seal"]).status.code(), Some(1));
}

#[test]
fn seals_are_part_of_a_backup_and_of_a_copy() {
    let mut app = app_with_key(&[]);
    receive(&app, 0, 3);
    let seal = note(&app, &["seal"]);
    assert!(app.run(&["backup", "backup.db"]).status.success());
    app.stop();
    let of_backup = note(&app, &["--database", "sqlite:backup.db", "seal", "show"]);
    assert_eq!(of_backup, seal);
    let copy = ["copy", "--from", "sqlite:ledger.db", "--to", "sqlite:copy.db"];
    assert!(app.run(&copy).status.success());
    assert!(app.run(&copy).status.success(), "a second copy adds nothing");
    assert_eq!(note(&app, &["--database", "sqlite:copy.db", "seal", "show"]), seal);
    let list = app.json(&["--database", "sqlite:copy.db", "seal", "list", "--format", "json"]);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

#[test]
fn one_seal_follows_another_which_anybody_can_check() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    let first = note(&app, &["seal"]);
    receive(&app, 3, 300);
    let second = note(&app, &["seal"]);
    let folder = app.folder();
    fs::write(folder.join("first"), first.to_string()).unwrap();
    fs::write(folder.join("second"), second.to_string()).unwrap();
    let proof = app.run(&["seal", "consistency", "3", "300"]).stdout;
    fs::write(folder.join("proof"), &proof).unwrap();
    let key = public_key(&app);
    let check = |files: [&str; 2]| {
        let [from, to] = files;
        app.run(&["seal", "check", from, to, "--consistency", "proof", "--key", &key]).status.code()
    };
    assert_eq!(check(["first", "second"]), Some(0));
    assert_eq!(check(["first", "first"]), Some(3));
    let served = app.get("/v1/seals/300/consistency?from=3").json();
    assert_eq!(served, serde_json::from_slice::<Value>(&proof).unwrap());
    assert_eq!(served["from_root"], served_root(&first));
    assert_eq!(app.get("/v1/seals/300/consistency?from=4").code, 404);
    assert_eq!(app.get("/v1/seals/3/consistency?from=300").code, 400);

    let since = app.json(&["verify", "--since", "first", "--format", "json"]);
    assert_eq!(
        (&since["consistency"]["from"], &since["consistency"]["to"]),
        (&3.into(), &300.into())
    );
    let forged = first.to_string().replacen("\n3\n", "\n4\n", 1);
    fs::write(folder.join("forged"), forged).unwrap();
    assert_eq!(app.run(&["verify", "--since", "forged"]).status.code(), Some(3));
}

fn served_root(seal: &Note) -> Value {
    seal.lines()[2].into()
}

/// Changes the key of a ledger, and its configuration, and returns the new public key.
fn change_key(app: &App, from: &str, to: &str) -> String {
    note(app, &["seal", "key", "change", to]);
    let config = app.folder().join("delivery-ledger.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&format!("\"{from}\""), &format!("\"{to}\""))).unwrap();
    public_key(app)
}

#[test]
fn after_several_changes_each_of_the_keys_is_enough_to_check_a_bundle() {
    let app = app_with_key(&[]);
    receive(&app, 0, 2);
    let first = public_key(&app);
    let second = change_key(&app, "seal-key", "second-key");
    let third = change_key(&app, "second-key", "third-key");
    assert!(app.run(&["evidence", &sid(1), "--output", "bundle"]).status.success());
    let code = |key: &str| app.run(&["evidence", "check", "bundle", "--key", key]).status.code();
    assert_eq!([&first, &second, &third].map(|key| code(key)), [Some(0); 3]);

    // A change that only the new key has signed proves nothing, even to those who trust the new key.
    let path = app.folder().join("bundle");
    let mut bundle: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut change = Note::parse(bundle["key_changes"][1].as_str().unwrap()).unwrap();
    change.signatures.remove(0);
    bundle["key_changes"][1] = change.to_string().into();
    fs::write(&path, bundle.to_string()).unwrap();
    assert_eq!(code(&third), Some(3));
}

#[test]
fn after_a_change_the_new_key_seals_and_the_old_one_vouches_for_it() {
    let app = app_with_key(&[]);
    receive(&app, 0, 2);
    let before = note(&app, &["seal"]);
    let old = public_key(&app);
    let change = note(&app, &["seal", "key", "change", "next-key"]);
    let config = app.folder().join("delivery-ledger.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"seal-key\"", "\"next-key\"")).unwrap();
    let new = public_key(&app);
    assert_ne!(old, new);
    assert_eq!(change.lines()[2], new);
    let after = note(&app, &["seal"]);
    assert_eq!(statement(&after), statement(&before), "nothing has come since");
    assert_ne!(after.signatures, before.signatures);

    // A running server reads the key again.
    assert_eq!(app.receive(delivered(&sid(9))).code, 200);
    let bundle = app.get(&format!("/v1/messages/{}/evidence", sid(9)));
    assert_eq!(bundle.code, 200, "{}", String::from_utf8_lossy(&bundle.body));
    fs::write(app.folder().join("bundle"), &bundle.body).unwrap();
    for key in [&old, &new] {
        let checked = app.run(&["evidence", "check", "bundle", "--key", key]);
        assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    }
    let since = app.folder().join("before");
    fs::write(&since, before.to_string()).unwrap();
    assert_eq!(app.run(&["verify", "--since", "before"]).status.code(), Some(0));
}
