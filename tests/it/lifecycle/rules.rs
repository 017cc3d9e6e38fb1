//! Every sentence of the rules, and the effect of each event on its message.

use delivery_ledger::domain::{Effect, ErrorCode, NewEvent, Rule};
use delivery_ledger::projection::fold::Folded;

use super::{folded, reported, says, status_of};
use crate::support::MessageBody;
use crate::support::events::{event, with_query, with_token};

const LADDER: [&str; 8] = [
    "scheduled",
    "accepted",
    "queued",
    "sending",
    "sent",
    "partially_delivered",
    "delivered",
    "read",
];
const SUCCESSES: [&str; 3] = ["partially_delivered", "delivered", "read"];
const FAILURES: [&str; 3] = ["canceled", "undelivered", "failed"];

/// The status of a message with these reported statuses.
fn status_after(rule: Rule, words: &[&str]) -> &'static str {
    status_of(&folded(rule, words.iter().map(|word| event(says(word)))))
}

fn in_conflict(words: &[&str]) -> bool {
    reported(words.iter().map(|word| says(word))).lifecycle.evidence.has_conflict()
}

#[test]
fn without_a_failure_the_highest_status_is_shown() {
    for rule in Rule::ALL {
        for (lower, higher) in pairs(&LADDER) {
            assert_eq!(status_after(rule, &[lower, higher]), higher);
            assert_eq!(status_after(rule, &[higher, lower]), higher, "{lower} came late");
        }
    }
}

#[test]
fn a_failure_is_shown_whatever_else_was_reported() {
    for failure in FAILURES {
        for other in LADDER {
            assert_eq!(status_after(Rule::FailureTerminal, &[failure, other]), failure);
            assert_eq!(status_after(Rule::FailureTerminal, &[other, failure]), failure);
        }
    }
}

#[test]
fn of_several_failures_the_strongest_is_shown() {
    for rule in Rule::ALL {
        for (weaker, stronger) in pairs(&FAILURES) {
            assert_eq!(status_after(rule, &[weaker, stronger]), stronger);
            assert_eq!(status_after(rule, &[stronger, weaker]), stronger);
        }
    }
}

#[test]
fn only_success_together_with_failure_is_a_conflict() {
    for failure in FAILURES {
        for other in LADDER {
            let conflict = SUCCESSES.contains(&other);
            assert_eq!(in_conflict(&[other, failure]), conflict, "{other}, {failure}");
            assert_eq!(in_conflict(&[failure, other]), conflict, "{failure}, {other}");
        }
        assert!(!in_conflict(&[failure]));
    }
    assert!(!in_conflict(&["canceled", "undelivered", "failed"]), "failures agree");
    assert!(!in_conflict(&["partially_delivered", "delivered", "read"]), "successes agree");
}

#[test]
fn delivery_wins_ranks_only_success_above_failure() {
    for failure in FAILURES {
        for other in LADDER {
            let shown = if SUCCESSES.contains(&other) { other } else { failure };
            assert_eq!(status_after(Rule::DeliveryWins, &[failure, other]), shown);
            assert_eq!(status_after(Rule::DeliveryWins, &[other, failure]), shown);
        }
    }
    let words = ["failed", "delivered", "undelivered", "sent"].map(|word| event(says(word)));
    let message = folded(Rule::DeliveryWins, words);
    assert_eq!(status_of(&message), "delivered");
    assert!(message.lifecycle.evidence.has_conflict(), "the failure is not forgotten");
}

#[test]
fn unknown_and_inbound_statuses_never_change_the_status() {
    for word in ["receiving", "received", "tunnelled", "DELIVERED!", "0", "sent "] {
        assert_eq!(status_of(&reported([says(word)])), "unknown", "{word}");
        let message = reported([says("queued"), says(word)]);
        assert_eq!(status_of(&message), "queued", "{word}");
        assert_eq!(message.lifecycle.counts.unrecognised, 1, "{word}");
        assert_eq!(status_of(&reported([says(word), says("queued")])), "queued", "{word}");
    }
}

#[test]
fn a_message_without_a_known_status_is_unknown_and_open() {
    let message = reported([says("tunnelled").with("From", "+1555")]);

    assert_eq!(status_of(&message), "unknown");
    let evidence = &message.lifecycle.evidence;
    assert!(!evidence.is_settled() && !evidence.is_terminal() && !evidence.has_conflict());
    assert_eq!(deciding_from(&message), Some("+1555"), "it still has addresses");
}

