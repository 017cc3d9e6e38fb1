//! Evidence of messages that were erased, and of the others beside them.

use std::fs;

use serde_json::Value;

use super::bundles::{bundle, checked, positions};
use crate::support::seals::{app_with_key, note, public_key, receive};
use crate::support::{App, delivered, sid};

fn erase(app: &App, number: u32) {
    let arguments = ["erase", "--request", "DSR-1", "--yes", "--open", "--message", &sid(number)];
    let output = app.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_bundle_of_an_erased_message_proves_that_it_existed_and_was_erased() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    note(&app, &["seal"]);
    erase(&app, 1);
    app.caught_up_to(4);
    let json = checked(&app, &[&sid(1)]);
    assert_eq!(
        (&json["proven"], &json["erased"], &json["size"]),
        (&true.into(), &1.into(), &4.into())
    );
    let text = fs::read_to_string(app.folder().join("bundle")).unwrap();
    assert!(!text.contains("MessageStatus"), "nothing of the callback is left: {text}");
    let bundle = bundle(&app);
    assert_eq!(positions(&bundle), [2]);
    assert_eq!(bundle["events"][0]["erased_by"], 4);
    assert_eq!(bundle["erasures"][0]["position"], 4);
}

#[test]
fn a_callback_that_arrives_after_the_erasure_is_part_of_the_bundle() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    erase(&app, 1);
    app.caught_up_to(4);
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    app.caught_up();
    let json = checked(&app, &[&sid(1)]);
    assert_eq!((&json["proven"], &json["erased"]), (&true.into(), &1.into()));
    assert_eq!(positions(&bundle(&app)), [2, 5]);
}

#[test]
fn an_erasure_changes_no_seal_and_no_bundle_of_another_message() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    note(&app, &["seal"]);
    checked(&app, &[&sid(2)]);
    erase(&app, 1);
    app.caught_up_to(4);
    let key = public_key(&app);
    let check = ["evidence", "check", "bundle", "--key", &key];
    assert_eq!(app.run(&check).status.code(), Some(0));
    assert_eq!(note(&app, &["seal"]).lines()[1], "4");
    let verified = app.run(&["verify", "--format", "json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_report_says_how_many_events_of_its_period_were_erased() {
    let app = app_with_key(&[]);
    receive(&app, 0, 3);
    erase(&app, 1);
    app.caught_up_to(4);
    let erased = |arguments: &[&str]| {
        let output = app.run(&[&["report", "--by", "day", "--format", "json"], arguments].concat());
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (json["total"]["messages"].clone(), json["erased_events"].clone())
    };
    assert_eq!(erased(&[]), (2.into(), 1.into()));
    assert_eq!(erased(&["--since", "2020-01-01", "--until", "2020-02-01"]), (0.into(), 0.into()));
    let table = String::from_utf8(app.run(&["report", "--by", "day"]).stdout).unwrap();
    assert!(table.contains("1 event of this period was erased and is in no figure."), "{table}");
}
