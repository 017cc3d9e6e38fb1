//! A row of a list of messages.

use super::details::{carrier, clicks, previews, price};
use super::query::ListQuery;
use crate::domain::Timestamp;
use crate::wire::Message;
use crate::wire::parameters::TAG_PREFIX;

/// The age in microseconds at which an open message is marked: most outcomes are reported within minutes.
pub const OPEN_FOR_MICROS: i64 = 2 * 3600 * 1_000_000;

/// A message in a list.
pub struct Row {
    pub message: Message,
    pub first_received_at: Timestamp,
    /// True for the first row of its day.
    pub begins_day: bool,
    /// The path of the message's page; `None` if its SID is masked.
    pub target: Option<String>,
    pub marks: Vec<Mark>,
    pub tags: Vec<Tag>,
    pub price: Option<String>,
    pub carrier: Option<String>,
}

/// Which columns any message of a list has something for: most ledgers know nothing of these.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub clicks: bool,
    pub segments: bool,
    pub price: bool,
}

/// A mark of an unusual message.
pub struct Mark {
    pub tone: &'static str,
    pub glyph: &'static str,
    pub text: &'static str,
}

/// A tag of a message.
pub struct Tag {
    pub text: String,
    /// The path and query of the messages with it; `None` if its value is masked.
    pub target: Option<String>,
}

impl Row {
    /// The rows of messages in this order, as the client may see them.
    pub fn list(messages: Vec<Message>, now: Timestamp) -> Vec<Self> {
        let mut last_day = String::new();
        let rows = messages.into_iter().map(|message| {
            let day = message.first_received_at.get(..10).unwrap_or_default().to_owned();
            let begins_day = day != last_day;
            last_day = day;
            Self::new(message, begins_day, now)
        });
        rows.collect()
    }

    fn new(message: Message, begins_day: bool, now: Timestamp) -> Self {
        let first_received_at = Timestamp::parse(&message.first_received_at).unwrap_or(now);
        Self {
            first_received_at,
            begins_day,
            target: target(&message.message_sid),
            marks: marks(&message, first_received_at, now),
            price: price(&message),
            carrier: carrier(&message),
            tags: message.tags.iter().flat_map(|(name, values)| tags(name, values)).collect(),
            message,
        }
    }

    /// The clicks in words, the previews apart.
    pub fn clicks(&self) -> String {
        let Message { clicks: number, previews: others, .. } = self.message;
        let parts = [(number > 0).then(|| clicks(number)), (others > 0).then(|| previews(others))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What a narrow screen shows instead of the columns that it has no room for.
    pub fn details(&self) -> String {
        let code = self.message.error_code.map(|code| code.to_string());
        let clicks = (self.message.clicks > 0).then(|| clicks(self.message.clicks));
        let tag = self.tags.first().map(|tag| tag.text.clone());
        let parts = [Some(self.message.channel.clone()), code, clicks, self.price.clone(), tag];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

impl Known {
    /// What is known of at least one of these messages.
    pub fn new(rows: &[Row]) -> Self {
        let any = |is_known: fn(&Message) -> bool| rows.iter().any(|row| is_known(&row.message));
        Self {
            clicks: any(|message| message.clicks + message.previews > 0),
            segments: any(|message| message.segments.is_some()),
            price: any(|message| message.price.is_some()),
        }
    }
}

/// The path of a message's page.
pub fn target(message_sid: &str) -> Option<String> {
    if message_sid.contains('*') {
        return None;
    }
    let path: String = form_urlencoded::byte_serialize(message_sid.as_bytes()).collect();
    Some(format!("/messages/{}", path.replace('+', "%20")))
}

fn marks(message: &Message, first_received_at: Timestamp, now: Timestamp) -> Vec<Mark> {
    // Of a message with clicks alone nobody knows whether it is open.
    let has_status = message.status != "unknown" || message.unrecognised > 0;
    let is_open = !message.settled && has_status && !message.labels.contains(&"inbound");
    let is_old = now.micros().saturating_sub(first_received_at.micros()) >= OPEN_FOR_MICROS;
    let marks = [
        (message.conflict, "conflict", "e-conflict", "in conflict"),
        (message.late > 0, "late", "e-late", "late"),
        (message.duplicates > 0, "none", "e-duplicate", "duplicate"),
        (message.unrecognised > 0, "none", "e-unrecognised", "unrecognised"),
        (is_open && is_old, "none", "e-stuck", "open over 2 h"),
    ];
    let shown = marks.into_iter().filter(|(is, ..)| *is);
    shown.map(|(_, tone, glyph, text)| Mark { tone, glyph, text }).collect()
}

/// A tag's name with each of its values.
pub fn tags<'a>(name: &'a str, values: &'a [String]) -> impl Iterator<Item = Tag> + 'a {
    values.iter().map(move |value| {
        let filter = format!("{TAG_PREFIX}{name}");
        let is_masked = value.contains('*');
        Tag {
            text: format!("{name}={value}"),
            target: (!is_masked).then(|| ListQuery::with_filters([(&*filter, &**value)]).target()),
        }
    })
}
