//! A naive computation of reports that uses nothing of the product's fold, rollups or countries.

use std::collections::BTreeMap;

use delivery_ledger::domain::NewEvent;
use delivery_ledger::report::Dimension;
use serde_json::{Map, Value, json};

use super::{EPOCH, at};
use crate::support::{MessageBody, sid, status};

/// One callback in a few words.
#[derive(Debug, Clone)]
pub struct Said {
    pub message: u32,
    pub word: &'static str,
    pub ms: i64,
    pub code: Option<u32>,
    pub account: Option<&'static str>,
    pub to: &'static str,
    pub from: &'static str,
    pub service: Option<&'static str>,
}

pub const LADDER: [&str; 8] = [
    "scheduled",
    "accepted",
    "queued",
    "sending",
    "sent",
    "partially_delivered",
    "delivered",
    "read",
];
pub const FAILURES: [&str; 3] = ["canceled", "undelivered", "failed"];

/// Addresses and the countries they lie in.
pub const TO: [(&str, &str); 6] = [
    ("+14155552671", "US"),
    ("+16137827274", "CA"),
    ("whatsapp:+491711234567", "DE"),
    ("rcs:+447400123456", "GB"),
    ("+15558675310", ""),
    ("messenger:104155552671", ""),
];

impl Said {
    pub fn event(&self) -> NewEvent {
        at(self.ms, self.body())
    }

    fn body(&self) -> MessageBody {
        let mut body = status(&sid(self.message), self.word).with("To", self.to);
        body = body.with("From", self.from);
        body = match self.account {
            Some(account) => body.with("AccountSid", account),
            None => body.without("AccountSid"),
        };
        if let Some(code) = self.code {
            body = body.with("ErrorCode", &code.to_string());
        }
        if let Some(service) = self.service {
            body = body.with("MessagingServiceSid", service);
        }
        body
    }

    fn rank(&self) -> Option<usize> {
        LADDER.iter().chain(&FAILURES).position(|word| *word == self.word)
    }

    fn is_failure(&self) -> bool {
        FAILURES.contains(&self.word)
    }

    fn is_success(&self) -> bool {
        ["partially_delivered", "delivered", "read"].contains(&self.word)
    }
}

/// A callback and the bytes of its body.
struct Received<'s> {
    said: &'s Said,
    body: Vec<u8>,
}

/// One message as the plain fold sees it.
struct Stands<'s> {
    account: Option<&'static str>,
    status: &'static str,
    code: Option<u32>,
    deciding: &'s Said,
    /// Of the highest-ranking event that has one.
    service: Option<&'static str>,
    first: i64,
    conflict: bool,
    late: bool,
    duplicate: bool,
    time_to_sent: Option<i64>,
    sent_to_delivered: Option<i64>,
}

fn stands<'s>(events: &[Received<'s>]) -> Stands<'s> {
    let saids = || events.iter().map(|event| event.said);
    // Failures rank above the ladder: the strongest failure, or else the highest step.
    let highest = saids().filter_map(Said::rank).max();
    let deciding = events.iter().filter(|event| event.said.rank() == highest);
    let deciding = deciding.min_by_key(|event| (event.said.code, &event.body)).unwrap().said;
    let with_service = events.iter().filter(|event| event.said.service.is_some());
    let with_service = with_service
        .min_by_key(|event| (std::cmp::Reverse(event.said.rank()), event.said.code, &event.body));
    let failed = saids().any(Said::is_failure);
    let code_of = |wanted: &dyn Fn(&Said) -> bool| {
        saids().filter(|said| wanted(said)).filter_map(|said| said.code).min()
    };
    let of_deciding = code_of(&|said| said.rank() == highest);
    let first = |words: &[&str]| {
        saids().filter(|said| words.contains(&said.word)).map(|said| said.ms).min()
    };
    let between = |from: Option<i64>, to: Option<i64>| Some(to? - from?);
    Stands {
        account: deciding.account,
        status: if highest.is_some() { deciding.word } else { "unknown" },
        code: of_deciding.or_else(|| code_of(&|said| said.is_failure())).filter(|_| failed),
        deciding,
        service: with_service.and_then(|event| event.said.service),
        first: saids().map(|said| said.ms).min().unwrap(),
        conflict: failed && saids().any(Said::is_success),
        late: (0..events.len()).any(|place| is_late(&events[..place], &events[place])),
        duplicate: (0..events.len()).any(|place| is_duplicate(&events[..place], &events[place])),
        time_to_sent: between(first(&["accepted", "queued", "sending"]), first(&["sent"])),
        sent_to_delivered: between(first(&["sent"]), first(&["delivered"])),
    }
}

