//! Errors that Twilio has logged about webhook requests, as CloudEvents of Event Streams report them
//! (<https://www.twilio.com/docs/events/event-types/errors/error-logs>).
//!
//! Which members describe the request is not documented for every product, so code and URL are searched for.

use serde_json::{Map, Value};

use super::TopLevel;
use super::cloud_event::{CloudEvent, ERROR_LOGGED};
use super::members::text;
use crate::domain::event::note;
use crate::domain::logged_error::{LoggedError, error_id, url_of_error};
use crate::domain::{BodyKind, ErrorCode, NewEvent, Source, Timestamp};
use crate::twilio::form::Form;

/// How deep objects, arrays and texts that contain them may lie in each other; Twilio's have about five levels.
const DEPTH_MAX: usize = 12;

/// The maximum number of values that are searched; Twilio's events have some dozens.
const VALUES_MAX: usize = 10_000;

/// Names of the error code, in lower case without underscores.
const CODE_NAMES: [&str; 1] = ["errorcode"];

/// Names of the URL, likewise.
const URL_NAMES: [&str; 5] = ["url", "uri", "requesturl", "webhookurl", "destination"];

/// Members that are not searched, likewise: what the webhook answered, what was sent to it, and the address of
/// the documentation.
const NAMES_PASSED_OVER: [&str; 4] = ["response", "headers", "parameters", "docs"];

/// The host of Twilio's own URLs, which are links to its documentation.
const TWILIO: &str = "https://www.twilio.com/";

/// The error in an event; `None` if it is another event, or does not have both a code and a URL. Nor has it one
/// if the account that signed it does not vouch for it.
pub fn logged_error(event: &NewEvent) -> Option<LoggedError> {
    let is_vouched_for = !event.notes.contains_key(note::SIGNED_BY);
    if event.source != Source::Callback
        || event.body_kind() != Some(BodyKind::Json)
        || !is_vouched_for
    {
        return None;
    }
    let object = TopLevel::parse(&event.body);
    let envelope = CloudEvent::from_object(&object)?;
    if envelope.event_type().as_deref() != Some(ERROR_LOGGED) {
        return None;
    }
    let data: Value = serde_json::from_str(object.data.as_deref()?.get()).ok()?;
    let mut search = Search { code: None, url: None, values_left: VALUES_MAX };
    search.value("", &data, Surroundings::default(), DEPTH_MAX);
    let members = object.cloud_event()?;
    let id = envelope.id().or_else(|| text(&members, &["sid"]));
    let created = || Timestamp::parse(text(&members, &["date_created"])?.trim());
    let at = envelope.occurred_at().or_else(created).unwrap_or(event.received_at);
    Some(LoggedError {
        id: error_id(id.as_deref().map_or(&event.body[..], str::as_bytes)),
        code: search.code?,
        url: url_of_error(&search.url?.1)?,
        at: at.min(event.received_at),
    })
}

/// The objects around a value.
#[derive(Clone, Copy, Default)]
struct Surroundings {
    webhook: bool,
    request: bool,
}

/// How likely a text is the URL of the request, the most likely last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likelihood {
    AnyName,
    NameOfUrl,
    InWebhook,
    InRequest,
}

/// A search for the first code and the most likely URL.
struct Search {
    code: Option<ErrorCode>,
    url: Option<(Likelihood, String)>,
    values_left: usize,
}

