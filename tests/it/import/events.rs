//! Importing another ledger's events: the same bytes, times and IDs at new positions.

use delivery_ledger::domain::event::filter::EventFilter;
use delivery_ledger::domain::event::{Headers, Salt};
use delivery_ledger::domain::{NewEvent, Source, Timestamp};
use delivery_ledger::export::{ExportRequest, ExportView, FileFormat, Selection};
use delivery_ledger::import::{Counts, Options, stage};
use delivery_ledger::store::{Store, Task};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{events, export, file, import, imported, refusals};
use crate::callbacks::hostile::hostile_event;
use crate::support::events::{event, one_a_second, resource, with_query, with_token};
use crate::support::ledger::{Ledger, findings};
use crate::support::{ACCOUNT, delivered, failed, sent, sid};

/// A ledger with late, duplicate and conflicting callbacks, JSON with and without a status, and a body
/// that is not UTF-8.
fn eventful() -> Ledger {
    let json = |status: &str| json!({ "sid": sid(3), "account_sid": ACCOUNT, "status": status });
    Ledger::with_events(&one_a_second([
        event(delivered(&sid(1))),
        event(sent(&sid(1))),
        with_token(event(failed(&sid(2), "30003")), "token"),
        with_token(event(failed(&sid(2), "30003")), "token"),
        with_query(event(delivered(&sid(2))), "order=17"),
        resource(Source::Callback, json("failed")),
        resource(Source::Send, json("queued")),
        resource(Source::Reconcile, json("sent")),
        resource(Source::Import, json("delivered")),
        event(b"MessageSid=SM1&MessageStatus=sent&To=\xff\xfe".to_vec()),
        event(""),
    ]))
}

#[test]
fn an_exported_and_imported_ledger_is_the_same() {
    let (from, to) = (eventful(), Ledger::new());
    let exported = file(&to, "events.ndjson", export(&from, &["events"]));

    assert_eq!(imported(&to, &[&exported]), [11, 0, 0, 0]);

    assert_eq!(export(&to, &["messages"]), export(&from, &["messages"]));
    let both = events(&to).into_iter().zip(events(&from));
    for (position, (mut there, mut here)) in both.enumerate() {
        assert_ne!(there["salt"], here["salt"], "an import makes new salts");
        here["salt"] = there["salt"].clone();
        let origin = there["notes"].as_object_mut().unwrap().remove("origin_position");
        assert_eq!(origin, Some(json!((position + 1).to_string())));
        assert_eq!(there, here);
    }
    let (code, verified) = to.verify(&[]);
    assert_eq!((code, findings(&verified)), (Some(0), vec![]));
}

#[test]
fn importing_twice_or_importing_the_own_export_adds_nothing() {
    let (from, to) = (eventful(), Ledger::new());
    let exported = file(&to, "events.ndjson", export(&from, &["events"]));
    assert_eq!(imported(&to, &[&exported]), [11, 0, 0, 0]);

    assert_eq!(imported(&to, &[&exported]), [0, 11, 0, 0]);
    assert_eq!(imported(&from, &[&exported]), [0, 11, 0, 0]);

    // Also when imported back into the first ledger, which the notes name.
    let back = file(&from, "back.ndjson", export(&to, &["events"]));
    assert_eq!(imported(&from, &[&back]), [0, 11, 0, 0]);
    assert_eq!(imported(&to, &[&back]), [0, 11, 0, 0]);
}

#[test]
fn an_event_imported_through_two_ledgers_keeps_its_first_origin() {
    let (first, second, third) = (eventful(), Ledger::new(), Ledger::new());
    second.append(&[event("before")]);
    let exported = file(&second, "events.ndjson", export(&first, &["events"]));
    imported(&second, &[&exported]);
    let exported = file(&third, "events.ndjson", export(&second, &["events"]));
    imported(&third, &[&exported]);

    let notes = |position: usize| events(&third)[position - 1]["notes"]["origin_position"].clone();
    assert_eq!([notes(1), notes(2), notes(12)], ["1", "1", "11"]);
}

#[test]
fn a_timeline_shows_which_events_were_imported() {
    let (from, to) = (eventful(), Ledger::new());
    let exported = file(&to, "events.ndjson", export(&from, &["events"]));
    let audit =
        |ledger: &Ledger| String::from_utf8(ledger.run(&["audit", &sid(1)]).stdout).unwrap();
    imported(&to, &[&exported]);
    let here = audit(&to);
    assert!(here.contains("first event; delivered; imported, position 1 of another"), "{here}");
    assert!(!audit(&from).contains("imported"));
}