fn is_duplicate(before: &[Received], event: &Received) -> bool {
    before.iter().any(|earlier| earlier.body == event.body)
}

fn is_late(before: &[Received], event: &Received) -> bool {
    let said = event.said;
    let conflicts = |earlier: &Said| {
        said.is_success() && earlier.is_failure() || said.is_failure() && earlier.is_success()
    };
    let highest = before.iter().filter_map(|earlier| earlier.said.rank()).max();
    said.rank().is_some_and(|rank| highest.is_some_and(|highest| rank < highest))
        && !before.iter().any(|earlier| conflicts(earlier.said))
        && !is_duplicate(before, event)
}

/// Who is usually responsible, for the codes of these tests.
fn fault(code: Option<u32>) -> &'static str {
    match code {
        Some(30003 | 30005) => "recipient",
        Some(30007) => "carrier",
        _ => "unknown",
    }
}

/// Rows of a report, by their keys, and the lengths of time as they are.
#[derive(Debug, Default)]
pub struct RowJson {
    pub messages: i64,
    pub statuses: BTreeMap<&'static str, i64>,
    pub conflicts: i64,
    pub late: i64,
    pub duplicate: i64,
    pub on_receipts: (i64, i64),
    pub time_to_sent: Vec<Option<i64>>,
    pub sent_to_delivered: Vec<Option<i64>>,
}

/// Which messages count: status and channel, or no condition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Only {
    pub status: Option<&'static str>,
    pub channel: Option<&'static str>,
    /// Full hours since the tests begin: from the first up to the second.
    pub hours: Option<(i64, i64)>,
}

/// The messages of some callbacks, which every report on them counts.
pub struct Messages<'s>(Vec<Stands<'s>>);

impl<'s> Messages<'s> {
    pub fn of(said: &'s [Said]) -> Self {
        let mut messages: BTreeMap<(u32, Option<&str>), Vec<Received>> = BTreeMap::new();
        for said in said {
            let received = Received { said, body: said.body().bytes() };
            messages.entry((said.message, said.account)).or_default().push(received);
        }
        Self(messages.values().map(|events| stands(events)).collect())
    }
}

/// The report on these messages.
pub fn report(
    messages: &Messages,
    by: &[Dimension],
    zone: &str,
    only: Only,
) -> BTreeMap<Option<String>, RowJson> {
    let mut rows: BTreeMap<Option<String>, RowJson> = BTreeMap::new();
    for stands in &messages.0 {
        let channel = match stands.deciding.to.split_once(':') {
            Some((prefix, _)) => prefix,
            None => "sms",
        };
        let hour = stands.first.div_euclid(3_600_000);
        let is_wanted = only.status.is_none_or(|status| status == stands.status)
            && only.channel.is_none_or(|wanted| wanted == channel)
            && only.hours.is_none_or(|(since, until)| (since..until).contains(&hour));
        if !is_wanted {
            continue;
        }
        let country = TO.iter().find(|(to, _)| *to == stands.deciding.to).unwrap().1;
        let value = |by: &Dimension| match &*by.name() {
            "day" => Some(shown(stands.first, zone, "%Y-%m-%d")),
            "hour" if zone == "UTC" => Some(shown(stands.first, zone, "%Y-%m-%dT%H:00:00Z")),
            "hour" => Some(shown(stands.first, zone, "%Y-%m-%dT%H:00:00%:z")),
            "week" => Some(shown(stands.first, zone, "%G-W%V")),
            "month" => Some(shown(stands.first, zone, "%Y-%m")),
            "weekday" => Some(shown(stands.first, zone, "%A")),
            "hour-of-day" => Some(shown(stands.first, zone, "%H")),
            "channel" => Some(channel.to_owned()),
            "from" => Some(stands.deciding.from.to_owned()),
            "messaging-service" => stands.service.map(str::to_owned),
            "country" => Some(country.to_owned()).filter(|country| !country.is_empty()),
            "error-code" => stands.code.map(|code| code.to_string()),
            "fault" if !["undelivered", "failed"].contains(&stands.status) => None,
            "fault" => Some(fault(stands.code).to_owned()),
            // Callbacks name none.
            "carrier" => None,
            _ => stands.account.map(str::to_owned),
        };
        let key = match by {
            [one] => value(one),
            several => {
                let values = several.iter().map(|by| value(by).unwrap_or("(none)".to_owned()));
                Some(values.collect::<Vec<_>>().join(" / "))
            }
        };
        let row = rows.entry(key).or_default();
        row.messages += 1;
        *row.statuses.entry(stands.status).or_default() += 1;
        row.conflicts += i64::from(stands.conflict);
        row.late += i64::from(stands.late);
        row.duplicate += i64::from(stands.duplicate);
        if ["whatsapp", "rcs"].contains(&channel) {
            row.on_receipts.0 += i64::from(["delivered", "read"].contains(&stands.status));
            row.on_receipts.1 += i64::from(stands.status == "read");
        }
        row.time_to_sent.push(stands.time_to_sent);
        row.sent_to_delivered.push(stands.sent_to_delivered);
    }
    rows
}

