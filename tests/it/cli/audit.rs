//! The `audit` command.

use delivery_ledger::domain::Source;
use delivery_ledger::projection::message_query::TAIL_EVENTS_MAX;
use serde_json::{Value, json};

use super::{eventful, json_of, run, stderr, stdout};
use crate::support::events::{event, one_a_second, resource, with_query};
use crate::support::ledger::Ledger;
use crate::support::whole_story::{LINK, whole_story};
use crate::support::{ACCOUNT, MessageBody, OTHER_ACCOUNT, delivered, sent, sid, status};

const URL: &str = "https://hooks.example.com/message-status";

#[test]
fn audit_shows_the_status_and_how_it_was_decided() {
    assert_eq!(
        run(&eventful(), &["audit", &sid(1)]),
        "\
message  SM00000000000000000000000000000001  failed (terminal, in conflict)
account  AC0123456789abcdef0123456789abcdef
from     +15017250604  to  +15558675310
channel  sms
service  -
error    30003 Unreachable destination handset
receipt  2511160837 (carrier time, zone unknown)
events   5: 1 late, 1 duplicate, 1 unrecognised
as of    position 6, rule failure-terminal

It is failed because under this rule a reported failure outranks every other status (position 5).
There is evidence of success and of failure: delivered, failed.

position  received at (UTC)            after  source    status     effect        details
       1  2026-01-02T03:04:05.000000Z   0 ms  callback  delivered  advanced      first event; delivered
       2  2026-01-02T03:04:06.000000Z  1.0 s  callback  sent       late          ranks below the status already reported; stays delivered
       4  2026-01-02T03:04:08.000000Z  3.0 s  callback  delivered  duplicate     the same as position 1; stays delivered
       5  2026-01-02T03:04:09.000000Z  4.0 s  callback  failed     conflict      contradicts a status already reported; delivered -> failed; error 30003; MessageStatus and SmsStatus differ
       6  2026-01-02T03:04:10.000000Z  5.0 s  callback  tunnelled  unrecognised  no known status; stays failed
"
    );
}

