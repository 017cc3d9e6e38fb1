//! Parsing bodies: forms, JSON callbacks, and Twilio's own Message resource.

use std::borrow::Cow;

use delivery_ledger::domain::message::status_reported::{Label, StatusReported};
use delivery_ledger::domain::{ErrorCode, NewEvent, Rule, Source, Status};
use delivery_ledger::twilio::callback::ParsedCallback;
use serde_json::json;

use super::{folded, says, status_of};
use crate::support::events::{event, resource};
use crate::support::{ACCOUNT, MessageBody, sid};

fn reading(event: &NewEvent) -> ParsedCallback<'static> {
    let own = |sid: Option<Cow<'_, str>>| sid.map(|sid| Cow::Owned(sid.into_owned()));
    let ParsedCallback { account_sid, message_sid, reported, simulated } =
        ParsedCallback::parse(event);
    ParsedCallback {
        account_sid: own(account_sid),
        message_sid: own(message_sid),
        reported,
        simulated,
    }
}

fn facts(body: impl Into<Vec<u8>>) -> StatusReported {
    reading(&event(body)).reported.expect("it is about a message")
}

fn status_in(body: MessageBody) -> Option<Status> {
    facts(body).status
}

#[test]
fn event_type_read_counts_as_read_whatever_the_status_says() {
    for kind in ["READ", "read", "Read"] {
        assert_eq!(status_in(says("delivered").with("EventType", kind)), Some(Status::Read));
        assert_eq!(status_in(says("failed").with("EventType", kind)), Some(Status::Read));
    }
    let no_status = says("x").without("MessageStatus").without("SmsStatus");
    assert_eq!(status_in(no_status.with("EventType", "READ")), Some(Status::Read));
}

#[test]
fn event_types_other_than_read_are_ignored() {
    for kind in ["DELIVERED", "FAILED", "CLICKED", "", "READ "] {
        let body = says("sent").with("EventType", kind);
        assert_eq!(status_in(body.clone()), Some(Status::Sent), "{kind}");
        let without = body.without("MessageStatus").without("SmsStatus");
        assert_eq!(status_in(without), None, "{kind}");
    }
}

#[test]
fn message_status_overrides_sms_status_and_a_difference_is_labelled() {
    let body = says("delivered").with("SmsStatus", "sent");
    assert_eq!(status_in(body.clone()), Some(Status::Delivered));
    assert_eq!(facts(body).labels, [Label::StatusWordsDiffer]);
    assert_eq!(facts(says("delivered")).labels, []);
    assert_eq!(facts(says("delivered").with("SmsStatus", "DELIVERED")).labels, []);
}

#[test]
fn a_blank_status_counts_as_absent() {
    for blank in ["", " ", "\t"] {
        let body = says("sent").with("MessageStatus", blank);
        assert_eq!(status_in(body.clone()), Some(Status::Sent), "SmsStatus steps in");
        assert_eq!(facts(body.clone()).labels, [], "absent is no difference");
        let neither = facts(body.with("SmsStatus", blank));
        assert_eq!((neither.status, neither.unrecognised), (None, None));
    }
}

#[test]
fn statuses_are_case_insensitive() {
    for status in Status::ALL {
        assert_eq!(status_in(says(&status.name().to_uppercase())), Some(status));
    }
}

#[test]
fn an_unrecognised_status_is_kept_unchanged() {
    let heard = facts(says("Tunnelled"));
    assert_eq!((heard.status, heard.unrecognised.as_deref()), (None, Some("Tunnelled")));
}

#[test]
fn the_first_value_of_a_repeated_parameter_counts() {
    let body = b"MessageSid=SM1&MessageSid=SM2&MessageStatus=sent&MessageStatus=failed\
                 &AccountSid=AC1&AccountSid=AC2&ErrorCode=1&ErrorCode=2&To=a&To=b";
    let read = reading(&event(&body[..]));
    assert_eq!(read.message_sid.unwrap(), "SM1");
    assert_eq!(read.account_sid.unwrap(), "AC1");
    let heard = read.reported.unwrap();
    assert_eq!(heard.status, Some(Status::Sent));
    assert_eq!(heard.error_code.map(ErrorCode::number), Some(1));
    assert_eq!(heard.addressed.to.as_deref(), Some("a"));
}

#[test]
fn the_message_sid_falls_back_to_sms_sid() {
    let sid_of = |body: MessageBody| reading(&event(body)).message_sid;
    let body = says("sent").with("MessageSid", "SMa").with("SmsSid", "SMb");
    assert_eq!(sid_of(body.clone()).as_deref(), Some("SMa"));
    assert_eq!(sid_of(body.clone().with("MessageSid", "")).as_deref(), Some("SMb"));
    assert_eq!(sid_of(body.clone().without("MessageSid")).as_deref(), Some("SMb"));
    assert_eq!(sid_of(body.with("MessageSid", "").with("SmsSid", "")), None);
}