/// What a calendar in the zone shows at a time in milliseconds since the first.
fn shown(ms: i64, zone: &str, format: &str) -> String {
    let epoch: jiff::Timestamp = EPOCH.parse().unwrap();
    let time = epoch + jiff::SignedDuration::from_millis(ms);
    time.in_tz(zone).unwrap().strftime(format).to_string()
}

impl RowJson {
    /// All that is exact of it, as the JSON has it.
    pub fn exact(&self) -> Value {
        let of = |word: &str| self.statuses.get(word).copied().unwrap_or(0);
        let (reached, not) = (of("delivered") + of("read"), of("undelivered") + of("failed"));
        let sent = reached + of("sent") + of("partially_delivered") + of("undelivered");
        let ratio = |part: i64, whole: i64| (whole > 0).then(|| part as f64 / whole as f64);
        let words = LADDER.iter().chain(&FAILURES).chain(&["unknown"]);
        let statuses: Map<_, _> = words.map(|word| (word.to_string(), of(word).into())).collect();
        json!({
            "messages": self.messages,
            "statuses": statuses,
            "open": self.messages - reached - not - of("canceled"),
            "conflicts": self.conflicts,
            "imported": 0,
            "late": self.late,
            "duplicate": self.duplicate,
            "delivery_rate": ratio(reached, reached + not),
            "read_rate": ratio(self.on_receipts.1, self.on_receipts.0),
            "failure_rate": ratio(not, reached + not),
            "time_to_sent_ms": counts(&self.time_to_sent),
            "sent_to_delivered_ms": counts(&self.sent_to_delivered),
            // Of callbacks alone nothing more is known.
            "segments": 0,
            "segments_known": 0,
            "prices": {},
            "priced": 0,
            "clicks": 0,
            "clicked": 0,
            "click_rate": ratio(0, reached),
            "feedback_confirmed": 0,
            "feedback_unconfirmed": 0,
            "feedback_unknown": self.messages,
            "conversion_rate": ratio(0, sent),
        })
    }
}

fn counts(lengths: &[Option<i64>]) -> Value {
    let unknown = lengths.iter().filter(|length| length.is_none()).count();
    let negative = lengths.iter().flatten().filter(|length| **length < 0).count();
    json!({ "known": lengths.len() - unknown - negative, "unknown": unknown, "negative": negative })
}

/// The exact percentile of the lengths that are none below zero.
pub fn percentile(lengths: &[Option<i64>], hundredths: usize) -> Option<i64> {
    let mut known: Vec<_> = lengths.iter().flatten().copied().filter(|ms| *ms >= 0).collect();
    known.sort_unstable();
    known.get(((known.len() * hundredths).div_ceil(100)).max(1) - 1).copied()
}