#[test]
fn settled_is_delivered_read_or_a_failure() {
    let settled = ["delivered", "read", "canceled", "undelivered", "failed"];
    for word in LADDER.iter().chain(&FAILURES) {
        let message = reported([says(word)]);
        assert_eq!(message.lifecycle.evidence.is_settled(), settled.contains(word), "{word}");
    }
}

#[test]
fn delivered_is_terminal_if_the_channel_has_no_read_receipts() {
    let terminal = |word: &str, to: &str| {
        reported([says(word).with("To", to)]).lifecycle.evidence.is_terminal()
    };
    for to in ["+15558675310", "messenger:123", "whatsapp:+15558675310", "rcs:+15558675310"] {
        let has_read_receipts = to.starts_with("whatsapp") || to.starts_with("rcs");
        assert_eq!(terminal("delivered", to), !has_read_receipts, "{to}");
        for word in ["read", "canceled", "undelivered", "failed"] {
            assert!(terminal(word, to), "{word} to {to}");
        }
        for word in ["scheduled", "accepted", "queued", "sending", "sent", "partially_delivered"] {
            assert!(!terminal(word, to), "{word} to {to}");
        }
    }
}

#[test]
fn addresses_come_from_the_deciding_event() {
    // RCS that falls back to SMS keeps its SID.
    let rcs = says("sent").with("From", "rcs:brand").with("To", "rcs:+1555");
    let sms = says("delivered").with("From", "+1500").with("MessagingServiceSid", "MG1");
    for order in [[rcs.clone(), sms.clone()], [sms, rcs]] {
        let message = reported(order);
        let decided = message.lifecycle.evidence.deciding.as_ref().unwrap();
        assert_eq!(decided.addressed.from.as_deref(), Some("+1500"));
        assert_eq!(decided.addressed.to.as_deref(), Some("+15558675310"));
        assert_eq!(decided.addressed.channel, "sms");
        assert_eq!(decided.addressed.messaging_service_sid.as_deref(), Some("MG1"));
    }
}

#[test]
fn a_missing_address_comes_from_the_next_ranking_event() {
    let bare = || says("delivered").without("From").without("To");
    let sent = says("sent").with("From", "whatsapp:+1").with("To", "whatsapp:+2");
    let queued = says("queued").with("From", "+9").with("MessagingServiceSid", "MG1");
    let mut came = [bare(), sent.clone(), queued];
    for _ in 0..came.len() {
        came.rotate_left(1);
        for rule in Rule::ALL {
            let message = folded(rule, came.iter().cloned().map(event));
            let evidence = &message.lifecycle.evidence;
            assert_eq!(evidence.from(), Some("whatsapp:+1"));
            assert_eq!(evidence.to(), Some("whatsapp:+2"));
            assert_eq!(evidence.messaging_service_sid(), Some("MG1"));
            assert_eq!(evidence.channel(), "whatsapp");
        }
    }
    // Which ranks higher is up to the rule.
    let failed = says("failed").without("To").with("From", "whatsapp:+3");
    let read = says("read").with("From", "whatsapp:+4");
    for (rule, from) in
        [(Rule::FailureTerminal, "whatsapp:+3"), (Rule::DeliveryWins, "whatsapp:+4")]
    {
        let message = folded(rule, [failed.clone(), bare(), read.clone()].map(event));
        assert_eq!(message.lifecycle.evidence.from(), Some(from));
    }
    let message = reported([bare(), sent]);
    assert_eq!(message.lifecycle.evidence.to(), Some("whatsapp:+2"));
    assert!(!message.lifecycle.evidence.is_terminal(), "WhatsApp has read receipts");
}

#[test]
fn among_ties_an_event_with_both_addresses_wins() {
    let whole = says("failed").with("From", "+9").with("ErrorCode", "30008");
    for other in [
        says("failed").without("From"),
        says("failed").without("To"),
        says("failed").without("From").without("To").with("MessagingServiceSid", "MG1"),
    ] {
        for order in [[whole.clone(), other.clone()], [other, whole.clone()]] {
            assert_eq!(deciding_from(&reported(order)), Some("+9"));
        }
    }
}

#[test]
fn ties_are_settled_by_error_code_then_query_then_body() {
    let of = |code: &str, query: &str, from: &str| {
        with_query(event(says("failed").with("ErrorCode", code).with("From", from)), query)
    };
    // The winner stands first; what would win by a later criterion stands second.
    let ties = [
        [of("30003", "z=1", "z"), of("30004", "a=1", "a")],
        [of("30003", "a=1", "z"), of("30003", "b=1", "a")],
        [of("30003", "a=1", "a"), of("30003", "a=1", "b")],
        [of("9", "a=1", "z"), of("10", "a=1", "a")], // as numbers, not as text
        [of("", "a=1", "z"), of("1", "a=1", "a")],   // none is the smallest
    ];
    for [winner, other] in ties {
        let from = from_of(&winner);
        for order in [[winner.clone(), other.clone()], [other, winner]] {
            assert_eq!(deciding_from(&folded(Rule::default(), order)), Some(&*from));
        }
    }
}

