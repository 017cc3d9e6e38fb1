//! `doctor`'s checks on what Event Streams tell: errors that Twilio has logged about the ledger's own URLs, and
//! messages that arrived in one way only.

use delivery_ledger::domain::{NewEvent, Timestamp};
use serde_json::json;

use super::{Page, delivered_just_now, doctor, examine, now, seconds_ago};
use crate::support::events::{error_logged, event, json_callback};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, delivered, sid};

const NAME: &str = "errors at Twilio";
const URL: &str = "https://hooks.example.com/message-status";

/// An error that Twilio logged, and reported, this many seconds ago.
fn logged(id: u32, code: u32, url: &str, seconds: i64) -> NewEvent {
    let at = Timestamp::from_micros(now().micros() - seconds * 1_000_000);
    seconds_ago(error_logged(&format!("NO{id}"), code, url, at), seconds)
}

fn with_errors(errors: &[NewEvent]) -> Page {
    examine(&Ledger::with_events(errors))
}

/// The details of the findings of one check.
fn details<'p>(page: &'p Page, name: &str) -> Vec<&'p str> {
    let of_it = page.checks().iter().filter(|check| check["name"] == name);
    of_it.map(|check| check["detail"].as_str().unwrap()).collect()
}

#[test]
fn a_callback_url_that_twilio_could_not_reach_is_reported_with_times_and_advice() {
    let again = logged(2, 11200, URL, 360);
    let page = with_errors(&[logged(1, 11200, URL, 7200), again.clone(), again]);

    assert_eq!((page.outcome(NAME), page.code), ("warn", Some(0)));
    let detail = page.detail(NAME);
    let begin =
        format!("Twilio could not reach {URL} (11200: HTTP retrieval failure): 2 times since ");
    assert!(detail.starts_with(&begin), "{detail}");
    assert!(detail.ends_with(" UTC, the last 6.0 min ago"), "{detail}");
    let check = page.check(NAME);
    assert_eq!(check["area"], "callbacks");
    assert_eq!(
        check["advice"],
        "see the log of the proxy, and whether serve ran at that time; reconcile fetches the statuses that \
         were lost"
    );
}

#[test]
fn an_error_of_more_than_a_day_ago_needs_no_attention() {
    let page = with_errors(&[logged(1, 11205, URL, 3 * 86_400), delivered_just_now()]);

    assert_eq!(page.outcome(NAME), "ok");
    assert_eq!(
        page.detail(NAME),
        format!("Twilio could not reach {URL} (11205: HTTP connection failure): once, 3 days ago")
    );
}

#[test]
fn each_code_and_url_is_reported_the_last_first() {
    let page = with_errors(&[
        logged(1, 11217, &format!("{URL}?order=17#rc=5"), 60),
        logged(2, 11205, "https://HOOKS.example.com:443/message-status", 40),
        logged(3, 15003, URL, 20),
        logged(4, 91305, "https://user:secret@hooks.example.com/event-streams", 10),
    ]);

    let of_each = [
        "https://hooks.example.com/event-streams answered Twilio with an error (91305): once, ",
        "Twilio logged an error about ",
        "Twilio could not reach https://hooks.example.com/message-status (11205: ",
        "https://hooks.example.com/message-status answered Twilio with an error (11217: ",
    ];
    let details = details(&page, NAME);
    assert_eq!(details.len(), 4, "{details:?}");
    for (detail, begin) in details.iter().zip(of_each) {
        assert!(detail.starts_with(begin), "{detail}");
    }
}

