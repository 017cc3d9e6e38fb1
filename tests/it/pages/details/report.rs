//! Segments, prices, clicks, feedback and Twilio's clock on the report page.

use serde_json::{Value, json};

use super::super::{html, text};
use crate::support::{ACCOUNT, App, sid};

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1";

/// An event as exports have it.
fn line(position: u32, source: &str, url: &str, body: &Value) -> String {
    let line = json!({
        "position": position,
        "event_id": format!("01a20d91-0000-7000-8000-{position:012x}"),
        "received_at": "2026-01-07T12:00:00.000000Z",
        "source": source,
        "method": "POST",
        "url": url,
        "headers": [["content-type", "application/json"]],
        "body": body.to_string(),
        "verified_by": null,
        "notes": {},
    });
    format!("{line}\n")
}

fn cloud_event(position: u32, kind: &str, data: Value) -> String {
    let body = json!({
        "specversion": "1.0", "type": kind, "source": "/", "id": format!("EZ{position}"), "data": data,
    });
    line(position, "callback", "https://example.com/event-streams", &body)
}

/// Two delivered messages of the evening before they arrived, one of which was clicked and confirmed.
fn app() -> App {
    let app = App::start();
    let delivered = |position: u32, message: u32| {
        let data = json!({
            "accountSid": ACCOUNT, "messageSid": sid(message), "messageStatus": "DELIVERED",
            "to": "+14155552671", "timestamp": "2026-01-06T22:00:00Z", "numberOfSegments": 2,
            "mcc": "310", "mnc": "260",
        });
        cloud_event(position, "com.twilio.messaging.message.delivered", data)
    };
    let click = json!({ "account_sid": ACCOUNT, "message_sid": sid(1), "user_agent": IPHONE,
        "click_time": "2026-01-06T23:00:00Z" });
    let priced = json!({ "account_sid": ACCOUNT, "sid": sid(1), "status": "delivered",
        "price": "-0.0079", "price_unit": "USD" });
    let confirmed =
        json!({ "account_sid": ACCOUNT, "message_sid": sid(1), "outcome": "confirmed" });
    let lines = [
        delivered(1, 1),
        delivered(2, 2),
        cloud_event(3, "com.twilio.daptbt.link-shortening.link-clicked", click),
        line(4, "reconcile", "https://api.twilio.com/2010-04-01/Messages.json", &priced),
        line(5, "send", "https://api.twilio.com/2010-04-01/Messages/Feedback.json", &confirmed),
    ];
    let file = app.folder().join("events.ndjson");
    std::fs::write(&file, lines.concat()).unwrap();
    let imported = app.run(&["import", file.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    app.caught_up();
    app
}

const PERIOD: &str = "since=2026-01-06&until=2026-01-08&compare=none";

#[test]
fn a_report_by_one_property_has_columns_for_what_is_known() {
    let app = app();
    let shown = text(&html(&app, &format!("/reports?by=carrier&{PERIOD}")));
    let table = shown.split("Sent to delivered p95 ").nth(1).unwrap();
    assert!(
        table.starts_with(
            "Segments Price Clicked Converted \
             T-Mobile 2 of 2 2 messages 0 0 - 4 −0.0079 USD 50.0 % 50.0 %"
        ),
        "{table}"
    );
    assert!(shown.contains("by a scan of all because of carrier"), "{shown}");
}

#[test]
fn each_cell_can_show_what_is_known() {
    let app = app();
    for (show, figure) in [("segments", "4"), ("price", "−0.0079 USD"), ("converted", "50.0 %")] {
        let path = format!("/reports?by=country,channel&show={show}&{PERIOD}");
        let shown = text(&html(&app, &path));
        assert!(shown.contains(&format!("{figure} 2 messages")), "{show}: {shown}");
        assert!(shown.contains("rate failures change p95 segments price clicked converted"));
    }
}

#[test]
fn without_such_data_nothing_of_it_is_shown() {
    let app = App::start();
    app.receive(crate::support::delivered(&sid(1)));
    app.caught_up();
    for by in ["country", "country,day"] {
        let shown = text(&html(&app, &format!("/reports?by={by}&compare=none")));
        for word in ["segments", "Segments", "Price", "Clicked", "Converted", "Times are"] {
            assert!(!shown.contains(word), "{by} {word}: {shown}");
        }
    }
}

#[test]
fn by_twilios_clock_the_page_says_so_and_has_no_lists() {
    let app = app();
    let path = format!("/reports?by=day&by=none&clock=twilio&{PERIOD}");
    let page = html(&app, &path);
    let shown = text(&page);
    assert!(shown.contains("Times are Twilio’s."), "{shown}");
    assert!(shown.contains("Tue 6 Jan 2 of 2 2 messages"), "{shown}");
    assert!(shown.contains("report --by day --since 2026-01-06 --until 2026-01-08 --clock twilio"));
    assert!(shown.contains("because of Twilio’s clock"), "{shown}");
    assert!(!page.contains("/v1/exports/messages"), "its period would be by arrival");
    assert!(!page.contains("href=\"/messages?since"), "so would that of a list");
    let by_arrival = text(&html(&app, &path.replace("twilio", "ledger")));
    assert!(by_arrival.contains("Wed 7 Jan 2 of 2 2 messages"), "{by_arrival}");
}