#[test]
fn ties_between_unknown_statuses_are_settled_by_content() {
    let (a, b) = (says("tunnelled").with("From", "a"), says("vaporised").with("From", "b"));
    for order in [[a.clone(), b.clone()], [b, a]] {
        assert_eq!(deciding_from(&reported(order)), Some("a"));
    }
}

#[test]
fn the_error_code_is_the_smallest_of_the_deciding_status() {
    assert_eq!(code_of(&[("failed", "30008"), ("failed", "30003")]), Some(30003));
    assert_eq!(code_of(&[("undelivered", "21610"), ("failed", "30008")]), Some(30008));
    // A code that came with no failure counts only where the deciding status had it.
    assert_eq!(code_of(&[("sent", "11200"), ("failed", "30008")]), Some(30008));
}

#[test]
fn otherwise_the_error_code_is_the_smallest_of_all_failures() {
    assert_eq!(
        code_of(&[("undelivered", "30008"), ("canceled", "30005"), ("failed", "")]),
        Some(30005)
    );
    assert_eq!(code_of(&[("sent", "11200"), ("failed", "")]), None);
    // By the other rule the deciding status is no failure and has no code of its own.
    let events = [("delivered", ""), ("failed", "30008")].map(coded).map(event);
    let message = folded(Rule::DeliveryWins, events);
    assert_eq!(message.lifecycle.evidence.error_code().map(ErrorCode::number), Some(30008));
}

#[test]
fn a_failure_without_an_error_code_never_erases_one() {
    assert_eq!(code_of(&[("failed", "30008"), ("failed", "")]), Some(30008));
    assert_eq!(code_of(&[("failed", ""), ("failed", "30008")]), Some(30008));
}

#[test]
fn without_a_failure_there_is_no_error_code() {
    let message = reported([("sent", "30008"), ("delivered", "11200")].map(coded));
    assert_eq!(message.lifecycle.evidence.error_code(), None);
    let codes = message.lifecycle.evidence.error_codes();
    assert_eq!(codes.into_iter().map(ErrorCode::number).collect::<Vec<_>>(), [11200, 30008]);
}

#[test]
fn error_codes_are_distinct_and_ascending_of_all_events() {
    let events =
        [("failed", "30008"), ("sent", "9"), ("undelivered", "30008"), ("failed", "30003")];
    let codes = reported(events.map(coded)).lifecycle.evidence.error_codes();
    assert_eq!(codes.into_iter().map(ErrorCode::number).collect::<Vec<_>>(), [9, 30003, 30008]);
}

#[test]
fn the_receipt_comes_from_the_highest_status_with_one() {
    let receipt = |word: &str, date: &str| says(word).with("RawDlrDoneDate", date);
    let shown = |events: [MessageBody; 3]| {
        reported(events).lifecycle.evidence.receipt.map(|receipt| receipt.raw_dlr_done_date)
    };
    let (early, late) = (receipt("sent", "2511160800"), receipt("delivered", "2511160900"));
    let later_status = says("read");
    assert_eq!(shown([early.clone(), late.clone(), later_status.clone()]).unwrap(), "2511160900");
    assert_eq!(shown([later_status, late, early]).unwrap(), "2511160900");
}

#[test]
fn each_event_shows_what_it_changed() {
    let table: [(&[&str], &[&str]); 16] = [
        (&["queued"], &["advanced"]),
        (&["queued", "sent", "delivered"], &["advanced", "advanced", "advanced"]),
        (&["sent", "sent"], &["advanced", "confirmed"]),
        (&["delivered", "sent"], &["advanced", "late"]),
        (&["delivered", "partially_delivered"], &["advanced", "late"]),
        (&["delivered", "failed"], &["advanced", "conflict"]),
        (&["failed", "delivered"], &["advanced", "conflict"]),
        (&["failed", "partially_delivered"], &["advanced", "conflict"]),
        (&["canceled", "read"], &["advanced", "conflict"]),
        (&["failed", "sent"], &["advanced", "late"]), // no success after a failure
        (&["failed", "undelivered"], &["advanced", "late"]), // a weaker failure
        (&["undelivered", "failed"], &["advanced", "advanced"]),
        (&["failed", "failed"], &["advanced", "confirmed"]),
        (&["received", "sent", "received"], &["unrecognised", "advanced", "unrecognised"]),
        (&["delivered", "failed", "sent"], &["advanced", "conflict", "late"]),
        // A success together with a failure stays a conflict, however often it is repeated.
        (&["failed", "delivered", "delivered"], &["advanced", "conflict", "conflict"]),
    ];
    for rule in Rule::ALL {
        for (words, effects) in table {
            // A query of its own makes each event another one, so that none is a duplicate.
            let events = words
                .iter()
                .zip(1..)
                .map(|(word, number)| with_query(event(says(word)), &format!("n={number}")));
            assert_eq!(effects_of(&folded(rule, events)), effects, "{words:?}");
        }
    }
}

