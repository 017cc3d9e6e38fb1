//! A message of which everything is known: statuses by callback and by Event Streams, price, clicks and feedback.

use delivery_ledger::domain::{NewEvent, Source};
use serde_json::{Value, json};

use super::events::{event, json_callback, one_a_second, resource};
use super::{ACCOUNT, sent, sid};

/// The link that is followed: the recipient's number is in it twice, once partly escaped.
pub const LINK: &str = "https://shop.example/a?to=%2B15558675310&n=%31%35558675310";

/// The program of the person who follows it.
pub const PHONE: &str = "Mozilla/5.0 (iPhone; for +15558675310) Safari/604.1";

/// The seven events of message 1, one a second, and a click on a link of message 2, of which nothing else is known.
pub fn whole_story() -> Vec<NewEvent> {
    one_a_second([
        event(sent(&sid(1))),
        delivered_by_stream(),
        resource(
            Source::Reconcile,
            json!({
                "sid": sid(1), "account_sid": ACCOUNT, "status": "delivered", "num_segments": "2",
                "price": "-0.01580", "price_unit": "USD",
            }),
        ),
        click(1, "WhatsApp/2.24", "2026-01-02T03:04:01Z"),
        click(1, PHONE, "2026-01-02T03:04:08.25Z"),
        click(1, PHONE, "2026-01-02T03:04:08.25Z"),
        feedback("confirmed"),
        click(2, PHONE, "2026-01-01T23:59:59Z"),
    ])
}

fn delivered_by_stream() -> NewEvent {
    json_callback(&json!({
        "specversion": "1.0",
        "type": "com.twilio.messaging.message.delivered",
        "source": format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{}.json", sid(1)),
        "id": "EZ1",
        "time": "2026-01-02T03:04:04.5Z",
        "data": {
            "accountSid": ACCOUNT, "messageSid": sid(1), "messageStatus": "DELIVERED",
            "from": "+15017250604", "to": "+15558675310",
            "timestamp": "2026-01-02T03:04:04.5Z", "mcc": "310", "mnc": "260",
        },
    }))
}

/// A click on the link of the message with this number.
pub fn click(number: u32, user_agent: &str, at: &str) -> NewEvent {
    let body: Value = json!({
        "event_type": "click", "sms_sid": sid(number), "account_sid": ACCOUNT,
        "to": "+15558675310", "from": "+15017250604",
        "link": LINK, "click_time": at, "user_agent": user_agent,
    });
    json_callback(&body)
}

/// Twilio's answer to feedback on message 1.
fn feedback(outcome: &str) -> NewEvent {
    let answer = json!({ "account_sid": ACCOUNT, "message_sid": sid(1), "outcome": outcome });
    let url = format!("https://api.twilio.com/2010-04-01/Messages/{}/Feedback.json", sid(1));
    NewEvent { url, ..resource(Source::Send, answer) }
}
