//! Masking: replaces all but the last four digits of addresses with `*`, anywhere in an event or a
//! message, for people who may know that a message failed but not whom it was for. Signatures and
//! hashes are masked completely.
//!
//! Everything else keeps its bytes. Who sees masked data is decided elsewhere.

mod body;
mod chars;
pub mod digits;
mod fields;
mod known_forms;
mod message_texts;
mod secrets;
mod tags;
mod text;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub use self::fields::{filter, sid};
use self::known_forms::Form;
pub use self::message_texts::MaskedTexts;
use self::tags::tags;
pub use self::tags::{hides_tag, hides_tag_name, tag_value};
pub use self::text::DIGITS_SHOWN;
use self::text::{DIGITS_KNOWN_MIN, Known, Part, Rule, digits_of, masked_parts};
use super::event::facts::EventFacts;
use super::message::{ClickEntry, MessageExplanation};
use super::{Event, Message, TimelineEntry};
use crate::domain::event::Headers;
use crate::domain::{NewEvent, RecordedEvent};

/// Masks an address. The channel's prefix, the punctuation and the last four digits stay.
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

/// Masks the addresses in a text.
pub fn text(text: &str) -> String {
    text::masked(text, Rule::Text, &Known::default())
}

/// Masks the addresses in the path of a URL.
pub fn path(path: &str) -> String {
    url(path, &Known::default())
}

/// Whether a search for exactly this text, such as a SID, could confirm a masked number: it has as many
/// digits as a telephone number, and does not have the form of Twilio's SIDs.
///
/// ```
/// use delivery_ledger::wire::mask;
///
/// assert!(mask::could_be_number("+15558675310") && mask::could_be_number("SM-867-5310"));
/// assert!(!mask::could_be_number("SM04363cdd65ee4cb2b17e3bbf56ed084d") && !mask::could_be_number("SM1"));
/// ```
pub fn could_be_number(asked_for: &str) -> bool {
    let chars: Vec<char> = asked_for.chars().collect();
    !Form::Sid.fits(&chars)
        && (digits_of(asked_for.as_bytes()).len() >= DIGITS_KNOWN_MIN
            || text(asked_for) != asked_for)
}

/// Masks the URL, headers, body and notes of an event.
pub fn event(event: &NewEvent) -> NewEvent {
    hidden_in(event, &known_in(event))
}

/// Masks an event and makes its JSON, with the SIDs that were read from its body before.
pub fn recorded(
    event: RecordedEvent,
    account_sid: Option<String>,
    message_sid: Option<String>,
) -> Event {
    let known = known_in(&event);
    let sid = |sid: String| text::masked(&sid, Rule::Fixed(Form::Sid), &known);
    let event = RecordedEvent { event: hidden_in(&event, &known), ..event };
    Event::new(event, account_sid.map(sid), message_sid.map(sid)).into_masked()
}

/// Masks a message and the statuses in its timeline. The bodies in the timeline have to be masked by
/// [`event`] before.
pub fn message(message: Message) -> Message {
    let texts = MaskedTexts::new(&message.texts());
    let known = &texts.known;
    let word = |text: String| text::masked(&text, Rule::Text, known);
    let entry = |entry: TimelineEntry| TimelineEntry {
        status: entry.status.map(word),
        click: entry.click.map(|click| ClickEntry {
            link: click.link.map(|link| url(&link, known)),
            user_agent: click.user_agent.map(word),
            ..click
        }),
        error_message: entry.error_message.map(word),
        channel_status_message: entry.channel_status_message.map(word),
        url: entry.url.map(|text| url(&text, known)),
        verified_by: entry.verified_by.map(word),
        links: entry.links.masked(),
        ..entry
    };
    let timeline = message.timeline.map(|entries| entries.into_iter().map(entry).collect());
    // A link with a masked SID would lead nowhere.
    let shows_sids =
        (&texts.message_sid, &texts.account_sid) == (&message.message_sid, &message.account_sid);
    Message {
        account_name: message.account_name.map(word),
        links: message.links.filter(|_| shows_sids),
        explanation: message.explanation.map(|explanation| MessageExplanation {
            error_message: explanation.error_message.map(word),
            channel_status_message: explanation.channel_status_message.map(word),
            ..explanation
        }),
        timeline,
        message_sid: texts.message_sid,
        account_sid: texts.account_sid,
        messaging_service_sid: texts.messaging_service_sid,
        from: texts.from,
        to: texts.to,
        channel: texts.channel,
        raw_dlr_done_date: texts.raw_dlr_done_date,
        tags: texts.tags,
        ..message
    }
}

/// Masks what an event reports of its message.
pub fn facts(facts: EventFacts) -> EventFacts {
    let known = Known::of(facts.from.iter().chain(&facts.to).map(String::as_bytes));
    EventFacts {
        status: facts.status.map(|status| text::masked(&status, Rule::Text, &known)),
        from: facts.from.map(|from| address(&from)),
        to: facts.to.map(|to| address(&to)),
        tags: tags(&facts.tags, &known),
        error_code: facts.error_code,
        occurred_at: facts.occurred_at,
    }
}