#[test]
fn audit_prints_the_documented_json() {
    let ledger = Ledger::with_events(&one_a_second([
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
        "labels": [], "tags": {}, "tags_dropped": false,
        "country": null, "time_to_sent_ms": null, "sent_to_delivered_ms": 1000,
        "occurred_times": {}, "occurred_at": null, "segments": null, "price": null, "currency": null,
        "mcc": null, "mnc": null, "carrier": null, "clicks": 0, "first_clicked_at": null,
        "previews": 0, "feedback": null,
        "why": "It is delivered because no reported status ranks higher; the order of arrival does not matter (position 2).",
        "error_message": null, "channel_status_message": null,
        "links": {
            "self": format!("/v1/messages/{}?account_sid={ACCOUNT}", sid(1)),
            "events": format!("/v1/events?account_sid={ACCOUNT}&message_sid={}", sid(1)),
        },
        "timeline": [
            {
                "position": 1, "event_id": null, "received_at": "2026-01-02T03:04:05.000000Z", "occurred_at": null,
                "source": "callback", "status": "sent", "effect": "advanced", "duplicate_of": null,
                "error_code": null, "error_message": null, "channel_status_message": null,
                "explanation": "first event; sent",
                "url": URL, "verified_by": "primary", "body": sent_body,
                "links": { "event": "/v1/events/1", "body": "/v1/events/1/body" },
            },
            {
                "position": 2, "event_id": null, "received_at": "2026-01-02T03:04:06.000000Z", "occurred_at": null,
                "source": "reconcile", "status": "delivered", "effect": "advanced",
                "duplicate_of": null, "error_code": null,
                "error_message": null, "channel_status_message": null,
                "explanation": "sent -> delivered", "url": URL, "verified_by": "primary",
                "body": format!(r#"{{"sid":"{}","account_sid":"{ACCOUNT}","status":"delivered","to":"+1"}}"#, sid(1)),
                "links": { "event": "/v1/events/2", "body": "/v1/events/2/body" },
            },
            {
                "position": 3, "event_id": null, "received_at": "2026-01-02T03:04:07.000000Z", "occurred_at": null,
                "source": "callback", "status": "sent", "effect": "duplicate", "duplicate_of": 1,
                "error_code": null, "error_message": null, "channel_status_message": null,
                "explanation": "the same as position 1; stays delivered",
                "url": URL, "verified_by": "primary", "body": sent_body,
                "links": { "event": "/v1/events/3", "body": "/v1/events/3/body" },
            },
        ],
    });
    // Compared as text, because the order of the keys matters.
    assert_eq!(format!("{message:#}"), format!("{expected:#}"));
}

#[test]
fn audit_shows_the_texts_of_twilio_and_of_the_channel_below_the_error() {
    let body = status(&sid(1), "failed")
        .with("ErrorCode", "63016")
        .with("ErrorMessage", "Outside the \u{1b}[31mwindow")
        .with("ChannelStatusMessage", "Re-engagement message");
    let record = json!({
        "sid": sid(2), "account_sid": ACCOUNT, "status": "undelivered", "error_code": 30005,
        "error_message": "Unknown destination handset",
    });
    let failed_query = with_query(event(body), "order=17");
    let ledger = Ledger::with_events(&[failed_query, resource(Source::Reconcile, record)]);
    let shown = run(&ledger, &["audit", &sid(1)]);
    let expected = "please use a Message Template.
         ErrorMessage: Outside the \\u{1b}[31mwindow
         ChannelStatusMessage: Re-engagement message
";
    assert!(shown.contains(expected), "{shown}");

    let message = json_of(&ledger, &["audit", &sid(1), "--format", "json"]);
    for texts in [&message, &message["timeline"][0]] {
        assert_eq!(texts["error_message"], "Outside the \u{1b}[31mwindow");
        assert_eq!(texts["channel_status_message"], "Re-engagement message");
    }
    assert_eq!(message["timeline"][0]["url"], format!("{URL}?order=17"));
    let of_record = json_of(&ledger, &["audit", &sid(2), "--format", "json"]);
    assert_eq!(of_record["error_message"], "Unknown destination handset");
}

#[test]
fn audit_shows_a_message_as_of_a_position() {
    let ledger = eventful();
    let at = |position: &str| {
        let arguments = ["audit", &sid(1), "--format", "json", "--as-of-position", position];
        let message = json_of(&ledger, &arguments);
        (message["status"].clone(), message["events"].clone(), message["as_of_position"].clone())
    };
    assert_eq!(at("1"), (json!("delivered"), json!(1), json!(1)));
    assert_eq!(at("4"), (json!("delivered"), json!(3), json!(4)));
    assert_eq!(at("5"), (json!("failed"), json!(4), json!(5)));

    // Regression: a position beyond the head showed the message as of the head.
    let beyond = ledger.run(&["audit", &sid(1), "--as-of-position", "999"]);
    assert_eq!(beyond.status.code(), Some(2));
    assert_eq!(stderr(&beyond), "error: the log ends at position 6, before position 999\n");

    let before = ledger.run(&["audit", &sid(2), "--as-of-position", "2"]);
    assert_eq!(before.status.code(), Some(4), "the message had no event yet");
}

#[test]
fn audit_needs_an_account_if_several_have_the_sid() {
    let of = |account: &str, word: &str| event(status(&sid(1), word).with("AccountSid", account));
    let without = event(status(&sid(1), "queued").without("AccountSid"));
    let ledger =
        Ledger::with_events(&[of(ACCOUNT, "sent"), of(OTHER_ACCOUNT, "delivered"), without]);

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
fn audit_of_an_unknown_message_exits_with_4() {
    let output = eventful().run(&["audit", "SMnone"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(stderr(&output), "no event of message SMnone is in the log\n");
    assert!(output.stdout.is_empty());
}

#[test]
fn audit_includes_events_that_are_not_projected() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
    ledger.append(&[event(delivered(&sid(1))), event(sent(&sid(2)))]);

    let message = json_of(&ledger, &["audit", &sid(1), "--format", "json"]);

    assert_eq!((&message["status"], &message["as_of_position"]), (&json!("delivered"), &json!(3)));
    assert_eq!(ledger.open().views().checkpoint().unwrap().position, 1, "audit projects nothing");
}

#[test]
fn audit_catches_up_first_if_the_views_are_far_behind() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
    let tail = (0..=TAIL_EVENTS_MAX).map(|number| event(format!("n={number}")));
    ledger.append(&tail.chain([event(delivered(&sid(1)))]).collect::<Vec<_>>());

    let message = json_of(&ledger, &["audit", &sid(1), "--format", "json"]);

    assert_eq!(message["status"], "delivered");
    assert_eq!(ledger.open().views().checkpoint().unwrap().position, TAIL_EVENTS_MAX + 3);
}

#[test]
fn audit_applies_the_configured_rule_even_if_the_views_have_another() {
    let ledger = eventful();
    let arguments = ["audit", &sid(1), "--format", "json"];
    let command = ledger.command(&arguments).env("DELIVERY_LEDGER_RULE", "delivery-wins");
    let message: Value = serde_json::from_slice(&command.output().stdout).unwrap();
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["rule"], "delivery-wins");
    assert_eq!(message["conflict"], true);
}

/// Control sequences: clear screen, set title, bell, C1 introducer, right-to-left override.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;t\u{7}\r\n\u{0}\u{9b}31m\u{202e}y\u{7f}";

fn assert_no_control_characters(text: &str) {
    let is_control = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.chars().any(is_control), "{text:?}");
}

#[test]
fn audit_escapes_control_characters_of_a_callback() {
    let hostile = |word: &str| {
        let body = status(HOSTILE, word).with("SmsSid", HOSTILE).with("ErrorCode", HOSTILE);
        let names = ["To", "From", "MessagingServiceSid", "RawDlrDoneDate", "ChannelPrefix"];
        names.into_iter().fold(body, |body: MessageBody, name| body.with(name, HOSTILE))
    };
    let of = |account: &str, word: &str| event(hostile(word).with("AccountSid", account));
    let other = format!("{HOSTILE}2");
    let ledger = Ledger::with_events(&[
        of(HOSTILE, "failed"),
        of(HOSTILE, "delivered"),
        of(HOSTILE, HOSTILE),
        of(&other, "sent"),
    ]);
    let sid = HOSTILE.replace('\u{0}', "");
    // An argument cannot contain a NUL, so the SID in the argument is the one without it.
    let plain = Ledger::with_events(&[
        event(hostile("failed").with("MessageSid", &sid).with("AccountSid", HOSTILE)),
        event(hostile(HOSTILE).with("MessageSid", &sid).with("AccountSid", HOSTILE)),
    ]);
    let audited = plain.run(&["audit", &sid]);
    assert_eq!(audited.status.code(), Some(0));
    assert!(stdout(&audited).contains(r"x\u{1b}[2J"), "{}", stdout(&audited));

    ledger.views_sql("UPDATE messages SET status = 'scheduled' WHERE status = 'sent'");
    for output in [
        audited,
        plain.run(&["audit", &format!("{sid}?")]),
        ledger.run(&["verify"]),
        ledger.run(&["replay", "--dry-run", "--rule", "delivery-wins"]),
        Ledger::with_events(&[
            event(hostile("sent").with("MessageSid", "SM1").with("AccountSid", HOSTILE)),
            event(hostile("sent").with("MessageSid", "SM1").with("AccountSid", &other)),
        ])
        .run(&["audit", "SM1"]),
    ] {
        assert_no_control_characters(&stdout(&output));
        assert_no_control_characters(&stderr(&output));
        let text = stdout(&output) + &stderr(&output);
        assert!(text.contains(r"\u{1b}[2J"), "{text}");
    }
}

#[test]
fn audit_shows_both_clocks_clicks_feedback_and_what_else_is_known() {
    let ledger = Ledger::with_events(&whole_story());
    let shown = run(&ledger, &["audit", &sid(1)]).replace(LINK, "LINK");
    let expected = [
        "began    2026-01-02T03:04:04.500000Z (by Twilio's clock)
details  2 segments, price -0.0158 USD, carrier T-Mobile (MCC 310, MNC 260)
clicks   1, first 2026-01-02T03:04:08.250000Z, 1 likely preview besides
feedback confirmed
events   7: 0 late, 1 duplicate, 0 unrecognised
",
        "
position  received at (UTC)            after  happened at (UTC)            source     status     effect     details
       1  2026-01-02T03:04:05.000000Z   0 ms  -                            callback   sent       advanced   first event; sent
       2  2026-01-02T03:04:06.000000Z  1.0 s  2026-01-02T03:04:04.500000Z  callback   delivered  advanced   sent -> delivered
       3  2026-01-02T03:04:07.000000Z  2.0 s  -                            reconcile  delivered  confirmed  stays delivered
       4  2026-01-02T03:04:08.000000Z  3.0 s  2026-01-02T03:04:01.000000Z  callback   -          click      a click on a link; stays delivered; probably a program that follows links, and no person; LINK
       5  2026-01-02T03:04:09.000000Z  4.0 s  2026-01-02T03:04:08.250000Z  callback   -          click      a click on a link; stays delivered; LINK
       6  2026-01-02T03:04:10.000000Z  5.0 s  2026-01-02T03:04:08.250000Z  callback   -          duplicate  the same as position 5; stays delivered; LINK
       7  2026-01-02T03:04:11.000000Z  6.0 s  -                            send       -          feedback   the sender confirmed that the message served its purpose; stays delivered
",
    ];
    for part in expected {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn of_a_message_with_clicks_alone_audit_says_that_no_status_was_reported() {
    let ledger = Ledger::with_events(&whole_story());
    let shown = run(&ledger, &["audit", &sid(2)]);
    assert!(shown.contains("unknown (no status reported)\n"), "{shown}");
    assert!(shown.contains("a click on a link; first event; status unknown; https"), "{shown}");
    assert!(!shown.contains("feedback") && !shown.contains("segment"), "{shown}");
}

#[test]
fn lists_of_messages_and_events_show_clicks_and_feedback() {
    let ledger = Ledger::with_events(&whole_story());
    let messages = run(&ledger, &["messages"]);
    assert!(messages.contains("1 click; feedback confirmed\n"), "{messages}");
    let events = run(&ledger, &["tail", "--after", "3", "--no-follow"]).replace(LINK, "LINK");
    let details =
        ["likely preview of LINK", "click on LINK", "click on LINK", "feedback confirmed"];
    for (line, details) in events.lines().skip(1).zip(details) {
        assert!(line.ends_with(details), "{events}");
    }
}
