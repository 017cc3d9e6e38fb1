//! Bundles that the program makes.

use std::fs;

use serde_json::Value;

use crate::support::seals::{app_with_key, note, public_key, receive};
use crate::support::{App, OTHER_ACCOUNT, delivered, failed, sent, sid, status};

/// Makes a bundle with these arguments, and checks it with the ledger's key.
pub fn checked(app: &App, arguments: &[&str]) -> Value {
    let made = app.run(&[&["evidence"], arguments, &["--output", "bundle"]].concat());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let key = public_key(app);
    let checked = app.run(&["evidence", "check", "bundle", "--key", &key, "--format", "json"]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    serde_json::from_slice(&checked.stdout).unwrap()
}

/// The bundle that `checked` made.
pub fn bundle(app: &App) -> Value {
    serde_json::from_slice(&fs::read(app.folder().join("bundle")).unwrap()).unwrap()
}

/// The positions of a bundle's events.
pub fn positions(bundle: &Value) -> Vec<u64> {
    let events = bundle["events"].as_array().unwrap().iter();
    events.map(|event| event["position"].as_u64().unwrap()).collect()
}

#[test]
fn a_bundle_has_every_event_of_a_message_and_its_lifecycle() {
    let app = app_with_key(&[]);
    receive(&app, 0, 300);
    for body in [delivered(&sid(7)), sent(&sid(8)), failed(&sid(7), "30005")] {
        assert_eq!(app.receive(body).code, 200);
    }
    app.caught_up();
    let json = checked(&app, &[&sid(7)]);
    assert_eq!((&json["proven"], &json["size"]), (&true.into(), &303.into()));
    assert_eq!(json["complete"], Value::Null);
    let bundle = bundle(&app);
    assert_eq!(positions(&bundle), [8, 301, 303]);
    let message = app.message(&sid(7));
    for (name, value) in bundle["lifecycle"].as_object().unwrap() {
        assert_eq!(*value, message[name], "{name}");
    }
    assert_eq!(bundle["lifecycle"].as_object().unwrap().len(), 23);
}

#[test]
fn the_api_gives_the_same_bundle_as_the_command() {
    let app = app_with_key(&[]);
    receive(&app, 0, 5);
    checked(&app, &[&sid(3)]);
    let mut made = bundle(&app);
    let answer = app.get(&format!("/v1/messages/{}/evidence", sid(3)));
    assert_eq!(
        answer.header("content-disposition"),
        Some(&*format!("attachment; filename=\"{}.evidence.json\"", sid(3)))
    );
    let mut served = answer.json();
    for bundle in [&mut made, &mut served] {
        bundle["made_at"] = Value::Null;
    }
    assert_eq!(made, served);
    let missing = app.get(&format!("/v1/messages/{}/evidence", sid(99)));
    assert_eq!(missing.code, 404);
    assert_eq!(app.run(&["evidence", &sid(99)]).status.code(), Some(4));
}

#[test]
fn a_bundle_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let app = app_with_key(&[]);
    receive(&app, 0, 1);
    assert!(app.run(&["evidence", &sid(0)]).status.success());
    let file = app.folder().join(format!("{}.evidence.json", sid(0)));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_earlier_position_gives_the_bundle_of_a_seal_before_it() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    note(&app, &["seal"]);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    receive(&app, 3, 6);
    note(&app, &["seal"]);
    assert_eq!(checked(&app, &[&sid(1)])["size"], 7);
    assert_eq!(positions(&bundle(&app)), [2, 4]);
    assert_eq!(checked(&app, &[&sid(1), "--as-of-position", "3"])["size"], 3);
    assert_eq!(bundle(&app)["lifecycle"]["status"], "sent");
    let uncovered = app.run(&["evidence", &sid(1), "--as-of-position", "5"]);
    assert_eq!(uncovered.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&uncovered.stderr).into_owned();
    assert!(stderr.contains("no seal up to position 5 covers the event at position 4"), "{stderr}");
    let beyond = app.run(&["evidence", &sid(1), "--as-of-position", "99"]);
    assert_eq!(beyond.status.code(), Some(1));
}

#[test]
fn events_that_name_a_message_and_report_nothing_are_part_of_its_bundle() {
    let app = app_with_key(&[]);
    receive(&app, 0, 2);
    let other = format!(
        "{{\"MessageSid\":\"{}\",\"AccountSid\":\"{}\",\"note\":1}}",
        sid(1),
        crate::support::ACCOUNT
    );
    assert_eq!(app.receive_json("/message-status", other).code, 200);
    app.caught_up();
    assert_eq!(app.message(&sid(1))["events"], 1, "it changes no message");
    checked(&app, &[&sid(1)]);
    assert_eq!(positions(&bundle(&app)), [2, 3]);
    assert!(app.run(&["export", "tree", "tree"]).status.success());
    let key = public_key(&app);
    let complete = ["evidence", "check", "bundle", "--key", &key, "--entries", "tree"];
    assert_eq!(app.run(&complete).status.code(), Some(0));
}