/// The addresses in an event's body and URL.
fn known_in(event: &NewEvent) -> Known {
    let mut addresses = body::Kind::of(event.body_kind()).addresses(&event.body);
    addresses.extend(body::addresses_of_form(event.query().as_bytes()));
    Known::of(addresses.iter().map(Vec::as_slice))
}

fn hidden_in(event: &NewEvent, known: &Known) -> NewEvent {
    let plain = |value: &str| text::masked(value, Rule::Text, known);
    NewEvent {
        method: plain(&event.method),
        url: url(&event.url, known),
        headers: headers(&event.headers, known),
        body: body::Kind::of(event.body_kind()).masked(&event.body, known),
        verified_by: event.verified_by.as_deref().map(plain),
        notes: notes(&event.notes, known),
        ..event.clone()
    }
}

/// Masks a URL: its path as text, its query as a form.
fn url(url: &str, known: &Known) -> String {
    let host = host_length(url);
    let (before, url) = url.split_at(host);
    let (path, query) =
        url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query.as_bytes())));
    let mut parts = vec![Part::encoded(path.as_bytes(), Rule::Text)];
    parts.extend(query.into_iter().flat_map(|query| body::parts(query, known)));
    let masked = masked_parts(&parts, known);
    let mut shown = [before.as_bytes(), &masked[0]].concat();
    if let Some(query) = query {
        shown.push(b'?');
        shown.extend(body::joined(query, &masked[1..]));
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// The length of a URL's scheme and, if its host is an IPv4 address, of that and its port, whose digits
/// are not a telephone number. Any other host is text.
fn host_length(url: &str) -> usize {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme));
    let Some(scheme) = scheme.map(str::len) else { return 0 };
    let rest = &url[scheme..];
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, port) = rest[..authority].split_once(':').unwrap_or((&rest[..authority], "0"));
    let is_address = host.parse::<Ipv4Addr>().is_ok() && port.parse::<u16>().is_ok();
    if is_address { scheme + authority } else { scheme }
}

fn headers(headers: &Headers, known: &Known) -> Headers {
    let parts = headers.iter().flat_map(|(name, value)| {
        [Part::plain(name.as_bytes(), Rule::Text), Part::plain(value, body::rule_of(name))]
    });
    let masked = masked_parts(&parts.collect::<Vec<_>>(), known);
    let pairs = masked.chunks_exact(2).map(|pair| (lossy(&pair[0]), pair[1].clone()));
    Headers::new(pairs)
}

fn notes(notes: &BTreeMap<String, String>, known: &Known) -> BTreeMap<String, String> {
    let parts = notes.iter().flat_map(|(name, note)| {
        let rule = match body::rule_of(name) {
            Rule::Secret => Rule::Secret,
            _ => Rule::Text,
        };
        [Part::plain(name.as_bytes(), Rule::Text), Part::plain(note.as_bytes(), rule)]
    });
    let masked = masked_parts(&parts.collect::<Vec<_>>(), known);
    masked.chunks_exact(2).map(|pair| (lossy(&pair[0]), lossy(&pair[1]))).collect()
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{address, body::Kind};
    use crate::domain::event::Headers;
    use crate::domain::{BodyKind, NewEvent, Source, Timestamp};

    const SID: &str = "SM00000000000000000000000000000001";

    fn form(body: &str) -> String {
        masked(Kind::of(Some(BodyKind::Form)), body)
    }

    fn json(body: &str) -> String {
        masked(Kind::of(Some(BodyKind::Json)), body)
    }

    fn masked(kind: Kind, body: &str) -> String {
        let addresses = kind.addresses(body.as_bytes());
        let known = super::Known::of(addresses.iter().map(Vec::as_slice));
        String::from_utf8(kind.masked(body.as_bytes(), &known)).unwrap()
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
            ("Zoë", "***"),
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
            salt: crate::domain::event::Salt::from_bytes([7; 16]),
        };
        let masked = super::event(&event);
        assert_eq!(masked.url, "https://x.example:8443/to/*******5310?to=%2B*******5310&order=17");
        assert_eq!(masked.headers.get("user-agent"), Some(&b"for +*******5310"[..]));
        assert_eq!(masked.headers.get("x-twilio-signature"), Some(&b"*"[..]));
        let token = masked.headers.get("i-twilio-idempotency-token");
        assert_eq!(token, Some(&b"*********-*****4321"[..]), "it is no UUID");
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
            for kind in [Some(BodyKind::Form), Some(BodyKind::Json), None] {
                let kind = Kind::of(kind);
                let addresses = kind.addresses(&bytes);
                kind.masked(&bytes, &super::Known::of(addresses.iter().map(Vec::as_slice)));
            }
        }
    }
}
