//! A naive computation of times, segments, prices, carriers, clicks and feedback, from the bodies of all kinds of
//! events. It uses nothing of the product.

use std::collections::{BTreeMap, BTreeSet};

use delivery_ledger::domain::{NewEvent, Source};
use serde_json::{Value, json};

use super::naive::{FAILURES, LADDER};

/// Seconds since 1970.
pub type Seconds = i64;

/// An amount in billionths, and its currency.
type Price = (i64, String);

/// The rank of a status, and the codes of the network that an event with it names.
type RankedCarrier = (Option<usize>, (String, String));

/// What is known of one message.
#[derive(Debug, Default)]
struct Message {
    /// The highest rank of its statuses.
    rank: Option<usize>,
    arrived: Option<Seconds>,
    created: Option<Seconds>,
    /// Twilio's time of each status.
    times: BTreeMap<usize, Seconds>,
    arrivals: BTreeMap<usize, i64>,
    segments: Option<i64>,
    price: Option<Price>,
    carrier: Option<RankedCarrier>,
    /// Clicks of people.
    clicks: BTreeSet<(String, String, String)>,
    feedback: Option<bool>,
}

/// The clock of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByClock {
    Ledger,
    Twilio,
}

/// The report of these events of numbered messages: the figures of each row, and the number of messages whose
/// time is known.
pub fn report(
    events: &[(u32, NewEvent)],
    by: &str,
    clock: ByClock,
    period: Option<(Seconds, Seconds)>,
) -> (BTreeMap<Option<String>, Value>, i64) {
    let mut messages: BTreeMap<u32, Message> = BTreeMap::new();
    for (number, event) in events {
        messages.entry(*number).or_default().learn(event);
    }
    let mut rows: BTreeMap<Option<String>, Vec<&Message>> = BTreeMap::new();
    let mut known = 0;
    for message in messages.values() {
        let occurred = message.created.into_iter().chain(message.times.values().copied()).min();
        let arrived = message.arrived.unwrap();
        let at = match clock {
            ByClock::Ledger => arrived,
            ByClock::Twilio => occurred.unwrap_or(arrived),
        };
        if period.is_some_and(|(since, until)| !(since..until).contains(&at)) {
            continue;
        }
        known += i64::from(clock == ByClock::Ledger || occurred.is_some());
        let shown = |format| jiff::Timestamp::from_second(at).unwrap().strftime(format).to_string();
        let key = match by {
            "day" => Some(shown("%Y-%m-%d")),
            "hour-of-day" => Some(shown("%H")),
            _ => message.carrier.as_ref().map(|(_, (mcc, mnc))| match (&**mcc, &**mnc) {
                ("310", "260") => "T-Mobile".to_owned(),
                (mcc, mnc) => format!("{mcc}-{mnc}"),
            }),
        };
        rows.entry(key).or_default().push(message);
    }
    (rows.into_iter().map(|(key, messages)| (key, figures(&messages, clock))).collect(), known)
}

fn figures(messages: &[&Message], clock: ByClock) -> Value {
    let count = |is: &dyn Fn(&Message) -> bool| messages.iter().filter(|m| is(m)).count();
    let is_one_of = |message: &Message, words: &[&str]| {
        message.rank.is_some_and(|rank| words.contains(&word(rank)))
    };
    let reached = |message: &Message| is_one_of(message, &["delivered", "read"]);
    let sent = |message: &Message| {
        let words = ["sent", "partially_delivered", "delivered", "read", "undelivered"];
        is_one_of(message, &words)
    };
    let ratio = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let clicked = count(&|message| reached(message) && !message.clicks.is_empty());
    let confirmed = |message: &Message| message.feedback == Some(true);
    let mut prices: BTreeMap<&str, i64> = BTreeMap::new();
    for (amount, currency) in messages.iter().filter_map(|message| message.price.as_ref()) {
        *prices.entry(currency).or_default() += amount;
    }
    let prices: BTreeMap<_, _> =
        prices.into_iter().map(|(currency, sum)| (currency, decimal(sum))).collect();
    let durations = |from: &[&str], to: &str| {
        let of = |message: &&Message| message.between(from, to, clock);
        let lengths: Vec<_> = messages.iter().map(of).collect();
        let unknown = lengths.iter().filter(|length| length.is_none()).count();
        let negative = lengths.iter().flatten().filter(|length| **length < 0).count();
        json!({ "known": lengths.len() - unknown - negative, "unknown": unknown, "negative": negative })
    };
    json!({
        "messages": messages.len(),
        "time_to_sent_ms": durations(&["accepted", "queued", "sending"], "sent"),
        "sent_to_delivered_ms": durations(&["sent"], "delivered"),
        "segments": messages.iter().filter_map(|message| message.segments).sum::<i64>(),
        "segments_known": count(&|message| message.segments.is_some()),
        "prices": prices,
        "priced": count(&|message| message.price.is_some()),
        "clicks": messages.iter().map(|message| message.clicks.len()).sum::<usize>(),
        "clicked": clicked,
        "click_rate": ratio(clicked, count(&reached)),
        "feedback_confirmed": count(&confirmed),
        "feedback_unconfirmed": count(&|message| message.feedback == Some(false)),
        "feedback_unknown": count(&|message| message.feedback.is_none()),
        "conversion_rate": ratio(count(&|m| confirmed(m) && sent(m)), count(&sent)),
    })
}