#[test]
fn one_of_several_messages_with_a_sid_has_to_be_chosen() {
    let app = app_with_key(&[]);
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    assert_eq!(app.receive_of_other_account(delivered(&sid(1))).code, 200);
    app.caught_up();
    assert_eq!(app.run(&["evidence", &sid(1)]).status.code(), Some(2));
    assert_eq!(app.get(&format!("/v1/messages/{}/evidence", sid(1))).code, 409);
    checked(&app, &[&sid(1), "--account-sid", OTHER_ACCOUNT]);
    assert_eq!(bundle(&app)["lifecycle"]["status"], "delivered");
    assert_eq!(positions(&bundle(&app)), [2]);
}

#[test]
fn a_bundle_made_by_the_other_rule_is_checked_by_that_rule() {
    let app = app_with_key(&[("DELIVERY_LEDGER_RULE", "delivery-wins")]);
    for body in [delivered(&sid(1)), failed(&sid(1), "30005")] {
        assert_eq!(app.receive(body).code, 200);
    }
    app.caught_up();
    checked(&app, &[&sid(1)]);
    assert_eq!(bundle(&app)["lifecycle"]["status"], "delivered");
    assert_eq!(bundle(&app)["lifecycle"]["rule"], "delivery-wins");
}

#[test]
fn the_page_shows_what_was_checked_and_escapes_it() {
    let app = app_with_key(&[]);
    let body = status(&sid(1), "delivered").with("To", "<script>alert(1)</script>");
    assert_eq!(app.receive(body).code, 200);
    app.caught_up();
    checked(&app, &[&sid(1)]);
    let key = public_key(&app);
    let arguments = ["evidence", "check", "bundle", "--key", &key, "--page", "page.html"];
    assert_eq!(app.run(&arguments).status.code(), Some(0));
    let page = fs::read_to_string(app.folder().join("page.html")).unwrap();
    assert!(page.contains("Proven: the events below"), "{page}");
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;"), "{page}");
    assert!(page.contains("What this does not prove"));

    let text = fs::read_to_string(app.folder().join("bundle")).unwrap();
    fs::write(app.folder().join("bundle"), text.replace("delivered", "undelivered")).unwrap();
    assert_eq!(app.run(&arguments).status.code(), Some(3));
    let page = fs::read_to_string(app.folder().join("page.html")).unwrap();
    assert!(page.contains("Not proven"), "{page}");
}

#[test]
fn a_check_needs_a_key_and_neither_ledger_nor_configuration() {
    let app = app_with_key(&[]);
    receive(&app, 0, 1);
    checked(&app, &[&sid(0)]);
    let key = public_key(&app);
    let folder = tempfile::TempDir::new().unwrap();
    fs::copy(app.folder().join("bundle"), folder.path().join("bundle")).unwrap();
    fs::write(folder.path().join("delivery-ledger.toml"), "this is no configuration").unwrap();
    let check = |arguments: &[&str]| {
        let arguments = [&["evidence", "check", "bundle"], arguments].concat();
        crate::support::Command::new(folder.path(), &arguments).output().status.code()
    };
    assert_eq!(check(&["--key", &key]), Some(0));
    assert_eq!(check(&[]), Some(2));
    assert_eq!(check(&["--key", "nonsense"]), Some(2));
    let private = fs::read_to_string(app.folder().join("seal-key")).unwrap();
    let mistaken = ["evidence", "check", "bundle", "--key", &key, "--witness", private.trim()];
    let stderr = app.run(&mistaken).stderr;
    assert!(String::from_utf8_lossy(&stderr).contains("`PRIVATE+…`"), "the key is not shown");
    fs::remove_file(folder.path().join("bundle")).unwrap();
    assert_eq!(check(&["--key", &key]), Some(1));
    fs::write(folder.path().join("bundle"), "{").unwrap();
    assert_eq!(check(&["--key", &key]), Some(3));
}

#[test]
fn a_seal_that_was_kept_elsewhere_has_to_fit() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    let first = note(&app, &["seal"]).to_string();
    fs::write(app.folder().join("kept"), &first).unwrap();
    receive(&app, 3, 9);
    checked(&app, &[&sid(8)]);
    fs::write(app.folder().join("proof"), app.run(&["seal", "consistency", "3", "9"]).stdout)
        .unwrap();
    let key = public_key(&app);
    let check = |arguments: &[&str]| {
        let usual = ["evidence", "check", "bundle", "--key", &key, "--format", "json"];
        let output = app.run(&[&usual[..], arguments].concat());
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), json["findings"][0]["finding"].clone())
    };
    let proof = ["--seal", "kept", "--consistency", "proof"];
    assert_eq!(check(&proof), (Some(0), Value::Null));
    assert_eq!(check(&["--seal", "kept"]), (Some(3), "other-seal".into()));
    fs::write(app.folder().join("proof"), app.run(&["seal", "consistency", "3", "3"]).stdout)
        .unwrap();
    assert_eq!(check(&proof), (Some(3), "other-seal".into()));
}
