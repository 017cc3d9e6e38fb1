//! The `export` command.

use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::hash::hex;
use delivery_ledger::domain::{NewEvent, Source};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{eventful, json_of, run, stderr};
use crate::support::events::{event, one_a_second, with_header, with_query, with_token};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, delivered, sent, sid};

fn lines_of(ledger: &Ledger, arguments: &[&str]) -> Vec<Value> {
    run(ledger, arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_events_export_has_every_field_and_every_byte() {
    let odd = NewEvent {
        source: Source::Import,
        method: "PUT".to_owned(),
        headers: Headers::new([
            ("x-twilio-b".to_owned(), b"2".to_vec()),
            ("X-Twilio-A".to_owned(), vec![0xff, 0xfe]),
            ("x-twilio-a".to_owned(), b"1".to_vec()),
        ]),
        body: b"MessageSid=SM1&Body=\xff\x00".to_vec(),
        verified_by: None,
        notes: [("file".to_owned(), "history.csv".to_owned())].into(),
        ..with_query(event(""), "a=%2F//&a=1")
    };
    let usual = with_token(with_header(event(sent(&sid(1))), "x-twilio-signature", "AAAA="), "t1");
    let ids = [odd.event_id, usual.event_id].map(|id| id.to_string());
    let salts = [odd.salt, usual.salt].map(|salt| hex(salt.as_bytes()));
    let ledger = Ledger::with_events(&one_a_second([odd, usual]));

    let exported = run(&ledger, &["export", "events"]);

    let expected = [
        json!({
            "position": 1, "event_id": ids[0], "received_at": "2026-01-02T03:04:05.000000Z",
            "source": "import", "method": "PUT",
            "url": "https://hooks.example.com/message-status?a=%2F//&a=1",
            "headers": [
                ["x-twilio-a", { "base64": STANDARD.encode([0xff, 0xfe]) }],
                ["x-twilio-a", "1"],
                ["x-twilio-b", "2"],
            ],
            "body_base64": STANDARD.encode(b"MessageSid=SM1&Body=\xff\x00"),
            "account_sid": null, "message_sid": "SM1", // no content type means a form
            "verified_by": null, "notes": { "file": "history.csv" }, "salt": salts[0],
            "status": null, "error_code": null, "from": null, "to": null, "tags": {}, "occurred_at": null,
        }),
        json!({
            "position": 2, "event_id": ids[1], "received_at": "2026-01-02T03:04:06.000000Z",
            "source": "callback", "method": "POST",
            "url": "https://hooks.example.com/message-status",
            "headers": [
                ["content-type", "application/x-www-form-urlencoded; charset=UTF-8"],
                ["i-twilio-idempotency-token", "t1"],
                ["user-agent", "TwilioProxy/1.1"],
                ["x-home-region", "us1"],
                ["x-twilio-signature", "AAAA="],
            ],
            "body": String::from_utf8(sent(&sid(1)).bytes()).unwrap(),
            "account_sid": ACCOUNT, "message_sid": sid(1),
            "verified_by": "primary", "notes": {}, "salt": salts[1],
            "status": "sent", "error_code": null, "from": "+15017250604", "to": "+15558675310",
            "tags": {}, "occurred_at": null,
        }),
    ];
    let mut lines = exported.lines();
    for expected in expected {
        let line: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(format!("{line:#}"), format!("{expected:#}"));
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn a_messages_export_equals_the_audit_without_the_timeline() {
    let ledger = eventful();
    ledger.append(&[event(delivered(&sid(2)))]);

    let messages = lines_of(&ledger, &["export", "messages"]);

    let audited = [sid(1), sid(2)].map(|sid| {
        let mut message = json_of(&ledger, &["audit", &sid, "--format", "json"]);
        let explanation = ["why", "error_message", "channel_status_message"];
        for only_of_one in explanation.into_iter().chain(["links", "timeline"]) {
            message.as_object_mut().unwrap().shift_remove(only_of_one).unwrap();
        }
        message
    });
    assert_eq!(messages, audited, "up to the head, and in order of first arrival");
    assert_eq!(messages[1]["as_of_position"], 7);
}

#[test]
fn an_empty_ledger_exports_nothing() {
    let ledger = Ledger::with_events(&[]);
    assert_eq!(run(&ledger, &["export", "messages"]), "");
    assert_eq!(run(&ledger, &["export", "events"]), "");
}

#[test]
fn an_export_of_more_than_one_page_is_complete() {
    let events: Vec<_> = (0..2_345).map(|number| event(sent(&sid(number)))).collect();
    let ledger = Ledger::with_events(&one_a_second(events));
    for what in ["events", "messages"] {
        let exported = lines_of(&ledger, &["export", what]);
        let sids: Vec<_> =
            exported.iter().map(|line| line["message_sid"].as_str().unwrap()).collect();
        assert_eq!(sids, (0..2_345).map(sid).collect::<Vec<_>>());
    }
}

#[test]
fn an_export_file_is_complete_and_only_its_owner_can_read_it() {
    let ledger = eventful();
    for what in ["events", "messages"] {
        let file = ledger.file("export.ndjson");
        std::fs::write(&file, "what was there before").unwrap();
        let to_file = ["export", what, "--output", "export.ndjson"];
        let refused = ledger.run(&to_file);
        assert_eq!(refused.status.code(), Some(1));
        let expected = "error: --output: export.ndjson already exists; --overwrite replaces it";
        assert!(stderr(&refused).starts_with(expected), "{}", stderr(&refused));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there before");

        let output = ledger.run(&[&to_file[..], &["--overwrite"]].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), run(&ledger, &["export", what]));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(file).unwrap();
    }
}

/// Regression: the file was replaced.
#[test]
fn an_export_does_not_replace_a_file_created_meanwhile() {
    let ledger = Ledger::with_events(&(0..3_000).map(|n| event(sent(&sid(n)))).collect::<Vec<_>>());
    for (arguments, appears) in [
        (&["--output", "out/export.csv"][..], "out/export.csv"),
        (&["--output", "out", "--manifest"], "out/messages.csv"),
        (&["--output", "out", "--manifest"], "out/manifest.json"),
    ] {
        let folder = ledger.file("out");
        let _none = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let arguments = [&["export", "messages", "--format", "csv"][..], arguments].concat();
        let export = ledger.command(&arguments).spawn();
        let begun = if appears == "out/export.csv" { 1 } else { 2 };
        while std::fs::read_dir(&folder).unwrap().count() < begun {
            std::thread::yield_now();
        }
        std::fs::write(ledger.file(appears), "somebody else's").unwrap();

        let output = export.wait_with_output().unwrap();

        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).starts_with(&format!(
                "error: --output: {appears} was created by another process meanwhile and was not replaced;"
            )),
            "{}",
            stderr(&output)
        );
        assert_eq!(std::fs::read_to_string(ledger.file(appears)).unwrap(), "somebody else's");
    }
}

/// A long export should not fail at its end because of its manifest.
#[test]
fn an_existing_manifest_is_reported_before_anything_is_written() {
    let ledger = eventful();
    std::fs::create_dir(ledger.file("out")).unwrap();
    std::fs::write(ledger.file("out/manifest.json"), "an old one").unwrap();

    let output = ledger.run(&["export", "messages", "--output", "out", "--manifest"]);

    assert_eq!(output.status.code(), Some(1));
    let expected = "error: --output: out/manifest.json already exists; --overwrite replaces it";
    assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(ledger.file("out")).unwrap().count(), 1);
}