#[test]
fn errors_about_the_paths_below_a_prefix_are_counted_together() {
    let ledger = Ledger::with_events(&[
        logged(1, 11200, "https://hooks.example.com/v1/sms/SM17", 90),
        logged(2, 11200, "https://hooks.example.com/v1/sms/SM18", 30),
    ]);

    let page = doctor(&ledger.file(""), &[]).env("DELIVERY_LEDGER_CALLBACK_PATH", "/v1/sms/*");
    let page = Page::from_command(page);

    let detail = page.detail(NAME);
    assert!(
        detail.starts_with("Twilio could not reach https://hooks.example.com/v1/sms/* ("),
        "{detail}"
    );
    assert!(detail.contains(": 2 times since "), "{detail}");
    assert!(!detail.contains("SM1"), "a path may name a message: {detail}");
}

#[test]
fn errors_about_other_urls_are_not_of_this_ledger() {
    let page = with_errors(&[
        logged(1, 11200, "https://app.example.com/message-status", 60),
        logged(2, 11200, "https://hooks.example.com/voice", 60),
        logged(3, 11200, "https://hooks.example.com.evil.example/message-status", 60),
    ]);

    assert_eq!(details(&page, NAME), ["none about the URLs of this ledger"]);
    assert_eq!(page.outcome(NAME), "ok");
    assert!(with_errors(&[delivered_just_now()]).find(NAME).is_none());
}

/// A CloudEvent that reports a message as delivered, as it arrived this many seconds ago.
fn streamed(number: u32, seconds: i64) -> NewEvent {
    let event = json_callback(&json!({
        "specversion": "1.0",
        "type": "com.twilio.messaging.message.delivered",
        "id": format!("EZ{number}"),
        "data": { "messageSid": sid(number), "accountSid": ACCOUNT, "messageStatus": "DELIVERED" },
    }));
    seconds_ago(event, seconds)
}

fn called_back(number: u32, seconds: i64) -> NewEvent {
    seconds_ago(event(delivered(&sid(number))), seconds)
}

#[test]
fn nothing_is_compared_without_event_streams() {
    let page = with_errors(&[called_back(1, 60), called_back(2, 30)]);
    assert!(page.find("streams").is_none());
}

#[test]
fn messages_that_only_event_streams_have_reported_are_lost_callbacks() {
    let both = (1..=9).flat_map(|number| [streamed(number, 7200), called_back(number, 7200)]);
    let events: Vec<_> = both.chain([streamed(10, 7100)]).collect();
    let page = with_errors(&events);

    assert_eq!((page.outcome("streams"), page.code), ("warn", Some(0)));
    let detail = page.detail("streams");
    let lost = "callbacks are lost: 1 of 10 messages were only reported by Event Streams (since ";
    assert!(detail.starts_with(lost), "{detail}");
    assert!(page.check("streams")["advice"].as_str().unwrap().contains("#rc=5&rp=all"));
}

#[test]
fn messages_that_only_callbacks_have_reported_are_lost_events_since_streams_are_in_use() {
    let before = (20..40).map(|number| called_back(number, 3 * 86_400));
    let both = (1..=9).flat_map(|number| [streamed(number, 7200), called_back(number, 7200)]);
    let mut events: Vec<_> = before.chain(both).collect();
    let page = with_errors(&events);
    let complete = "9 messages: 9 reported by callbacks and Event Streams, 0 only by callbacks, 0 only by \
                    Event Streams (since ";
    assert!(page.detail("streams").starts_with(complete), "{}", page.detail("streams"));
    assert_eq!(page.outcome("streams"), "ok");

    events.push(called_back(10, 7100));
    let page = with_errors(&events);
    assert_eq!(page.outcome("streams"), "warn");
    let lost = "events of Event Streams are lost: 1 of 10 messages were only reported by callbacks (since ";
    assert!(page.detail("streams").starts_with(lost), "{}", page.detail("streams"));
}

#[test]
fn a_ledger_that_only_event_streams_reach_has_lost_nothing() {
    let page = with_errors(&[streamed(1, 60), streamed(2, 30)]);
    let detail = page.detail("streams");
    let only = "2 messages were reported by Event Streams, none by a status callback (since ";
    assert!(detail.starts_with(only), "{detail}");
    assert_eq!(page.outcome("streams"), "ok");
}
