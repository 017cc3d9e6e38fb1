//! Addresses with all but their last four digits hidden, wherever in an event or a message they
//! stand: for people who may know that a message failed, and not whom it was for.
//!
//! What is hidden becomes `*`; everything else keeps its bytes. Nothing here decides who sees what.

mod body;
mod text;

use std::collections::BTreeMap;

pub use self::text::DIGITS_SHOWN;
use self::text::{Known, Rule};
use super::{Message, TimelineEntry};
use crate::domain::NewEvent;
use crate::domain::event::Headers;

/// Headers that say nothing of anybody: to hide digits of theirs would only spoil them.
const OPAQUE_HEADERS: [&str; 2] = ["x-twilio-signature", "i-twilio-idempotency-token"];

/// An address: its channel's prefix, its punctuation and its last four digits stay.
///
/// ```
/// use delivery_ledger::wire::mask;
///
/// assert_eq!(mask::address("+15558675310"), "+*******5310");
/// assert_eq!(mask::address("whatsapp:+15558675310"), "whatsapp:+*******5310");
/// assert_eq!(mask::address("ACME"), "****");
/// ```
pub fn address(address: &str) -> String {
    text::masked(address, Rule::Address, &Known::default())
}

/// A URL's path in which no address can be read.
pub fn path(path: &str) -> String {
    url(path, &Known::default())
}

/// An event in whose URL, headers, body and notes no address can be read.
pub fn event(event: &NewEvent) -> NewEvent {
    let kind = body::Kind::of(event.media_type().as_deref());
    let known = kind.addresses(&event.body);
    let plain = |value: &str| text::masked(value, Rule::Text, &known);
    NewEvent {
        url: url(&event.url, &known),
        headers: headers(&event.headers, &known),
        body: kind.masked(&event.body, &known),
        notes: event
            .notes
            .iter()
            .map(|(name, note)| (name.clone(), plain(note)))
            .collect::<BTreeMap<_, _>>(),
        ..event.clone()
    }
}

/// A message as it stands, and its timeline's words. The bodies in a timeline are the events', to be
/// masked by [`event`] before.
pub fn message(message: Message) -> Message {
    let addresses = message.from.iter().chain(&message.to);
    let known = Known::of(addresses.map(String::as_bytes));
    let word = |text: String| text::masked(&text, Rule::Text, &known);
    let fixed = |text: String| text::masked(&text, Rule::Fixed, &known);
    let entry = |entry: TimelineEntry| TimelineEntry { status: entry.status.map(word), ..entry };
    let timeline = message.timeline.map(|entries| entries.into_iter().map(entry).collect());
    Message {
        from: message.from.map(|from| address(&from)),
        to: message.to.map(|to| address(&to)),
        channel: word(message.channel),
        messaging_service_sid: message.messaging_service_sid.map(word),
        raw_dlr_done_date: message.raw_dlr_done_date.map(fixed),
        timeline,
        ..message
    }
}

/// The path as text, the query as the form that it is.
fn url(url: &str, known: &Known) -> String {
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let path = text::masked_encoded(path.as_bytes(), Rule::Text, known);
    let query = query.map(|query| [b"?".to_vec(), body::form(query.as_bytes(), known)].concat());
    let masked = [path, query.unwrap_or_default()].concat();
    String::from_utf8_lossy(&masked).into_owned()
}

fn headers(headers: &Headers, known: &Known) -> Headers {
    let masked = headers.iter().map(|(name, value)| match OPAQUE_HEADERS.contains(&name) {
        true => (name.to_owned(), value.to_vec()),
        false => (name.to_owned(), text::masked_encoded(value, Rule::Text, known)),
    });
    Headers::new(masked)
}

#[cfg(test)]
mod tests {
    use super::{address, body::Kind};
    use crate::domain::event::Headers;
    use crate::domain::{NewEvent, Source, Timestamp};

    const SID: &str = "SM00000000000000000000000000000001";

    fn form(body: &str) -> String {
        let kind = Kind::of(None);
        let masked = kind.masked(body.as_bytes(), &kind.addresses(body.as_bytes()));
        String::from_utf8(masked).unwrap()
    }

    fn json(body: &str) -> String {
        let kind = Kind::of(Some("application/json"));
        let masked = kind.masked(body.as_bytes(), &kind.addresses(body.as_bytes()));
        String::from_utf8(masked).unwrap()
    }

    #[test]
    fn an_address_keeps_its_last_four_digits() {
        for (given, masked) in [
            ("+15558675310", "+*******5310"),
            ("whatsapp:+15558675310", "whatsapp:+*******5310"),
            ("messenger:1234567890", "messenger:******7890"),
            ("sip:alice@example.com", "sip:*****@*******.***"),
            ("12345", "*2345"),
            ("ACME", "****"),
            ("ACME 2026", "**** 2026"),
            ("+1 (555) 867-5310", "+* (***) ***-5310"),
            ("Zoë", "****"),
            ("", ""),
        ] {
            assert_eq!(address(given), masked, "{given}");
        }
    }