#[test]
fn an_output_that_is_not_a_regular_file_is_refused() {
    let ledger = eventful();
    std::fs::create_dir(ledger.file("folder")).unwrap();
    for (output, code, expected) in [
        ("-", 2, "omit --output to write to stdout"),
        ("/dev/stdout", 2, "omit --output to write to stdout"),
        ("/dev/null", 2, "omit --output and redirect stdout instead: `> /dev/null`"),
        ("folder", 2, "folder is a folder; give a file's name, or --manifest to fill a folder"),
    ] {
        for overwrite in [&[][..], &["--overwrite"]] {
            let arguments = ["export", "events", "--output", output];
            let refused = ledger.run(&[&arguments, overwrite].concat());
            assert_eq!(refused.status.code(), Some(code), "{output}: {}", stderr(&refused));
            assert!(stderr(&refused).contains(expected), "{output}: {}", stderr(&refused));
        }
    }
    assert!(!ledger.file("-").exists());
}

#[test]
fn a_failed_export_leaves_the_existing_file_unchanged() {
    let ledger = Ledger::with_events(&(0..1_500).map(|n| event(sent(&sid(n)))).collect::<Vec<_>>());
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET envelope = 99 WHERE position = 1400", []).unwrap();
    });
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("export.ndjson");
    std::fs::write(&file, "what was there before").unwrap();

    let to_file = ["export", "events", "--overwrite", "--output", file.to_str().unwrap()];
    let output = ledger.run(&to_file);

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("event 1400 cannot be read"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file");
}

#[test]
fn an_export_into_a_missing_folder_is_refused() {
    let output = eventful().run(&["export", "events", "--output", "none/export.ndjson"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: --output: cannot write none/export.ndjson: "));
}
