//! Generators of phone numbers in every spelling, and of events with one in every possible place.

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, Source};
use proptest::prelude::*;
use serde_json::json;

use crate::support::events::{event, headers, with_header, with_query, with_token};
use crate::support::{MessageBody, delivered};

/// A phone number: its digits and one spelling of it.
#[derive(Debug, Clone)]
pub struct Number {
    pub digits: String,
    pub written: String,
}

/// Separators between the digits of phone numbers.
const SEPARATORS: [&str; 24] = [
    " ", "-", ".", "(", ")", "/", ",", ":", "_", ";", "+", "&", "=", "%", "\"", "\\", "\n", "\t",
    "\u{a0}", "\u{200b}", "\u{2011}", "\u{2013}", "\u{3000}", "\u{feff}",
];

/// The zeros of a few scripts.
pub const ZEROS: [char; 6] = ['0', '\u{ff10}', '\u{660}', '\u{966}', '\u{1d7ce}', '\u{1d7ec}'];

/// A number of 11 to 15 digits with up to six separators between any two.
pub fn number() -> impl Strategy<Value = Number> {
    let separators = prop_oneof![
        3 => Just(String::new()),
        2 => proptest::sample::select(&SEPARATORS[..]).prop_map(str::to_owned),
        1 => proptest::collection::vec(proptest::sample::select(&SEPARATORS[..]), 1..=6)
            .prop_map(|separators| separators.concat()),
    ];
    let digit = (0..10_u32, separators);
    let prefix = proptest::sample::select(vec!["", "+", "\u{ff0b}", "tel:+", "whatsapp:+"]);
    let zero = proptest::sample::select(&ZEROS[..]);
    (prefix, zero, proptest::collection::vec(digit, 7..=11)).prop_map(|(prefix, zero, rest)| {
        let mut number = Number { digits: "1555".to_owned(), written: prefix.to_owned() };
        let spelled = |digit: u32| char::from_u32(zero as u32 + digit).unwrap();
        number.written.extend([1, 5, 5, 5].map(spelled));
        for (digit, separator) in rest {
            number.digits += &digit.to_string();
            number.written += &separator;
            number.written.push(spelled(digit));
        }
        number
    })
}

/// Escapings applied to a text before it is put into an event.
pub const ESCAPES: [fn(&str) -> String; 5] = [
    |text| text.to_owned(),
    |text| percent(text, true),
    |text| percent(&percent(text, false), true),
    |text| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
    |text| text.encode_utf16().map(|unit| format!("%5Cu{unit:04X}")).collect(),
];

/// Percent-encodes every byte, or only those that need it.
pub fn percent(text: &str, all: bool) -> String {
    let bytes = text.bytes().map(|byte| match byte.is_ascii_alphanumeric() && !all {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// Every place of an event that can contain a text: functions from SID and text to an event.
pub const PLACES: [fn(&str, &str) -> NewEvent; 37] = [
    |sid, text| with(sid, "Body", &format!("call {text} now")),
    |sid, text| with(sid, "Body", &format!("{}{text}", "x".repeat(40))),
    |sid, text| with(sid, "Body", &format!("{}{text}{}", "ab".repeat(16), "cd".repeat(16))),
    |sid, text| with(sid, "UserSid", text),
    |sid, text| with(sid, "ErrorCode", text),
    |sid, text| with(sid, "RawDlrDoneDate", text),
    |sid, text| with(sid, "ApiVersion", text),
    |sid, text| with(sid, "AccountSid", text),
    |sid, text| with(sid, "MessagingServiceSid", text),
    |sid, text| with(sid, "ChannelPrefix", text),
    |sid, text| with(sid, "MessageStatus", text),
    |sid, text| with(sid, "To", text),
    |sid, text| with(sid, "From", text),
    |sid, text| with(sid, "ProfileName", text),
    |sid, text| with(sid, "ErrorMessage", &format!("no route to {text}")),
    |sid, text| with(sid, "ChannelStatusMessage", text),
    |sid, text| {
        let body = json!({ "sid": sid, "status": "failed", "error_message": text }).to_string();
        NewEvent { source: Source::Reconcile, ..json(&body) }
    },
    |sid, text| with(sid, &format!("{text}:"), "x"),
    |_, text| with(text, "SmsStatus", "sent"),
    |sid, text| with(sid, "Url", &format!("https://x.example/?to={}", percent(text, false))),
    |sid, text| with(sid, "ChannelMetadata", &json!({"data": {"context": text}}).to_string()),
    |sid, text| with(sid, "ChannelMetadata", &json!({ text: [text] }).to_string()),
    |sid, text| {
        let text = percent(text, false);
        event([&*delivered(sid).bytes(), b"&x=", text.as_bytes(), b"%FF\xff"].concat())
    },
    // A number split over a form's name and value is still a number.
    |sid, text| {
        let pieces = text.replace(|c: char| !c.is_alphanumeric(), "&");
        event([&delivered(sid).bytes(), &b"&"[..], pieces.as_bytes()].concat())
    },
    |sid, text| with_query(event(delivered(sid)), &format!("number={}", percent(text, false))),
    |sid, text| with_query(event(delivered(sid)), &format!("{}=1", percent(text, true))),
    |sid, text| {
        let url = format!("https://x.example/{}?a=1", percent(text, false));
        NewEvent { url, ..event(delivered(sid)) }
    },
    // In a URL, a `%` before two digits is never a separator: they are the code of another character.
    |sid, text| NewEvent { url: text.replace('%', "%25"), ..event(delivered(sid)) },
    |sid, text| NewEvent { method: text.to_owned(), ..event(delivered(sid)) },
    |sid, text| with_header(event(delivered(sid)), "user-agent", text),
    |sid, text| with_token(event(delivered(sid)), text),
    |sid, text| {
        let odd = ("x-twilio-odd".to_owned(), [text.as_bytes(), b"\xff"].concat());
        NewEvent { headers: Headers::new([odd]), ..event(delivered(sid)) }
    },
    |sid, text| NewEvent { verified_by: Some(text.to_owned()), ..event(delivered(sid)) },
    |sid, text| {
        let notes =
            [("origin_file".to_owned(), text.to_owned()), (text.to_owned(), "x".to_owned())];
        NewEvent { notes: notes.into(), ..event(delivered(sid)) }
    },
    |sid, text| {
        json(&json!({ "sid": sid, "to": text, "deep": [{ "note": text, text: 1 }] }).to_string())
    },
    // A number split over several values.
    |sid, text| {
        let digits: Vec<String> = text.chars().map(String::from).collect();
        json(&json!({ "sid": sid, "list": digits }).to_string())
    },
    |_, text| NewEvent { headers: headers(&[("content-type", "text/plain")]), ..event(text) },
];

fn with(sid: &str, name: &str, value: &str) -> NewEvent {
    let body: MessageBody = delivered(sid).with(name, value);
    event(body)
}

fn json(body: &str) -> NewEvent {
    NewEvent { headers: headers(&[("content-type", "application/json")]), ..event(body) }
}
