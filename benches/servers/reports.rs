//! Measures reports over many messages: `cargo run --release --example reports -- FOLDER MESSAGES`.
//!
//! It fills the views of a ledger in the folder, without a log, with messages of thirty days, and asks
//! for each report three times. Filled views are used again. Made up are how many countries there are
//! and how unevenly messages are spread over them, channels, statuses and codes; the number of cells
//! that comes of it is printed, since it is what a report from cells costs.

use std::path::PathBuf;
use std::time::Instant;

use delivery_ledger::domain::country::Country;
use delivery_ledger::domain::message::event_ref::Fingerprint;
use delivery_ledger::domain::message::filter::MessageFilter;
use delivery_ledger::domain::message::lifecycle::Incoming;
use delivery_ledger::domain::message::status_reported::Direction;
use delivery_ledger::domain::message::status_reported::{Addressing, Arrival, Doubt};
use delivery_ledger::domain::message::tags::Tags;
use delivery_ledger::domain::rollup::RollupLength;
use delivery_ledger::domain::rollup::range::RollupRange;
use delivery_ledger::domain::time::zone::Zone;
use delivery_ledger::domain::{
    AccountSid, ErrorCode, Lifecycle, MessageKey, MessageSid, Rule, Status, StatusReported,
    Timestamp,
};
use delivery_ledger::report::{Dimension, ReportQuery, by_scan, report};
use delivery_ledger::store::{
    Access, Batch, Checkpoint, Database, Message, MessageChange, Store, open,
};
use delivery_ledger::wire::number::WrittenAddress;

const BATCH_MESSAGES: u64 = 1 << 14;
const DAYS: u64 = 30;
const EPOCH_MICROS: i64 = 1_767_225_600_000_000;

/// The first digits of numbers, the most frequent first.
const NUMBERS: [&str; 16] = [
    "+1415555", "+1613782", "+4474001", "+4917112", "+3363196", "+5511961", "+9198765", "+5255123",
    "+3466677", "+3933312", "+6140682", "+3247409", "+4366412", "+4176123", "+8190123", "+2782123",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, messages] = &arguments[..] else { panic!("reports FOLDER MESSAGES") };
    let messages: u64 = messages.parse().expect("MESSAGES is a number");
    let database = Database::Sqlite(PathBuf::from(folder).join("ledger.db"));
    fill(&*open(&database, Access::Create).expect("the ledger opens"), messages);
    let store = open(&database, Access::Read).expect("the ledger opens");
    countries();
    let mut cells = 0_u64;
    let all = [RollupLength::Hour, RollupLength::Day].map(RollupRange::all);
    store.views().for_each_rollup(&all, &mut |_, _| cells += 1).expect("the cells are read");
    println!("{messages} messages, {cells} cells");
    for by in Dimension::ALL {
        let question = ReportQuery::new([by.clone()]);
        let rows = report(&*store, &question).expect("the ledger answers").rows.len();
        let ms = median(|| drop(report(&*store, &question)));
        println!("by {:<18} {rows:>7} rows {ms:>9.1} ms", by.name());
    }
    let by = [Dimension::Country, Dimension::Week];
    for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata"] {
        let zone = Zone::parse(zone).expect("it is a zone");
        let question = ReportQuery { zone, ..ReportQuery::new(by.clone()) };
        let ms = median(|| drop(report(&*store, &question)));
        println!("by country,week in {:<18} {ms:>9.1} ms", question.zone.name());
    }
    for (name, value) in [("order", "17"), ("campaign", "spring")] {
        let tags = vec![(name.to_owned(), value.to_owned())];
        list(&*store, &format!("{name}={value}"), MessageFilter { tags, ..Default::default() });
    }
    let newest = store.views().list(&MessageFilter::default(), None, 1);
    let newest = newest.expect("the ledger answers").messages.remove(0).lifecycle;
    let number = newest.evidence.to().expect("it has a recipient").to_owned();
    let end = &number[number.len() - 4..];
    for written in [number.clone(), format!("*{end}"), "+4420*".to_owned()] {
        let pattern = WrittenAddress::parse(&written).expect("it is an address").pattern(None);
        list(&*store, &written, MessageFilter { to: Some(pattern), ..Default::default() });
    }
    let question = ReportQuery::new([Dimension::Day]);
    let ms = median(|| drop(by_scan(store.views(), &question)));
    println!("by day, by scan               {ms:>9.1} ms");
}

/// Measures one page of a list.
fn list(store: &dyn Store, what: &str, filter: MessageFilter) {
    let list = || store.views().list(&filter, None, 100).expect("the ledger answers");
    let (found, ms) = (list().messages.len(), median(|| drop(list())));
    println!("a list by {what}: {found} messages {ms:>9.2} ms");
}