#[test]
fn only_one_import_can_run_at_a_time() {
    let (from, to) = (eventful(), Ledger::new());
    let exported = file(&to, "events.ndjson", export(&from, &["events"]));
    let lock = to.open().begin(Task::Import).unwrap().unwrap();
    let output = to.run(&["import", &exported]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "error: another import is running on this ledger\n");
    // Regression: an import through a symbolic link used another lock, and events were appended twice.
    symlink("ledger.db", to.file("link.db")).unwrap();
    let output = to.run(&["--database", "sqlite:link.db", "import", &exported]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "error: another import is running on this ledger\n");
    drop(lock);
    assert_eq!(imported(&to, &[&exported]), [11, 0, 0, 0]);
}

#[test]
fn a_manifest_next_to_a_file_names_the_ledger_of_its_events() {
    let (from, to) = (eventful(), Ledger::new());
    let folder = to.file("export");
    let folder = folder.to_str().unwrap();
    export(&from, &["events", "--manifest", "--output", folder]);
    let exported = format!("{folder}/events.ndjson");

    assert_eq!(imported(&to, &[&exported]), [11, 0, 0, 0]);
    let ledger_id = from.open().ledger_id().to_string();
    assert_eq!(events(&to)[0]["notes"]["origin_ledger"], json!(ledger_id));

    let mut changed = std::fs::read(&exported).unwrap();
    changed.push(b'\n');
    std::fs::write(&exported, changed).unwrap();
    let (code, report) = import(&to, &[&exported]);
    assert_eq!(code, Some(1));
    assert!(refusals(&report)[0].starts_with("-: it is not the file that manifest.json describes"));
}

#[test]
fn stdin_gzip_and_several_files_are_read_alike() {
    let (from, to) = (eventful(), Ledger::new());
    let text = export(&from, &["events"]);
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let first = file(&to, "first.ndjson", lines[..4].concat());
    let second = file(&to, "second.gz", super::records::gzipped(lines[4..8].concat().as_bytes()));
    let third = file(&to, "third", format!("\u{feff}\n{}\r\n\n", lines[8..].join("\r\n")));

    let stdin = std::fs::File::open(third).unwrap();
    let output = to.command(&["import", &first, &second, "-"]).stdin(stdin).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    assert_eq!(export(&to, &["messages"]), export(&from, &["messages"]));
}

#[test]
fn a_known_event_id_with_other_content_is_rejected() {
    let (from, to) = (eventful(), Ledger::new());
    let text = export(&from, &["events"]);
    let first = text.lines().next().unwrap();
    let other = first.replace("delivered", "undelivered");
    let id = events(&from)[0]["event_id"].as_str().unwrap().to_owned();
    let doubled = file(&to, "doubled.ndjson", format!("{first}\n{first}\n{other}\n"));

    let (code, report) = import(&to, &[&doubled]);
    assert_eq!(code, Some(1));
    let in_the_file = format!("3: event {id} is in another line too, and has other content");
    assert_eq!(refusals(&report), [in_the_file]);

    assert_eq!(imported(&to, &[&file(&to, "first.ndjson", first)]), [1, 0, 0, 0]);
    let changed = file(&to, "changed.ndjson", format!("{}{other}\n", "\n".repeat(4)));
    let (code, report) = import(&to, &[&changed]);
    assert_eq!(code, Some(1));
    let in_the_ledger = format!("5: event {id} is in this ledger, with other content");
    assert_eq!(refusals(&report), [in_the_ledger]);
    assert_eq!(imported(&to, &["--skip-refused", &changed])[3], 1);
    assert_eq!(events(&to).len(), 1);
}

fn exported(store: &dyn Store, selection: Selection, head: u64) -> Vec<u8> {
    let mut exported = Vec::new();
    let request = ExportRequest {
        selection,
        format: FileFormat::Ndjson,
        view: ExportView { pin: head, masked: false },
        tag_columns: Vec::new(),
    };
    request.write(store, &Default::default(), &mut exported, &mut ()).unwrap();
    exported
}