#[test]
fn a_callback_without_a_message_sid_changes_no_message() {
    for body in ["", "&&", "MessageStatus=sent", "MessageSid=&MessageStatus=sent", "\u{0}\u{1}"] {
        let read = reading(&event(body));
        assert_eq!((read.message_sid, read.reported), (None, None), "{body:?}");
    }
}

#[test]
fn an_unusual_message_sid_is_accepted_and_labelled() {
    for odd in ["SMxxx", "sm04363cdd65ee4cb2b17e3bbf56ed084d", "\u{0}", &"9".repeat(2048), " "] {
        let read = reading(&event(says("sent").with("MessageSid", odd)));
        assert_eq!(read.message_sid.unwrap(), odd);
        assert_eq!(read.reported.unwrap().labels, [Label::OddMessageSid]);
    }
    let upper = format!("SM{}", "AB".repeat(16));
    assert_eq!(facts(says("sent").with("MessageSid", &upper)).labels, []);
}

#[test]
fn an_error_code_has_1_to_9_digits() {
    let code = |text: &str| facts(says("failed").with("ErrorCode", text)).error_code;
    for (text, number) in [("1", 1), ("30003", 30003), ("999999999", 999_999_999), ("00007", 7)] {
        assert_eq!(code(text).map(ErrorCode::number), Some(number));
    }
    // Twilio writes 0 for no error.
    for text in [
        "0",
        "00",
        "000000000",
        " 0",
        "",
        "1234567890",
        "-1",
        "+1",
        "1.5",
        "0x1F",
        " 30003",
        "null",
        "٣",
    ] {
        assert_eq!(code(text), None, "{text}");
    }
}

#[test]
fn the_channel_is_derived_from_addresses_then_the_sid() {
    let channel = |body: MessageBody| facts(body).addressed.channel;
    let mms = sid(1).replace("SM", "MM");
    let table = [
        (says("sent"), "sms"),
        (says("sent").with("MessageSid", &mms), "mms"),
        (says("sent").with("To", "whatsapp:+1"), "whatsapp"),
        (says("sent").with("To", "rcs:+1").with("ChannelPrefix", "whatsapp"), "rcs"),
        (says("sent").with("To", "messenger:1"), "messenger"),
        (says("sent").with("ChannelPrefix", "whatsapp"), "whatsapp"),
        (says("sent").with("ChannelPrefix", "").with("MessageSid", &mms), "mms"),
        (says("sent").with("MessageSid", "odd"), "sms"),
        (says("sent").with("To", "sip:alice@example.com"), "sms"), // no channel's prefix
        (says("sent").without("To"), "sms"),
        (says("sent").with("From", "rcs:acme_agent"), "rcs"),
        (says("sent").with("From", "rcs:acme_agent").with("ChannelPrefix", "sms"), "rcs"),
        (says("sent").with("From", "rcs:acme_agent").with("MessageSid", &mms), "rcs"),
        (says("sent").with("From", "whatsapp:+1").without("To"), "whatsapp"),
        (says("sent").with("From", "rcs:a").with("To", "whatsapp:+1"), "whatsapp"),
        (says("sent").with("From", "messenger:1"), "messenger"),
    ];
    for (body, expected) in table {
        assert_eq!(channel(body.clone()), expected, "{body:?}");
    }
}

#[test]
fn a_json_callback_keeps_its_sids_but_changes_no_message() {
    for json in [
        json!({ "AccountSid": ACCOUNT, "MessageSid": "SM1", "MessageStatus": "delivered" }),
        json!({ "account_sid": ACCOUNT, "message_sid": "SM1", "status": "delivered" }),
        json!({ "account_sid": ACCOUNT, "sms_sid": "SM1", "status": "delivered" }),
    ] {
        let read = reading(&resource(Source::Callback, json));
        assert_eq!(read.account_sid.unwrap(), ACCOUNT);
        assert_eq!(read.message_sid.unwrap(), "SM1");
        assert_eq!(read.reported, None);
    }
}