/// The median of three runs, in milliseconds.
fn median(run: impl Fn()) -> f64 {
    let mut took = [0; 3].map(|_| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64() * 1e3
    });
    took.sort_unstable_by(f64::total_cmp);
    took[1]
}

/// Measures the lookup of a country.
fn countries() {
    let mut rng = fastrand::Rng::with_seed(1);
    let numbers: Vec<String> =
        (0..100_000).map(|_| format!("+1{}", rng.u64(2_000_000_000..10_000_000_000))).collect();
    let began = Instant::now();
    let found = numbers.iter().filter_map(|number| Country::from_address(number)).count();
    let ns = began.elapsed().as_nanos() / numbers.len() as u128;
    println!("a country        {ns:>6} ns ({found} of {} numbers)", numbers.len());
}

fn fill(store: &dyn Store, messages: u64) {
    let have = store.views().count().expect("the views are read");
    let began = Instant::now();
    for first in (have..messages).step_by(BATCH_MESSAGES as usize) {
        let from = store.views().checkpoint().expect("the views are read");
        let last = messages.min(first + BATCH_MESSAGES);
        let mut tree = from.tree.clone();
        (first..last).for_each(|_| tree.push([0; 32], |_, _| {}));
        let to = Checkpoint { position: last, event_id: None, tree, ..from.clone() };
        let made = (first..last).map(|number| message(number, messages));
        let changed = made.map(|message| MessageChange { before: None, message }).collect();
        let batch = Batch {
            from: from.position,
            to,
            messages: changed,
            tree_nodes: Vec::new(),
            logged_errors: Vec::new(),
            silent_events: Vec::new(),
            erased_events: 0,
        };
        store.views().project(&batch).expect("the views take them");
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{} messages written in {seconds:.1} s", messages.saturating_sub(have));
}

/// A message whose time, country and status are derived from its number.
fn message(number: u64, messages: u64) -> Message {
    let mut rng = fastrand::Rng::with_seed(number);
    let account = AccountSid::parse("AC0123456789abcdef0123456789abcdef");
    let message_sid = MessageSid::parse(&format!("SM{number:032x}")).expect("it is not empty");
    let begins = EPOCH_MICROS + (DAYS * 86_400_000_000 / messages * number) as i64;
    let mut lifecycle = Lifecycle::new(Rule::default(), Timestamp::from_micros(begins));
    let prefix = NUMBERS[(rng.f64().powi(4) * NUMBERS.len() as f64) as usize];
    let channel = ["sms", "sms", "whatsapp", "rcs"][rng.usize(0..4)];
    let number_of = format!("{prefix}{:06}", rng.u32(0..1_000_000));
    let to = if channel == "sms" { number_of } else { format!("{channel}:{number_of}") };
    let end = match rng.u32(0..100) {
        0..85 => (Status::Delivered, None),
        85..90 => (Status::Undelivered, ErrorCode::parse("30007")),
        90..94 => (Status::Undelivered, ErrorCode::parse("30003")),
        94..96 => (Status::Failed, ErrorCode::parse("21610")),
        _ => (Status::Sent, None),
    };
    let mut tags = Tags::default();
    tags.insert("order", &number.to_string());
    tags.insert("campaign", ["spring", "summer", "autumn", "winter"][rng.usize(0..4)]);
    let mut at = begins;
    for (place, (status, error_code)) in
        [(Status::Queued, None), (Status::Sent, None), end].into_iter().enumerate()
    {
        let addressed = Addressing {
            from: Some(format!("+1501726{:04}", rng.u32(0..50)).into()),
            to: Some(to.as_str().into()),
            channel: channel.into(),
            channel_is_explicit: true,
            messaging_service_sid: None,
        };
        let reported = StatusReported {
            status: Some(status),
            unrecognised: None,
            error_code,
            addressed,
            raw_dlr_done_date: None,
            direction: Direction::Outbound,
            simulated: false,
            imported: false,
            created_at: None,
            tags: tags.clone(),
            arrival: Arrival::Callback,
            details: None,
            doubt: Doubt::default(),
            labels: Vec::new(),
        };
        let arrival = Incoming {
            position: 3 * number + 1 + place as u64,
            received_at: Timestamp::from_micros(at),
            fingerprint: Fingerprint::of_content(rng.u64(..)),
            reported,
        };
        let mut no_ties = |_, _| Ok::<_, std::convert::Infallible>(std::cmp::Ordering::Equal);
        lifecycle.apply(arrival, &mut no_ties).expect("nothing can fail");
        at += (rng.f64().powi(3) * 20e6) as i64;
    }
    let key = MessageKey { account_sid: account, message_sid };
    Message { id: 0, key, lifecycle }
}
