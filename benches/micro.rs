//! Microbenchmarks of each step of a callback: `cargo bench --bench micro`.

#[path = "simulated.rs"]
mod simulated;

use std::convert::Infallible;
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use delivery_ledger::domain::BodyKind;
use delivery_ledger::domain::message::event_ref::Fingerprint;
use delivery_ledger::domain::message::lifecycle::Incoming;
use delivery_ledger::domain::{AccountSid, Lifecycle, Rule, Timestamp};
use delivery_ledger::simulate::{Callback, Signer};
use delivery_ledger::store::{Access, Database, open};
use delivery_ledger::twilio::accounts::{AccountKeys, Accounts, Token};
use delivery_ledger::twilio::callback::{ParsedBody, ParsedCallback};
use delivery_ledger::twilio::signature::{BaseUrl, Signed, Verdict, verify};

use self::simulated::{ACCOUNT, event};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const URL: &str = "https://hooks.example.com/message-status";
const BATCH: usize = 64;

fn callbacks(count: usize) -> Vec<Callback> {
    simulated::plan(ACCOUNT, count as u64, 1).callbacks().take(count).collect()
}

fn signature(criterion: &mut Criterion) {
    let callback = callbacks(1).remove(0);
    let signature = Signer::new(URL, Token::new(TOKEN)).signature(&callback);
    let keys = AccountKeys {
        primary: Token::new(TOKEN),
        secondary: None,
        further: Default::default(),
        shared: Default::default(),
    };
    let account = AccountSid::parse(ACCOUNT).expect("an account");
    let accounts = Accounts::new([(account, keys)]);
    let base = BaseUrl::parse("https://hooks.example.com").expect("a URL");
    criterion.bench_function("verify the signature of a callback", |bench| {
        bench.iter(|| {
            let signed = Signed {
                urls: &base.with("/message-status"),
                body: &ParsedBody::parse(BodyKind::Form, callback.body.as_bytes()),
                signature: signature.as_bytes(),
                settings: None,
            };
            assert!(matches!(verify(&signed, &accounts), Verdict::Valid { .. }));
        });
    });
}

fn parse(criterion: &mut Criterion) {
    let event = event(&callbacks(1)[0]);
    criterion.bench_function("read what a callback says", |bench| {
        bench.iter(|| ParsedCallback::parse(&event));
    });
}

fn fold(criterion: &mut Criterion) {
    let readings: Vec<_> = callbacks(3)
        .iter()
        .filter_map(|callback| ParsedCallback::parse(&event(callback)).reported)
        .collect();
    let at = Timestamp::from_micros(0);
    criterion.bench_function("fold a message of three events", |bench| {
        bench.iter(|| {
            let mut lifecycle = Lifecycle::new(Rule::default(), at);
            for (reported, position) in readings.iter().zip(1..) {
                let reported = reported.clone();
                let arrival = Incoming {
                    position,
                    received_at: at,
                    fingerprint: Fingerprint::of_content(position),
                    reported,
                };
                let mut by_content = |a: u64, b: u64| Ok::<_, Infallible>(a.cmp(&b));
                let folded = lifecycle.apply(arrival, &mut by_content);
                assert!(folded.is_ok());
            }
            lifecycle
        });
    });
}

fn append(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger: PathBuf = folder.path().join("ledger.db");
    let store = open(&Database::Sqlite(ledger), Access::Create).expect("a ledger");
    let events: Vec<_> = callbacks(BATCH).iter().map(event).collect();
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(BATCH as u64)).sample_size(30);
    group.bench_function("64 events in one durable transaction", |bench| {
        bench.iter_batched(
            || events.clone(),
            |events| store.append(&events).expect("the log takes them"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(micro, signature, parse, fold, append);
criterion_main!(micro);