/// Imports a file in this process.
pub fn import_here(store: &dyn Store, path: &Path) -> Counts {
    let options = Options {
        format: None,
        keep_content: false,
        account_sid: None,
        now: Timestamp::parse("2026-06-01T00:00:00.000000Z").unwrap(),
        spool_folder: std::env::temp_dir(),
    };
    let go_on = &mut |_| ControlFlow::Continue(());
    let mut staged = stage(&[path.to_owned()], options, go_on).unwrap();
    staged.compare(store, go_on).unwrap();
    let mut append = |events: &[NewEvent]| store.append(events).map(drop);
    let (counts, outcome) = staged.append(Some(store), &mut append, go_on);
    outcome.unwrap();
    counts
}

/// The range of plausible arrival times, 2008 to 2026, in microseconds.
const MOMENTS: std::ops::Range<i64> = 1_199_145_600_000_000..1_780_000_000_000_000;

/// True if a URL must not contain this character.
fn is_refused(c: char) -> bool {
    c.is_control() || delivery_ledger::import::values::is_blank(c)
}

/// The headers without names and bytes that no HTTP message can have.
fn valid_in_http(headers: &Headers) -> Headers {
    let is_content = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
    let kept = headers.iter().filter(|(name, _)| !name.is_empty() && name.is_ascii());
    let clean = |value: &[u8]| value.iter().copied().filter(is_content).collect::<Vec<u8>>();
    Headers::new(kept.map(|(name, value)| (name.to_owned(), clean(value))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_events_are_unchanged_by_export_and_import(
        events in vec((hostile_event(), MOMENTS, "x[a-z0-9_]{0,8}", "[ -~é]{0,8}"), 1..20),
    ) {
        let events: Vec<_> = events.into_iter().map(|(event, micros, note, text)| NewEvent {
            received_at: Timestamp::from_micros(micros),
            notes: [(note, text.clone())].into(),
            verified_by: (!text.trim().is_empty()).then_some(text),
            url: format!("https://hooks.example.com/{}", event.query().replace(is_refused, "")),
            headers: valid_in_http(&event.headers),
            // An erasure is about positions of its own ledger, and is not imported.
            source: if event.source == Source::Erasure { Source::Callback } else { event.source },
            ..event
        }).collect();
        let head = events.len() as u64;
        let (from, to) = (Ledger::with_events(&events), Ledger::new());
        let path = to.file("events.ndjson");
        std::fs::write(&path, exported(&*from.open(), Selection::Events(EventFilter::default()), head)).unwrap();

        let counts = import_here(&*to.open(), &path);
        prop_assert_eq!((counts.appended, counts.rejected), (head, 0));

        let unplaced = |store: &dyn Store| {
            let events = store.read(0, 100).unwrap().into_iter();
            events.map(|mut event| {
                event.event.salt = Salt::from_bytes([0; Salt::BYTES]);
                (event.event.notes.remove("origin_position"), event)
            }).collect::<Vec<_>>()
        };
        for ((origin, there), (_, here)) in unplaced(&*to.open()).into_iter().zip(unplaced(&*from.open())) {
            prop_assert_eq!(origin, Some(here.position.to_string()));
            prop_assert_eq!(there, here);
        }
        to.project();
        prop_assert_eq!(
            exported(&*to.open(), Selection::Messages(Default::default()), head),
            exported(&*from.open(), Selection::Messages(Default::default()), head)
        );
        prop_assert_eq!(import_here(&*to.open(), &path).appended, 0);
    }
}

#[test]
fn a_masked_export_is_rejected() {
    let (from, to) = (eventful(), Ledger::new());
    let masked = file(&to, "masked.ndjson", export(&from, &["events", "--mask"]));
    let (code, report) = import(&to, &[&masked]);
    assert_eq!(code, Some(1));
    assert_eq!(report["refused"], 11);
    assert!(refusals(&report)[0].contains("--mask"), "{report}");

    let folder = to.file("export");
    let folder = folder.to_str().unwrap();
    export(&from, &["events", "--mask", "--manifest", "--output", folder]);
    let (code, report) = import(&to, &[&format!("{folder}/events.ndjson")]);
    assert_eq!((code, &report["refused"]), (Some(1), &Value::from(1)));
    assert!(refusals(&report)[0].contains("--mask"), "{report}");
    assert!(!to.log_file().exists());
}