impl Search {
    fn value(&mut self, name: &str, value: &Value, around: Surroundings, depth: usize) {
        if depth == 0 || self.values_left == 0 {
            return;
        }
        self.values_left -= 1;
        match value {
            Value::Object(members) => self.members(members, around, depth),
            Value::Array(elements) => {
                elements.iter().for_each(|element| self.value(name, element, around, depth - 1));
            }
            Value::String(text) => self.text(name, text, around, depth),
            Value::Number(number) => self.code_if_named(name, &number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn members(&mut self, members: &Map<String, Value>, around: Surroundings, depth: usize) {
        for (name, value) in members {
            let name = name.to_ascii_lowercase().replace('_', "");
            if NAMES_PASSED_OVER.contains(&name.as_str()) {
                continue;
            }
            let within = Surroundings {
                webhook: around.webhook || name == "webhook",
                request: around.request || name == "request",
            };
            self.value(&name, value, within, depth - 1);
        }
    }

    fn text(&mut self, name: &str, text: &str, around: Surroundings, depth: usize) {
        self.code_if_named(name, text);
        let text = text.trim();
        if text.starts_with(['{', '[']) {
            let parsed: Value = serde_json::from_str(text).unwrap_or_default();
            self.value(name, &parsed, around, depth - 1);
        } else if url_of_error(text).is_some() {
            self.url_if_more_likely(name, text, around);
        } else if text.contains('=') {
            // As in `sourceComponent=…&ErrorCode=11200&url=https%3A%2F%2F…`.
            for (name, value) in Form::parse(text.as_bytes()).pairs() {
                let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                let name = name.to_ascii_lowercase().replace('_', "");
                self.code_if_named(&name, &value);
                if url_of_error(&value).is_some() {
                    self.url_if_more_likely(&name, &value, around);
                }
            }
        }
    }

    fn code_if_named(&mut self, name: &str, text: &str) {
        if self.code.is_none() && CODE_NAMES.contains(&name) {
            self.code = ErrorCode::parse(text.trim());
        }
    }

    fn url_if_more_likely(&mut self, name: &str, url: &str, around: Surroundings) {
        if url.starts_with(TWILIO) {
            return;
        }
        let likelihood = match (URL_NAMES.contains(&name), around) {
            (true, Surroundings { request: true, .. }) => Likelihood::InRequest,
            (true, Surroundings { webhook: true, .. }) => Likelihood::InWebhook,
            (true, _) => Likelihood::NameOfUrl,
            (false, _) => Likelihood::AnyName,
        };
        if self.url.as_ref().is_none_or(|(so_far, _)| *so_far < likelihood) {
            self.url = Some((likelihood, url.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::logged_error;
    use crate::domain::event::{Headers, Salt};
    use crate::domain::logged_error::LoggedError;
    use crate::domain::{NewEvent, Source, Timestamp};

    const URL: &str = "https://hooks.example.com/message-status";

    fn event(body: &Value) -> NewEvent {
        NewEvent {
            event_id: Uuid::nil(),
            received_at: Timestamp::parse("2026-11-26T13:05:00Z").unwrap(),
            source: Source::Callback,
            method: "POST".to_owned(),
            url: "https://hooks.example.com/event-streams".to_owned(),
            headers: Headers::new([("content-type".to_owned(), b"application/json".to_vec())]),
            body: body.to_string().into_bytes(),
            verified_by: Some("primary".to_owned()),
            notes: Default::default(),
            salt: Salt::from_bytes([1; 16]),
        }
    }

    /// An event in the form of Twilio's example, with these further members of its data.
    fn envelope(further: Value) -> Value {
        let mut data = json!({
            "sid": "NO0000000000000000000000000000001",
            "account_sid": "AC0000000000000000000000000000001",
            "date_created": "2026-11-26T13:00:01.000Z",
            "level": "ERROR",
            "product_name": "Programmable Messaging",
            "error_code": "11200",
        });
        data.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        json!({
            "specversion": "1.0",
            "type": "com.twilio.error-logs.error.logged",
            "source": "AB00000000000000000000000001",
            "id": "NO00000000000000000000000001",
            "dataschema": "https://events-schemas.twilio.com/ErrorLogs.Error/2",
            "datacontenttype": "2026-11-26T13:00:02.363Z",
            "data": data,
        })
    }

    fn webhook() -> Value {
        json!({
            "type": "application/json",
            "request": {
                "url": format!("{URL}?order=17"),
                "method": "POST",
                "headers": { "Referer": "https://elsewhere.example.com/" },
                "parameters": { "url": "https://elsewhere.example.com/" },
            },
            "response": { "status_code": 502, "body": "see https://proxy.example.com/" },
        })
    }

    fn read(body: &Value) -> Option<LoggedError> {
        logged_error(&event(body))
    }

    #[test]
    fn an_error_has_the_code_the_url_and_the_time_of_its_event() {
        let error = read(&envelope(json!({ "webhook": webhook() }))).unwrap();
        assert_eq!((error.code.number(), error.url.as_str()), (11200, URL));
        assert_eq!(error.at, Timestamp::parse("2026-11-26T13:00:01Z").unwrap());

        let mut timed = envelope(json!({ "webhook": webhook(), "error_code": 11205 }));
        timed["time"] = json!("2026-11-26T13:00:07Z");
        let error = read(&timed).unwrap();
        assert_eq!(error.code.number(), 11205);
        assert_eq!(error.at, Timestamp::parse("2026-11-26T13:00:07Z").unwrap());
    }

    #[test]
    fn the_url_is_found_wherever_it_is() {
        let docs = "https://www.twilio.com/docs/errors/11200";
        for further in [
            json!({ "more_info": docs, "payload": { "webhook": webhook() } }),
            json!({ "more_info": docs, "payload": json!({ "webhook": webhook() }).to_string() }),
            json!({ "more_info": { "url": URL, "docs": docs } }),
            json!({ "webhook": { "url": URL }, "callback": "https://elsewhere.example.com/" }),
            json!({ "details": [{ "webhookUrl": URL }, { "url": "https://elsewhere.example.com/" }] }),
            json!({ "tried": URL }),
            json!({
                "more_info": "Msg=Bad+Gateway&url=https%3A%2F%2Fhooks.example.com%2Fmessage-status%3Fa%3Db"
            }),
        ] {
            let error = read(&envelope(further.clone()));
            assert_eq!(error.map(|error| error.url), Some(URL.into()), "{further}");
        }
    }

    #[test]
    fn an_error_without_a_code_or_a_url_is_left_out() {
        assert_eq!(read(&envelope(json!({}))), None);
        assert_eq!(read(&envelope(json!({ "webhook": webhook(), "error_code": "none" }))), None);
        assert_eq!(read(&envelope(json!({ "webhook": { "response": { "url": URL } } }))), None);
    }

    #[test]
    fn other_events_are_no_errors() {
        let body = envelope(json!({ "webhook": webhook() }));
        let mut other = body.clone();
        other["type"] = json!("com.twilio.messaging.message.failed");
        assert_eq!(read(&other), None);
        assert_eq!(read(&json!([body])), None);
        let sent = NewEvent { source: Source::Send, ..event(&body) };
        assert_eq!(logged_error(&sent), None);
        let notes = [("signed_by".to_owned(), "AC2".to_owned())].into();
        assert_eq!(
            logged_error(&NewEvent { notes, ..event(&body) }),
            None,
            "nobody vouches for it"
        );
        assert!(logged_error(&event(&body)).is_some());
    }

    #[test]
    fn an_error_is_the_same_if_its_event_arrives_again() {
        let body = envelope(json!({ "webhook": webhook() }));
        let again = NewEvent { url: format!("{URL}?again"), ..event(&body) };
        assert_eq!(logged_error(&again).unwrap().id, read(&body).unwrap().id);
        let mut other = body.clone();
        other["id"] = json!("NO00000000000000000000000002");
        assert_ne!(read(&other).unwrap().id, read(&body).unwrap().id);
    }

    #[test]
    fn a_time_in_the_future_is_that_of_the_arrival() {
        let mut body = envelope(json!({ "webhook": webhook() }));
        body["time"] = json!("2036-11-26T13:00:00Z");
        let event = event(&body);
        assert_eq!(logged_error(&event).unwrap().at, event.received_at);
    }

    #[test]
    fn deep_and_wide_data_ends_the_search() {
        let deep = (0..100).fold(json!({ "url": URL }), |inner, _| json!({ "webhook": inner }));
        assert_eq!(read(&envelope(json!({ "webhook": deep }))), None);
        let mut wide = vec![json!(0); 20_000];
        wide.push(json!({ "url": URL }));
        assert_eq!(read(&envelope(json!({ "webhook": wide }))), None);
    }
}