#[test]
fn duplicates_have_the_same_token_query_and_body() {
    let one = || event(says("sent"));
    let is_duplicate = |first: NewEvent, second: NewEvent| {
        let message = folded(Rule::default(), [first, second]);
        message.timeline[1].effect == Effect::Duplicate(1)
    };
    assert!(is_duplicate(one(), one()), "both without a token");
    assert!(is_duplicate(with_token(one(), "t1"), with_token(one(), "t1")));
    assert!(!is_duplicate(with_token(one(), "t1"), with_token(one(), "t2")));
    assert!(!is_duplicate(with_token(one(), "t1"), one()), "one has none");
    assert!(!is_duplicate(with_token(one(), ""), one()), "an empty token is one");
    assert!(!is_duplicate(with_query(one(), "a=1"), with_query(one(), "a=2")));
    assert!(!is_duplicate(one(), event(says("sent").with("Extra", "1"))));
}

#[test]
fn a_duplicate_refers_to_the_first_event_and_overrides_other_effects() {
    let events = ["delivered", "failed", "tunnelled", "failed", "tunnelled", "delivered", "failed"];
    let message = reported(events.map(says));

    let effects: Vec<_> = message.timeline.iter().map(|entry| entry.effect).collect();
    assert_eq!(
        effects,
        [
            Effect::Advanced,
            Effect::Conflict,
            Effect::Unrecognised,
            Effect::Duplicate(2),
            Effect::Duplicate(3),
            Effect::Duplicate(1),
            Effect::Duplicate(2),
        ]
    );
}

#[test]
fn duplicate_late_and_unrecognised_events_are_counted() {
    let events = ["delivered", "sent", "queued", "sent", "received", "received", "read"];
    let message = reported(events.map(says));

    let counts = message.lifecycle.counts;
    assert_eq!(counts.events, 7);
    assert_eq!(counts.duplicates, 2, "the second sent and the second received");
    assert_eq!(counts.late, 2, "the first sent and queued");
    assert_eq!(counts.unrecognised, 1, "the first received");
    assert_eq!(message.timeline.len(), 7);
    assert_eq!(message.lifecycle.history.len(), 7);
}

#[test]
fn a_status_time_is_the_first_arrival_of_the_status() {
    let message = reported(["sent", "delivered", "sent"].map(says));

    let heard = message.lifecycle.evidence.status_times.iter();
    let heard: Vec<_> = heard.map(|(status, at)| (status.name(), at.to_string())).collect();
    assert_eq!(
        heard,
        [
            ("sent", "2026-01-02T03:04:05.000000Z".to_owned()),
            ("delivered", "2026-01-02T03:04:06.000000Z".to_owned()),
        ]
    );
    assert_eq!(message.lifecycle.last_received_at.to_string(), "2026-01-02T03:04:07.000000Z");
}

/// Every pair of two different ones, the earlier first.
fn pairs<'a>(words: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let later = move |(at, first): (usize, &'a &'a str)| {
        words[at + 1..].iter().map(move |second| (*first, *second))
    };
    words.iter().enumerate().flat_map(later)
}

fn coded((word, code): (&str, &str)) -> MessageBody {
    match code {
        "" => says(word),
        code => says(word).with("ErrorCode", code),
    }
}

fn code_of(events: &[(&str, &str)]) -> Option<u32> {
    let message = reported(events.iter().copied().map(coded));
    message.lifecycle.evidence.error_code().map(ErrorCode::number)
}

fn from_of(event: &NewEvent) -> String {
    deciding_from(&folded(Rule::default(), [event.clone()])).unwrap().to_owned()
}

fn deciding_from(message: &Folded) -> Option<&str> {
    message.lifecycle.evidence.deciding.as_ref()?.addressed.from.as_deref()
}

fn effects_of(message: &Folded) -> Vec<&'static str> {
    message.timeline.iter().map(|entry| entry.effect.name()).collect()
}