/// Billionths as a decimal number without trailing zeros.
fn decimal(billionths: i64) -> String {
    let digits = format!("{:010}", billionths.abs());
    let (whole, fraction) = digits.split_at(digits.len() - 9);
    let text = format!("{whole}.{fraction}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{text}", if billionths < 0 { "-" } else { "" })
}

fn rank(word: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    LADDER.iter().chain(&FAILURES).position(|known| *known == word)
}

fn word(rank: usize) -> &'static str {
    LADDER.iter().chain(&FAILURES).nth(rank).unwrap()
}

impl Message {
    fn learn(&mut self, event: &NewEvent) {
        let micros = event.received_at.micros();
        self.arrived = Some(least(self.arrived, micros / 1_000_000));
        let status = match serde_json::from_slice::<Value>(&event.body) {
            Err(_) => status_of_form(&event.body),
            Ok(body) if event.source != Source::Callback => self.learn_answer(&body),
            Ok(body) => match body["data"].as_object() {
                Some(data) if body["type"] == "com.twilio.daptbt.link-shortening.link-clicked" => {
                    self.learn_click(&Value::from(data.clone()), event)
                }
                Some(data) => self.learn_cloud_event(&Value::from(data.clone()), &body),
                None => self.learn_click(&body, event),
            },
        };
        self.rank = self.rank.max(status);
        if let Some(status) = status {
            let first = self.arrivals.entry(status).or_insert(micros);
            *first = micros.min(*first);
        }
    }

    fn learn_answer(&mut self, body: &Value) -> Option<usize> {
        match body["outcome"].as_str() {
            Some("confirmed") => self.feedback = Some(true),
            Some("unconfirmed") => self.feedback = self.feedback.or(Some(false)),
            _ => {}
        }
        self.learn_segments(&body["num_segments"]);
        let amount = match body["price"].as_str() {
            Some("-0.00750") => Some(-7_500_000),
            Some("-0.01") => Some(-10_000_000),
            _ => None,
        };
        let price = amount.zip(body["price_unit"].as_str().map(str::to_owned));
        self.price = self.price.take().into_iter().chain(price).min();
        let status = rank(body["status"].as_str()?);
        if let Some(date) = body["date_sent"].as_str() {
            assert_eq!(date, "Fri, 02 Jan 2026 03:02:00 +0000");
            let sent_at = seconds("2026-01-02T03:02:00Z");
            self.created = Some(least(self.created, sent_at));
            if body["status"] != "failed" {
                self.happened(rank("sent")?, sent_at);
            }
        }
        status
    }

    fn learn_cloud_event(&mut self, data: &Value, envelope: &Value) -> Option<usize> {
        let status = rank(data["messageStatus"].as_str()?)?;
        let time = data["timestamp"].as_str().or(envelope["time"].as_str())?;
        self.happened(status, seconds(time));
        self.learn_segments(&data["numberOfSegments"]);
        if let (Some(mcc), Some(mnc)) = (text(&data["mcc"]), text(&data["mnc"])) {
            let carrier = (Some(status), (mcc, mnc));
            let better = |(rank, codes): &RankedCarrier| {
                carrier.0 > *rank || carrier.0 == *rank && carrier.1 < *codes
            };
            if self.carrier.as_ref().is_none_or(better) {
                self.carrier = Some(carrier);
            }
        }
        Some(status)
    }

    fn learn_click(&mut self, data: &Value, event: &NewEvent) -> Option<usize> {
        let own = |name: &str| data[name].as_str().map(str::to_owned);
        let agent = own("user_agent").unwrap_or_default();
        if agent.contains("iPhone") {
            let body = || String::from_utf8(event.body.clone()).unwrap();
            let when = own("click_time").unwrap_or_else(body);
            self.clicks.insert((when, own("link").unwrap_or_default(), agent));
        }
        None
    }

    fn learn_segments(&mut self, value: &Value) {
        let segments = text(value).and_then(|text| text.parse::<i64>().ok());
        self.segments = self.segments.max(segments.filter(|segments| *segments > 0));
    }

    fn happened(&mut self, status: usize, at: Seconds) {
        let first = self.times.entry(status).or_insert(at);
        *first = at.min(*first);
    }

    fn between(&self, from: &[&str], to: &str, clock: ByClock) -> Option<i64> {
        let times = match clock {
            ByClock::Ledger => &self.arrivals,
            ByClock::Twilio => &self.times,
        };
        let first = |word: &&str| times.get(&rank(word).unwrap()).copied();
        Some(first(&to)? - from.iter().filter_map(first).min()?)
    }
}

fn least(known: Option<Seconds>, other: Seconds) -> Seconds {
    known.map_or(other, |known| known.min(other))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        value => value.as_str().map(str::to_owned),
    }
}

fn seconds(time: &str) -> Seconds {
    time.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn status_of_form(body: &[u8]) -> Option<usize> {
    let value = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(body);
        let value = pairs.find(|(name, _)| name == wanted)?.1.into_owned();
        (!value.is_empty()).then_some(value)
    };
    match value("EventType").as_deref() {
        Some("READ") => rank("read"),
        _ => rank(&value("MessageStatus").or_else(|| value("SmsStatus"))?),
    }
}
