//! Operations on a ledger that the benchmarks need besides its server:
//! `probe fill LEDGER EVENTS [DAYS]` appends simulated callbacks and projects them, received now or evenly
//! over the last days,
//! `probe scan LEDGER` reads every row of the log and does nothing with it,
//! `probe audit LEDGER TIMES` reads that many messages, one after the other.

#[path = "../simulated.rs"]
mod simulated;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use delivery_ledger::domain::{NewEvent, Rule, Timestamp};
use delivery_ledger::projection::message_query::{AsOf, MessageQuery, MessageResult, find_message};
use delivery_ledger::projection::{catch_up, compatibility::reset_if_incompatible};
use delivery_ledger::store::{Access, Database, open};
use hdrhistogram::Histogram;
use rusqlite::{Connection, OpenFlags};

use self::simulated::{ACCOUNT, event, plan};

const APPEND_EVENTS: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["fill", ledger, events] => fill(ledger, events.parse().expect("EVENTS is a number"), 0.0),
        ["fill", ledger, events, days] => fill(
            ledger,
            events.parse().expect("EVENTS is a number"),
            days.parse().expect("DAYS is a number"),
        ),
        ["scan", ledger] => scan(ledger),
        ["audit", ledger, times] => audit(ledger, times.parse().expect("TIMES is a number")),
        _ => panic!("probe fill LEDGER EVENTS [DAYS] | scan LEDGER | audit LEDGER TIMES"),
    }
}

fn fill(ledger: &str, events: u64, days: f64) {
    let database = Database::Sqlite(PathBuf::from(ledger));
    let store = open(&database, Access::Create).expect("the ledger opens");
    let have = store.head().expect("the log has a head");
    let plan = plan(ACCOUNT, events, have + 1);
    let missing = events.saturating_sub(have);
    let now = Timestamp::from(time::OffsetDateTime::now_utc()).micros();
    let before_now = |place: u64| {
        let days = days * (1.0 - place as f64 / missing as f64);
        Timestamp::from_micros(now - (days * 86_400e6) as i64)
    };
    let mut callbacks = (0..missing).zip(plan.callbacks()).peekable();
    while callbacks.peek().is_some() {
        let received =
            |(place, callback)| NewEvent { received_at: before_now(place), ..event(&callback) };
        let batch: Vec<_> = callbacks.by_ref().take(APPEND_EVENTS).map(received).collect();
        store.append(&batch).expect("the log takes them");
    }
    reset_if_incompatible(&*store, Rule::default()).expect("the views fit");
    let head = store.head().expect("the log has a head");
    catch_up(&*store, store.views(), head, &mut |_| ControlFlow::Continue(()))
        .expect("the views catch up");
}

/// Prints events per second.
fn scan(ledger: &str) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let log = Connection::open_with_flags(ledger, flags).expect("the log opens");
    let began = Instant::now();
    let mut statement = log.prepare("SELECT * FROM events").expect("the log has events");
    let mut rows = statement.query([]).expect("the log is read");
    let mut events = 0_u64;
    while let Some(row) = rows.next().expect("the log is read") {
        std::hint::black_box(row.get_ref(5).expect("an event has a body"));
        events += 1;
    }
    println!("{:.0}", events as f64 / began.elapsed().as_secs_f64());
}

/// Prints the p50 and p99 of one audit in microseconds.
fn audit(ledger: &str, times: usize) {
    let database = Database::Sqlite(PathBuf::from(ledger));
    let store = open(&database, Access::Read).expect("the ledger opens");
    // No message has more than three statuses, so there are at least this many messages.
    let count = store.head().expect("the log has a head") / 4;
    let mut rng = fastrand::Rng::with_seed(1);
    let mut micros = Histogram::<u64>::new(3).expect("three digits are possible");
    for warm in [true, false] {
        for _ in 0..times {
            let (_, messages) = store.views().page(rng.u64(0..count), 1).expect("views are read");
            let message_sid = messages[0].key.message_sid.clone();
            let question = MessageQuery {
                message_sid,
                account_sid: None,
                rule: Rule::default(),
                as_of: AsOf::Head,
            };
            let began = Instant::now();
            let answer = find_message(&*store, &question).expect("the ledger answers");
            let took: Duration = began.elapsed();
            assert!(matches!(answer, MessageResult::Found { .. }));
            if !warm {
                micros.record(took.as_micros() as u64).expect("an audit takes less than a day");
            }
        }
    }
    println!("{} {}", micros.value_at_quantile(0.5), micros.value_at_quantile(0.99));
}