    #[test]
    fn a_form_keeps_every_byte_that_is_no_address() {
        let body = format!(
            "SmsSid={SID}&MessageStatus=delivered&To=%2B15558675310&MessageSid={SID}\
             &AccountSid=AC0123456789abcdef0123456789abcdef&From=%2b15017250604&ApiVersion=2010-04-01\
             &RawDlrDoneDate=2511160837&ErrorCode=30003&&odd&=x"
        );
        let masked = form(&body);
        assert_eq!(
            masked,
            body.replace("%2B15558675310", "%2B*******5310")
                .replace("%2b15017250604", "%2b*******0604")
        );
    }

    #[test]
    fn an_address_is_found_under_every_name_and_in_every_spelling() {
        for (given, masked) in [
            ("To=whatsapp%3A%2B15558675310", "To=whatsapp%3A%2B*******5310"),
            ("To=+15558675310", "To=+*******5310"),
            ("to=15558675310", "to=*******5310"),
            ("T%6f=%2B1%3555867%35310", "T%6f=%2B*******%35310"),
            ("WaId=15558675310", "WaId=*******5310"),
            ("ProfileName=Jane+Doe+1979", "ProfileName=****+***+****"),
            ("Body=call+555.867.5310+now", "Body=call+***.***.5310+now"),
            ("Anything=%2B15558675310", "Anything=%2B*******5310"),
            (
                "To=%2B15558675310&RawDlrDoneDate=15558675310",
                "To=%2B*******5310&RawDlrDoneDate=*******5310",
            ),
            ("To=%2B15558675310&x=SM15558675310", "To=%2B*******5310&x=SM*******5310"),
            ("%2B15558675310=x", "%2B*******5310=x"),
            ("x=%2B15558675310%FF", "x=%2B*******5310%FF"),
        ] {
            assert_eq!(form(given), masked, "{given}");
        }
    }

    #[test]
    fn json_inside_a_form_is_read_too() {
        let inside =
            r#"{"type":"whatsapp","data":{"context":{"ProfileName":"Jane","WaId":"15558675310"}}}"#;
        let body = format!(
            "ChannelMetadata={}",
            percent_encoding::percent_encode(inside.as_bytes(), percent_encoding::NON_ALPHANUMERIC)
        );
        let masked = form(&body);
        let value = masked.strip_prefix("ChannelMetadata=").unwrap();
        let value = percent_encoding::percent_decode_str(value).decode_utf8().unwrap();
        assert_eq!(value, inside.replace("Jane", "****").replace("15558675310", "*******5310"));
    }

    #[test]
    fn json_is_masked_at_every_depth() {
        let body = format!(
            r#"{{"sid":"{SID}","to":"+15558675310","from":"+15017250604","status":"sent","n":15558675310,"deep":[{{"note":"to +1 555 867 5310","profile_name":"Jane"}}]}}"#
        );
        assert_eq!(
            json(&body),
            format!(
                r#"{{"sid":"{SID}","to":"+*******5310","from":"+*******0604","status":"sent","n":"*******5310","deep":[{{"note":"to +* *** *** 5310","profile_name":"****"}}]}}"#
            )
        );
        // What cannot be read cannot be masked in part.
        assert_eq!(json(r#"{"to":"\u002b15558675310""#), "*");
    }

    #[test]
    fn an_event_has_no_address_left_anywhere() {
        let event = NewEvent {
            event_id: uuid::Uuid::nil(),
            received_at: Timestamp::from_micros(0),
            source: Source::Import,
            method: "POST".to_owned(),
            url: "https://x.example:8443/to/15558675310?to=%2B15558675310&order=17".to_owned(),
            headers: Headers::new([
                ("user-agent".to_owned(), b"for +15558675310".to_vec()),
                ("x-twilio-signature".to_owned(), b"1555867531015558675310AAAA=".to_vec()),
                ("i-twilio-idempotency-token".to_owned(), b"123456789-987654321".to_vec()),
            ]),
            body: b"To=%2B15558675310".to_vec(),
            verified_by: None,
            notes: [("from".to_owned(), "archive of +15558675310".to_owned())].into(),
        };
        let masked = super::event(&event);
        assert_eq!(masked.url, "https://x.example:8443/to/*******5310?to=%2B*******5310&order=17");
        assert_eq!(masked.headers.get("user-agent"), Some(&b"for +*******5310"[..]));
        for opaque in super::OPAQUE_HEADERS {
            assert_eq!(masked.headers.get(opaque), event.headers.get(opaque), "{opaque}");
        }
        assert_eq!(masked.body, b"To=%2B*******5310");
        assert_eq!(masked.notes["from"], "archive of +*******5310");
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_around_a_number_it_is_hidden(
            before in "[ -~]{0,20}[^0-9A-Za-z]",
            digits in "[1-9][0-9]{8,14}",
            after in "([^0-9A-Za-z][ -~]{0,20})?",
        ) {
            let masked = super::text::masked(
                &format!("{before}+{digits}{after}"), super::Rule::Text, &super::Known::default(),
            );
            proptest::prop_assert!(!masked.contains(&digits[..5]), "{}", masked);
        }

        #[test]
        fn any_bytes_can_be_masked(bytes: Vec<u8>) {
            for media_type in [None, Some("application/json"), Some("text/plain")] {
                let kind = Kind::of(media_type);
                kind.masked(&bytes, &kind.addresses(&bytes));
            }
        }
    }
}
