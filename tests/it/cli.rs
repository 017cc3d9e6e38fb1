//! The commands as somebody at a terminal, or a script, meets them.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, Source};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::events::{event, one_a_second, resource, with_header, with_query, with_token};
use crate::support::ledger::Ledger;
use crate::support::{
    ACCOUNT, App, MessageBody, OTHER_ACCOUNT, TOKEN, delivered, failed, sent, sid, status,
};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs a command that must succeed, and returns what it wrote to stdout.
fn says(ledger: &Ledger, arguments: &[&str]) -> String {
    let output = ledger.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

fn json_of(ledger: &Ledger, arguments: &[&str]) -> Value {
    serde_json::from_str(&says(ledger, arguments)).unwrap()
}

fn lines_of(ledger: &Ledger, arguments: &[&str]) -> Vec<Value> {
    says(ledger, arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A message that was delivered, said to have been sent, told of twice, and then to have failed.
fn eventful() -> Ledger {
    Ledger::of(&one_a_second([
        event(delivered(&sid(1))),
        event(sent(&sid(1))),
        event(sent(&sid(2))),
        event(delivered(&sid(1))),
        event(failed(&sid(1), "30003").with("SmsStatus", "sent")),
        event(status(&sid(1), "tunnelled")),
    ]))
}

#[test]
fn audit_tells_a_person_where_the_message_stands_and_why() {
    assert_eq!(
        says(&eventful(), &["audit", &sid(1)]),
        "\
message  SM00000000000000000000000000000001  failed (terminal, in conflict)
account  AC0123456789abcdef0123456789abcdef
from     +15017250604  to  +15558675310
channel  sms
service  -
error    30003 Unreachable destination handset
receipt  2511160837 (carrier time, zone unknown)
events   5: 1 late, 1 doubled, 1 unrecognised
as of    position 6, rule failure-terminal

It is failed because the strongest failure heard decides, whatever else was heard (position 5).
There is evidence of success and of failure: delivered, failed.

position  received at (UTC)            after  source    status     effect        what it did
       1  2026-01-02T03:04:05.000000Z   0 ms  callback  delivered  advanced      first heard of; delivered
       2  2026-01-02T03:04:06.000000Z  1.0 s  callback  sent       late          ranks below what was heard; stays delivered
       4  2026-01-02T03:04:08.000000Z  3.0 s  callback  delivered  duplicate     the same as position 1; stays delivered
       5  2026-01-02T03:04:09.000000Z  4.0 s  callback  failed     conflict      contradicts what was heard; delivered -> failed; error 30003; MessageStatus and SmsStatus differ
       6  2026-01-02T03:04:10.000000Z  5.0 s  callback  tunnelled  unrecognised  no known status; stays failed
"
    );
}

#[test]
fn audit_gives_a_program_the_documented_object() {
    let ledger = Ledger::of(&one_a_second([
        event(sent(&sid(1))),
        resource(
            Source::Reconcile,
            json!({ "sid": sid(1), "account_sid": ACCOUNT, "status": "delivered", "to": "+1" }),
        ),
        event(sent(&sid(1))),
    ]));
    let mut message = json_of(&ledger, &["audit", &sid(1), "--format", "json"]);
    for entry in message["timeline"].as_array_mut().unwrap() {
        let id = entry["event_id"].take();
        assert!(uuid::Uuid::parse_str(id.as_str().unwrap()).is_ok(), "{id}");
    }
    let sent_body = String::from_utf8(sent(&sid(1)).bytes()).unwrap();
    let expected = json!({
        "message_sid": sid(1), "status": "delivered", "terminal": true, "settled": true,
        "conflict": false, "rule": "failure-terminal",
        "account_sid": ACCOUNT, "messaging_service_sid": null, "from": "+15017250604", "to": "+1",
        "channel": "sms",
        "error_code": null, "error_title": null, "error_codes": [], "raw_dlr_done_date": null,
        "first_received_at": "2026-01-02T03:04:05.000000Z",
        "last_received_at": "2026-01-02T03:04:07.000000Z",
        "status_times": {
            "sent": "2026-01-02T03:04:05.000000Z", "delivered": "2026-01-02T03:04:06.000000Z",
        },
        "events": 3, "duplicates": 1, "late": 0, "unrecognised": 0, "as_of_position": 3,
        "labels": [],
        "timeline": [
            {
                "position": 1, "event_id": null, "received_at": "2026-01-02T03:04:05.000000Z",
                "source": "callback", "status": "sent", "effect": "advanced", "duplicate_of": null,
                "error_code": null, "body": sent_body,
            },
            {
                "position": 2, "event_id": null, "received_at": "2026-01-02T03:04:06.000000Z",
                "source": "reconcile", "status": "delivered", "effect": "advanced",
                "duplicate_of": null, "error_code": null,
                "body": format!(r#"{{"sid":"{}","account_sid":"{ACCOUNT}","status":"delivered","to":"+1"}}"#, sid(1)),
            },
            {
                "position": 3, "event_id": null, "received_at": "2026-01-02T03:04:07.000000Z",
                "source": "callback", "status": "sent", "effect": "duplicate", "duplicate_of": 1,
                "error_code": null, "body": sent_body,
            },
        ],
    });
    // As text, so that the order of the keys counts too.
    assert_eq!(format!("{message:#}"), format!("{expected:#}"));
}

#[test]
fn audit_tells_the_past_as_of_a_position() {
    let ledger = eventful();
    let at = |position: &str| {
        let arguments = ["audit", &sid(1), "--format", "json", "--as-of-position", position];
        let message = json_of(&ledger, &arguments);
        (message["status"].clone(), message["events"].clone(), message["as_of_position"].clone())
    };
    assert_eq!(at("1"), (json!("delivered"), json!(1), json!(1)));
    assert_eq!(at("4"), (json!("delivered"), json!(3), json!(4)));
    assert_eq!(at("5"), (json!("failed"), json!(4), json!(5)));

    // It gave the answer of the head once, which is another one tomorrow.
    let beyond = ledger.run(&["audit", &sid(1), "--as-of-position", "999"]);
    assert_eq!(beyond.status.code(), Some(2));
    assert_eq!(stderr(&beyond), "error: the log ends at position 6, before position 999\n");

    let before = ledger.run(&["audit", &sid(2), "--as-of-position", "2"]);
    assert_eq!(before.status.code(), Some(4), "it was not heard of yet");
}

#[test]
fn audit_asks_which_account_where_several_have_the_sid() {
    let of = |account: &str, word: &str| event(status(&sid(1), word).with("AccountSid", account));
    let without = event(status(&sid(1), "queued").without("AccountSid"));
    let ledger = Ledger::of(&[of(ACCOUNT, "sent"), of(OTHER_ACCOUNT, "delivered"), without]);

    let ambiguous = ledger.run(&["audit", &sid(1)]);
    assert_eq!(ambiguous.status.code(), Some(2));
    assert_eq!(
        stderr(&ambiguous),
        format!(
            "error: several accounts have this message SID; add --account-sid, one of: {ACCOUNT}, {OTHER_ACCOUNT}\n"
        )
    );
    for (account, status) in [(ACCOUNT, "sent"), (OTHER_ACCOUNT, "delivered"), ("", "queued")] {
        let arguments = ["audit", &sid(1), "--account-sid", account, "--format", "json"];
        assert_eq!(json_of(&ledger, &arguments)["status"], status);
    }
    let nobody = ledger.run(&["audit", &sid(1), "--account-sid", "ACnobody"]);
    assert_eq!(nobody.status.code(), Some(4));
}

#[test]
fn audit_of_an_unknown_message_says_so_and_ends_with_4() {
    let output = eventful().run(&["audit", "SMnone"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(stderr(&output), "no event of message SMnone is in the log\n");
    assert!(output.stdout.is_empty());
}

#[test]
fn audit_is_never_behind() {
    let ledger = Ledger::of(&[event(sent(&sid(1)))]);
    ledger.append(&[event(delivered(&sid(1))), event(sent(&sid(2)))]);

    let message = json_of(&ledger, &["audit", &sid(1), "--format", "json"]);

    assert_eq!((&message["status"], &message["as_of_position"]), (&json!("delivered"), &json!(3)));
    assert_eq!(ledger.open().views().checkpoint().unwrap().position, 1, "asking projects nothing");
}

#[test]
fn where_the_tail_is_long_audit_brings_the_views_up_first() {
    let ledger = Ledger::of(&[event(sent(&sid(1)))]);
    let tail = (0..10_050).map(|number| event(format!("n={number}")));
    ledger.append(&tail.chain([event(delivered(&sid(1)))]).collect::<Vec<_>>());

    let message = json_of(&ledger, &["audit", &sid(1), "--format", "json"]);

    assert_eq!(message["status"], "delivered");
    assert_eq!(ledger.open().views().checkpoint().unwrap().position, 10_052);
}

#[test]
fn audit_follows_the_configured_rule_whatever_the_views_were_built_by() {
    let ledger = eventful();
    let arguments = ["audit", &sid(1), "--format", "json"];
    let command = ledger.command(&arguments).env("DELIVERY_LEDGER_RULE", "delivery-wins");
    let message: Value = serde_json::from_slice(&command.output().stdout).unwrap();
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["rule"], "delivery-wins");
    assert_eq!(message["conflict"], true);
}

/// What a terminal could obey: a cleared screen, a title, a bell, a C1 introducer, a turned line.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;t\u{7}\r\n\u{0}\u{9b}31m\u{202e}y\u{7f}";

fn has_nothing_to_obey(text: &str) {
    let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.chars().any(obeyed), "{text:?}");
}

#[test]
fn a_terminal_does_not_obey_a_callback() {
    let hostile = |word: &str| {
        let body = status(HOSTILE, word).with("SmsSid", HOSTILE).with("ErrorCode", HOSTILE);
        let names = ["To", "From", "MessagingServiceSid", "RawDlrDoneDate", "ChannelPrefix"];
        names.into_iter().fold(body, |body: MessageBody, name| body.with(name, HOSTILE))
    };
    let of = |account: &str, word: &str| event(hostile(word).with("AccountSid", account));
    let other = format!("{HOSTILE}2");
    let ledger = Ledger::of(&[
        of(HOSTILE, "failed"),
        of(HOSTILE, "delivered"),
        of(HOSTILE, HOSTILE),
        of(&other, "sent"),
    ]);
    let sid = HOSTILE.replace('\u{0}', "");
    // An argument cannot hold a NUL, so the message with one is asked for by what is left of it.
    let plain = Ledger::of(&[
        event(hostile("failed").with("MessageSid", &sid).with("AccountSid", HOSTILE)),
        event(hostile(HOSTILE).with("MessageSid", &sid).with("AccountSid", HOSTILE)),
    ]);
    let audited = plain.run(&["audit", &sid]);
    assert_eq!(audited.status.code(), Some(0));
    assert!(stdout(&audited).contains(r"x\u{1b}[2J"), "{}", stdout(&audited));

    ledger.views_sql("UPDATE messages SET status = 'scheduled'");
    for output in [
        audited,
        plain.run(&["audit", &format!("{sid}?")]),
        ledger.run(&["verify"]),
        ledger.run(&["replay", "--dry-run", "--rule", "delivery-wins"]),
        Ledger::of(&[
            event(hostile("sent").with("MessageSid", "SM1").with("AccountSid", HOSTILE)),
            event(hostile("sent").with("MessageSid", "SM1").with("AccountSid", &other)),
        ])
        .run(&["audit", "SM1"]),
    ] {
        has_nothing_to_obey(&stdout(&output));
        has_nothing_to_obey(&stderr(&output));
        assert!(format!("{}{}", stdout(&output), stderr(&output)).contains(r"\u{1b}[2J"));
    }
}

#[test]
fn replay_tells_a_person_and_a_program_the_same() {
    let ledger = eventful();
    let digest = ledger.verify(&[]).1["digest"].as_str().unwrap().to_owned();

    let replayed = json_of(&ledger, &["replay", "--format", "json"]);
    let keys: Vec<_> = replayed.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["head", "checkpoint", "events", "events_per_second", "rule", "digest"]);
    assert_eq!(replayed["head"], 6);
    assert_eq!(replayed["checkpoint"], 6);
    assert_eq!(replayed["events"], 6);
    assert!(replayed["events_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(replayed["rule"], "failure-terminal");
    assert_eq!(replayed["digest"], digest);

    let text = says(&ledger, &["replay"]);
    assert!(text.starts_with("events     6 replayed, "), "{text}");
    let rest =
        format!("a second\ncheckpoint 6 of 6\nrule       failure-terminal\ndigest     {digest}\n");
    assert!(text.ends_with(&rest), "{text}");
}

#[test]
fn replay_mends_views_that_differ_from_their_log() {
    let ledger = eventful();
    ledger.views_sql("UPDATE messages SET status = 'read'; DELETE FROM sids");
    assert_eq!(ledger.verify(&[]).0, Some(3));

    says(&ledger, &["replay"]);

    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn replay_builds_by_the_configured_rule() {
    let ledger = eventful();
    let replay = ledger.command(&["replay", "--format", "json"]);
    let output = replay.env("DELIVERY_LEDGER_RULE", "delivery-wins").output();
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(replayed["rule"], "delivery-wins");
    let (code, verified) = ledger.verify(&[]);
    assert_eq!((code, &verified["digest"]), (Some(0), &replayed["digest"]));
    assert_eq!(verified["rule"], "delivery-wins");
}

#[test]
fn a_dry_run_shows_which_messages_would_stand_elsewhere_and_changes_nothing() {
    let ledger = eventful();
    let before = ledger.verify(&[]).1;

    let tried = ["replay", "--dry-run", "--rule", "delivery-wins"];
    let text = says(&ledger, &tried);
    let expected = "
message                             stands at  would stand at
SM00000000000000000000000000000001  failed     delivered

1 messages would stand elsewhere. Nothing was changed.
";
    assert!(text.ends_with(expected), "{text}");

    let json = json_of(&ledger, &[&tried[..], &["--format", "json"]].concat());
    assert_eq!(json["rule"], "delivery-wins");
    assert_eq!(
        json["changes"],
        json!([{ "message_sid": sid(1), "account_sid": ACCOUNT, "from": "failed", "to": "delivered" }])
    );

    let same = json_of(&ledger, &["replay", "--dry-run", "--format", "json"]);
    assert_eq!((&same["changed"], &same["changes"]), (&json!(0), &json!([])));
    assert_eq!(same["digest"], before["digest"]);
    assert_eq!(ledger.verify(&[]).1, before);
}

#[test]
fn a_dry_run_works_beside_a_server() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();

    let tried = app.json(&["replay", "--dry-run", "--format", "json"]);
    assert_eq!(tried["changes"], json!([]));
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

#[test]
fn verify_tells_a_person_what_to_keep_elsewhere() {
    let ledger = eventful();
    let verified = ledger.verify(&[]).1;
    let (hash, digest) = (verified["hash"].as_str().unwrap(), verified["digest"].as_str().unwrap());
    assert_eq!(
        says(&ledger, &["verify"]),
        format!(
            "\
events     6, head 6
hash       {hash}
checkpoint 6
rule       failure-terminal
digest     {digest}

Nothing is wrong. Keep this elsewhere to prove it later:
  verify --expect 6:{hash}
"
        )
    );
}

#[test]
fn verify_tells_a_person_what_is_wrong() {
    let ledger = eventful();
    ledger.log_sql("DROP TRIGGER events_never_change").unwrap();
    ledger.views_sql("UPDATE messages SET status = 'scheduled' WHERE id = 2");
    let output = ledger.run(&["verify"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    let expected = "
guard-missing: trigger events_never_change is missing from the log, or is not what it was made as
projection-differs: message SM00000000000000000000000000000002 is not what the log says of it

2 findings.
";
    assert!(text.ends_with(expected), "{text}");
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
    let ledger = Ledger::of(&one_a_second([odd, usual]));

    let exported = says(&ledger, &["export", "events"]);

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
            "verified_by": null, "notes": { "file": "history.csv" },
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
            "verified_by": "primary", "notes": {},
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
fn a_messages_export_is_the_audits_object_without_its_timeline() {
    let ledger = eventful();
    ledger.append(&[event(delivered(&sid(2)))]);

    let messages = lines_of(&ledger, &["export", "messages"]);

    let audited = [sid(1), sid(2)].map(|sid| {
        let mut message = json_of(&ledger, &["audit", &sid, "--format", "json"]);
        message.as_object_mut().unwrap().shift_remove("timeline").unwrap();
        message
    });
    assert_eq!(messages, audited, "up to the head, and in order of first arrival");
    assert_eq!(messages[1]["as_of_position"], 7);
}

#[test]
fn an_empty_ledger_exports_nothing() {
    let ledger = Ledger::of(&[]);
    assert_eq!(says(&ledger, &["export", "messages"]), "");
    assert_eq!(says(&ledger, &["export", "events"]), "");
}

#[test]
fn an_export_of_more_than_a_page_is_whole() {
    let events: Vec<_> = (0..2_345).map(|number| event(sent(&sid(number)))).collect();
    let ledger = Ledger::of(&one_a_second(events));
    for what in ["events", "messages"] {
        let exported = lines_of(&ledger, &["export", what]);
        let sids: Vec<_> =
            exported.iter().map(|line| line["message_sid"].as_str().unwrap()).collect();
        assert_eq!(sids, (0..2_345).map(sid).collect::<Vec<_>>());
    }
}

#[test]
fn an_export_into_a_file_is_whole_and_for_its_owner_alone() {
    let ledger = eventful();
    for what in ["events", "messages"] {
        let file = ledger.file("export.ndjson");
        std::fs::write(&file, "what was there before").unwrap();
        let to_file = ["export", what, "--output", "export.ndjson"];
        let refused = ledger.run(&to_file);
        assert_eq!(refused.status.code(), Some(1));
        let told = "error: --output: export.ndjson is there already; --overwrite replaces it";
        assert!(stderr(&refused).starts_with(told), "{}", stderr(&refused));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there before");

        let output = ledger.run(&[&to_file[..], &["--overwrite"]].concat());
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), says(&ledger, &["export", what]));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(file).unwrap();
    }
}

/// It was replaced once, whatever it was.
#[test]
fn a_file_that_appears_while_an_export_runs_is_kept() {
    let ledger = Ledger::of(&(0..3_000).map(|n| event(sent(&sid(n)))).collect::<Vec<_>>());
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
                "error: --output: {appears} has appeared meanwhile, and nothing was replaced;"
            )),
            "{}",
            stderr(&output)
        );
        assert_eq!(std::fs::read_to_string(ledger.file(appears)).unwrap(), "somebody else's");
    }
}

/// An export that is written and then thrown away for its manifest's sake has cost its time.
#[test]
fn a_manifest_that_is_there_already_is_told_before_anything_is_written() {
    let ledger = eventful();
    std::fs::create_dir(ledger.file("out")).unwrap();
    std::fs::write(ledger.file("out/manifest.json"), "an old one").unwrap();

    let output = ledger.run(&["export", "messages", "--output", "out", "--manifest"]);

    assert_eq!(output.status.code(), Some(1));
    let told = "error: --output: out/manifest.json is there already; --overwrite replaces it";
    assert!(stderr(&output).starts_with(told), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(ledger.file("out")).unwrap().count(), 1);
}

#[test]
fn an_output_that_is_no_file_is_refused_with_what_to_do() {
    let ledger = eventful();
    std::fs::create_dir(ledger.file("folder")).unwrap();
    for (output, code, told) in [
        ("-", 2, "leave --output out, and the export goes to stdout"),
        ("/dev/stdout", 2, "leave --output out, and the export goes to stdout"),
        ("/dev/null", 2, "leave --output out and redirect stdout: `> /dev/null`"),
        ("folder", 2, "folder is a folder; give a file's name, or --manifest to fill a folder"),
    ] {
        for overwrite in [&[][..], &["--overwrite"]] {
            let arguments = ["export", "events", "--output", output];
            let refused = ledger.run(&[&arguments, overwrite].concat());
            assert_eq!(refused.status.code(), Some(code), "{output}: {}", stderr(&refused));
            assert!(stderr(&refused).contains(told), "{output}: {}", stderr(&refused));
        }
    }
    assert!(!ledger.file("-").exists());
}

#[test]
fn an_export_that_fails_leaves_the_file_as_it_was_and_none_besides() {
    let ledger = Ledger::of(&(0..1_500).map(|n| event(sent(&sid(n)))).collect::<Vec<_>>());
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
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half file");
}

#[test]
fn an_export_into_no_folder_is_refused_by_name() {
    let output = eventful().run(&["export", "events", "--output", "none/export.ndjson"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: --output: cannot write none/export.ndjson: "));
}

#[test]
fn who_has_read_enough_may_close_the_pipe() {
    let events: Vec<_> = (0..2_000).map(|number| event(sent(&sid(number)))).collect();
    let ledger = Ledger::of(&one_a_second(events));
    for what in ["events", "messages"] {
        let mut export = std::process::Command::new(env!("CARGO_BIN_EXE_delivery-ledger"))
            .args(["export", what])
            .current_dir(ledger.log_file().parent().unwrap())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(export.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with('{'));
        drop(lines);
        let output = export.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
    }
}

/// A report as CSV once ended with 1: the library hid the closed pipe inside an error of its own.
#[test]
fn no_command_fails_for_a_pipe_that_is_closed() {
    let ledger =
        Ledger::of(&one_a_second((0..300).map(|number| {
            event(sent(&sid(number)).with("From", &format!("+1501725{number:04}")))
        })));
    std::fs::write(ledger.file("events.ndjson"), stdout(&ledger.run(&["export", "events"])))
        .unwrap();
    let refused: String = (0..300).map(|number| format!("{{\"no event\":{number}}}\n")).collect();
    std::fs::write(ledger.file("refused.ndjson"), refused).unwrap();
    for command in [
        "audit SM00000000000000000000000000000001",
        "audit SM00000000000000000000000000000001 --format json",
        "backup copy.db",
        "completions bash",
        "doctor --quick",
        "doctor --quick --format json",
        "export events",
        "export events --format csv",
        "export events --format parquet",
        "export messages",
        "export messages --format csv",
        "export messages --format parquet",
        "import --dry-run events.ndjson",
        "import --dry-run --report json events.ndjson",
        "import --dry-run --format events --report json refused.ndjson",
        "man",
        "openapi",
        "quarantine list",
        "quarantine list --format json",
        "quarantine recheck --dry-run",
        "quarantine purge --before 2026-01-01",
        "reconcile --dry-run",
        "reconcile --dry-run --format json",
        "replay",
        "replay --dry-run --format json",
        "report --by from",
        "report --by from --format csv",
        "report --by from --format json",
        "tail --after 0 --no-follow",
        "verify",
        "verify --format json",
    ] {
        let (_, closed) = std::io::pipe().unwrap();
        let arguments: Vec<_> = command.split(' ').collect();
        let command_run = ledger.command(&arguments).stdout(closed);
        let command_run = command_run.env("TWILIO_ACCOUNT_SID", ACCOUNT);
        let output = command_run.env("TWILIO_AUTH_TOKEN", TOKEN).output();
        assert_eq!(output.status.code(), Some(0), "{command}: {}", stderr(&output));
        assert!(!stderr(&output).contains("error:"), "{command}: {}", stderr(&output));
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let ledger = eventful();
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &[],
        &["audit"],
        &["audit", ""],
        &["audit", "SM1", "--nonsense"],
        &["audit", "SM1", "--format", "csv"],
        &["audit", "SM1", "--as-of-position", "x"],
        &["audit", "SM1", "--as-of-position", "-1"],
        &["replay", "--rule", "delivery-wins"],
        &["replay", "--dry-run", "--rule", "nonsense"],
        &["verify", "--repair"],
        &["export"],
        &["export", "everything"],
        &["export", "events", "--format", "xml"],
        &["serve", "--token", "secret"],
        &["demo", "--seed", "x"],
    ] {
        let output = ledger.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let ledger = Ledger::new();
    let version = says(&ledger, &["--version"]);
    assert_eq!(version, format!("delivery-ledger {}\n", env!("CARGO_PKG_VERSION")));
    let help = says(&ledger, &["--help"]);
    for command in ["serve", "demo", "audit", "replay", "verify", "export", "check-signature"] {
        assert!(help.contains(command), "{command}");
        assert!(says(&ledger, &[command, "--help"]).contains("Usage:"), "{command}");
    }
}

#[test]
fn a_ledger_that_is_not_there_is_named_and_not_made() {
    let ledger = Ledger::new();
    for arguments in [
        &["audit", "SM1"][..],
        &["verify"],
        &["replay"],
        &["replay", "--dry-run"],
        &["export", "events"],
        &["export", "messages"],
        &["export", "messages", "--output", "export.ndjson"],
    ] {
        let output = ledger.run(&[&["--database", "sqlite:none/ledger.db"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("there is no ledger at none/ledger.db"),
            "{}",
            stderr(&output)
        );
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(ledger.file("")).unwrap().count(), 0, "nothing was made");
}