#[test]
fn a_conversations_receipt_belongs_to_the_message_that_carried_it() {
    let receipt = |status: &str, more: &str| {
        format!(
            "EventType=onDeliveryUpdated&AccountSid={ACCOUNT}&MessageSid=IM{0}&Status={status}\
             &ErrorCode=0&DeliveryReceiptSid=DY{0}{more}",
            "1".repeat(32)
        )
    };
    let of_message = format!("&ChannelMessageSid={}", sid(1));
    for (word, status) in [("delivered", Status::Delivered), ("Read", Status::Read)] {
        let event = event(receipt(word, &of_message));
        let read = reading(&event);
        assert_eq!(read.message_sid.as_deref(), Some(sid(1).as_str()));
        let reported = read.reported.unwrap();
        assert_eq!((reported.status, reported.error_code), (Some(status), None));
        assert_eq!(reported.labels, []);
    }
    let message = folded(
        Rule::default(),
        [event(receipt("delivered", &of_message)), event(says("sent").with("To", "rcs:+1"))],
    );
    assert_eq!(status_of(&message), "delivered");
    assert_eq!(message.lifecycle.evidence.to(), Some("rcs:+1"), "a receipt has no addresses");
    assert_eq!(message.lifecycle.evidence.channel(), "rcs");
    for none in ["", "&ChannelMessageSid=", "&ChannelMessageSid=IM1", "&SmsSid=SM1"] {
        let event = event(receipt("delivered", none));
        let read = reading(&event);
        assert_eq!((read.message_sid, read.reported), (None, None), "{none}");
        assert_eq!(read.account_sid.as_deref(), Some(ACCOUNT));
    }
    // Only such a receipt has its word in Status.
    assert_eq!(facts(says("sent").with("Status", "delivered")).status, Some(Status::Sent));
}

#[test]
fn a_single_cloud_event_has_its_sids_in_data() {
    let sids = |json: serde_json::Value| {
        let event = resource(Source::Callback, json);
        let read = reading(&event);
        assert_eq!(read.reported, None);
        (read.account_sid.map(String::from), read.message_sid.map(String::from))
    };
    let both = (Some(ACCOUNT.to_owned()), Some("SM1".to_owned()));
    let camel =
        json!({ "accountSid": ACCOUNT, "messageSid": "SM1", "data": { "messageSid": "SM2" } });
    let snake = json!({ "account_sid": ACCOUNT, "message_sid": "SM1" });
    assert_eq!(sids(json!({ "specversion": "1.0", "data": camel })), both);
    assert_eq!(sids(json!({ "data": snake, "specversion": "1.0" })), both);
    for neither in [
        json!([{ "specversion": "1.0", "data": camel }]),
        json!({ "data": camel }),
        json!({ "specversion": "1.0", "data": [camel] }),
        json!({ "specversion": "1.0", "data": camel.to_string() }),
        camel,
    ] {
        assert_eq!(sids(neither), (None, None));
    }
}

#[test]
fn nested_data_is_ignored() {
    let deep = format!("{{\"specversion\":1{}", ",\"data\":{".repeat(50_000));
    let deep = [deep, "}".repeat(50_001)].concat();
    let event = NewEvent { body: deep.into(), ..resource(Source::Callback, json!({})) };
    assert_eq!(reading(&event).message_sid, None);
}

#[test]
fn twilios_message_resource_updates_its_message() {
    for source in [Source::Send, Source::Reconcile, Source::Import] {
        let event = resource(
            source,
            json!({
                "sid": sid(1), "account_sid": ACCOUNT, "status": "undelivered", "error_code": 30003,
                "from": "whatsapp:+15017250604", "to": "+15558675310", "body": "hello",
                "messaging_service_sid": null, "subresource_uris": { "sid": "SMother" },
            }),
        );
        let read = reading(&event);
        assert_eq!(read.message_sid.unwrap(), sid(1));
        assert_eq!(read.account_sid.unwrap(), ACCOUNT);
        let heard = read.reported.unwrap();
        assert_eq!(heard.status, Some(Status::Undelivered));
        assert_eq!(heard.error_code.map(ErrorCode::number), Some(30003));
        assert_eq!(heard.addressed.from.as_deref(), Some("whatsapp:+15017250604"));
        assert_eq!(heard.addressed.channel, "whatsapp");
        assert_eq!(heard.addressed.messaging_service_sid, None);
    }
}

#[test]
fn a_reconciled_resource_and_callbacks_update_the_same_message() {
    let answer = resource(Source::Reconcile, json!({ "sid": sid(1), "status": "delivered" }));
    let message = folded(Rule::default(), [answer, event(says("sent"))]);
    assert_eq!(status_of(&message), "delivered");
    assert_eq!(message.timeline[1].effect.name(), "late");
}

#[test]
fn invalid_json_has_no_facts() {
    for body in ["", "[]", "null", "{\"sid\":", "\"SM1\"", "\u{1}"] {
        let broken = NewEvent { body: body.into(), ..resource(Source::Import, json!({})) };
        let read = reading(&broken);
        assert_eq!((read.account_sid, read.message_sid, read.reported), (None, None, None));
    }
}

#[test]
fn an_event_without_a_status_sets_no_status_time() {
    let kept = resource(Source::Callback, json!({ "message_sid": sid(1) }));
    let message = folded(Rule::default(), [kept, event(says("sent"))]);

    assert_eq!(message.lifecycle.counts.events, 1);
    assert_eq!(message.lifecycle.first_received_at.to_string(), "2026-01-02T03:04:06.000000Z");
}
