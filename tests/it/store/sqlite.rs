//! Tests specific to SQLite: the two files, their triggers and permissions, and leftovers of a kill.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, Rule};
use delivery_ledger::store::{self, Access, Database, StoreError};
use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::events::{event, headers};
use crate::support::ledger::Ledger;
use crate::support::{App, delivered, sent, sid, status};

fn ledger() -> Ledger {
    Ledger::with_events(&[event(sent(&sid(1))), event(delivered(&sid(1)))])
}

fn open(path: &Path, access: Access) -> Result<Box<dyn store::Store>, StoreError> {
    store::open(&Database::Sqlite(path.to_owned()), access)
}

fn refusal(path: &Path, access: Access) -> StoreError {
    open(path, access).err().expect("it is refused")
}

#[test]
fn triggers_reject_every_change_of_the_log() {
    let ledger = ledger();
    let before = ledger.open_for_reading().read(0, 10).unwrap();
    for change in [
        "UPDATE events SET body = x'00'",
        "UPDATE events SET salt = NULL, body = x'' WHERE position = 1",
        "INSERT INTO erased VALUES (1, zeroblob(32), zeroblob(32), 2)", // by what is no erasure
        "UPDATE events SET position = 9 WHERE position = 2",
        "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
        "DELETE FROM events WHERE position = 2",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events VALUES (2, zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')",
        "REPLACE INTO events VALUES (1, zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')",
        "INSERT INTO events VALUES (1, zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')
             ON CONFLICT(position) DO UPDATE SET body = x'00'",
        "INSERT INTO events VALUES (2, zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')", // taken
        "INSERT INTO events VALUES (4, zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')", // a gap
        "INSERT INTO events VALUES (0, zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')",
        "INSERT INTO events VALUES (NULL, zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')",
        "INSERT INTO events(event_id, received_at, salt, envelope, variables, body)
             VALUES (zeroblob(16), 0, zeroblob(16), 1, x'0000', x'')",
        "UPDATE envelopes SET url = ''",
        "DELETE FROM envelopes",
        "INSERT OR REPLACE INTO envelopes VALUES (1, 'callback', 'POST', '', NULL, '[]')",
        "INSERT INTO envelopes VALUES (NULL, 'callback', 'POST', '', NULL, '[]')",
        "INSERT INTO envelopes VALUES (3, 'callback', 'POST', '', NULL, '[]')",
    ] {
        assert!(ledger.log_sql(change).is_err(), "{change}");
    }
    assert_eq!(ledger.open_for_reading().read(0, 10).unwrap(), before);
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn the_log_accepts_only_the_next_position() {
    let ledger = ledger();
    let next = "INSERT INTO events
                SELECT 3, event_id, received_at, salt, envelope, variables, body
                FROM events WHERE position = 1";
    ledger.log_sql(next).unwrap();
    assert_eq!(ledger.open_for_reading().head().unwrap(), 3);
}

#[test]
fn the_log_has_no_index_so_appends_are_sequential() {
    let ledger = ledger();
    let log = Connection::open(ledger.log_file()).unwrap();
    let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('events', 'envelopes')";
    assert_eq!(log.query_row(sql, [], |row| row.get(0)), Ok(0));
}

/// Sent again with sixty other unsigned headers each time, one signed callback filled the memory.
#[test]
fn an_event_with_many_headers_does_not_share_its_envelope() {
    let ledger = ledger();
    let store = ledger.open();
    let many: Vec<_> = (0..60).map(|n| (format!("x-twilio-{n}"), vec![b'v'; 250])).collect();
    let long = NewEvent { headers: Headers::new(many), ..event("a=1") };

    store.append(std::slice::from_ref(&long)).unwrap();

    assert_eq!(store.read(2, 10).unwrap()[0].event, long);
    let log = Connection::open(ledger.log_file()).unwrap();
    let envelope = "SELECT envelope FROM events WHERE position = 3";
    assert_eq!(log.query_row(envelope, [], |row| row.get(0)), Ok(0));
}

#[test]
fn a_failed_append_leaves_nothing_and_the_log_is_reopened() {
    let ledger = ledger();
    let store = ledger.open();
    ledger
        .log_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON events WHEN NEW.body = x'ff'
             BEGIN SELECT raise(ABORT, 'full'); END",
        )
        .unwrap();
    let another_kind = NewEvent { method: "PUT".to_owned(), ..event("a=1") };
    let third_kind = NewEvent { method: "GET".to_owned(), ..event("b=1") };

    assert!(store.append(&[another_kind, event(vec![0xff])]).is_err());

    assert_eq!(store.head().unwrap(), 2);
    let closed = store.append(std::slice::from_ref(&third_kind));
    assert!(matches!(closed, Err(StoreError::NeedsReopen)), "{closed:?}");
    assert_eq!(store.reopen().unwrap(), 2);
    assert_eq!(store.append(std::slice::from_ref(&third_kind)).unwrap(), 3);
    assert_eq!(store.read(2, 10).unwrap()[0].event, third_kind);
}

#[test]
fn a_reopened_log_must_be_the_same_ledger() {
    let ledger = ledger();
    let other = Ledger::with_events(&[event("a=1"), event("b=1"), event("c=1")]);
    let store = ledger.open();
    assert_eq!(store.reopen().unwrap(), 2);
    assert_eq!(store.append(&[event("a=1")]).unwrap(), 3);

    std::fs::rename(other.log_file(), ledger.log_file()).unwrap();
    let refused = store.reopen().err().unwrap();
    assert!(refused.to_string().contains("is not the file that was opened"), "{refused}");
    std::fs::remove_file(ledger.log_file()).unwrap();
    assert!(store.reopen().is_err());

    assert!(!ledger.log_file().exists(), "an empty log in the place of a lost one");
    assert!(matches!(store.append(&[event("a=1")]), Err(StoreError::NeedsReopen)));
}

#[test]
fn the_files_are_private_to_their_owner() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new/folder/ledger.db");
    let store = open(&path, Access::Create).unwrap();
    store.append(&[event("a=1")]).unwrap();
    store.views().reset(Rule::default()).unwrap();

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap());
    let views = path.with_file_name("ledger.views.db").read_link().unwrap();
    let generation = views.to_str().unwrap().split('.').nth(2).unwrap().to_owned();
    let mut names = Vec::new();
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        let name = file.file_name().into_string().unwrap();
        names.push(name.replace(&generation, "GENERATION"));
    }
    names.sort();
    assert_eq!(
        names,
        [
            "ledger.db",
            "ledger.db-shm",
            "ledger.db-wal",
            "ledger.db.lock",
            "ledger.views.GENERATION.db",
            "ledger.views.GENERATION.db-shm",
            "ledger.views.GENERATION.db-wal",
            "ledger.views.db",
            "ledger.views.db.lock",
        ]
    );
    assert_eq!(mode(&folder.path().join("new/folder")), 0o700);
    assert_eq!(mode(&folder.path().join("new")), 0o700);
}

#[test]
fn a_second_writer_is_refused() {
    let ledger = ledger();
    let first = ledger.open();
    for access in [Access::Create, Access::Write] {
        assert!(matches!(refusal(&ledger.log_file(), access), StoreError::Locked { .. }));
    }
    assert_eq!(open(&ledger.log_file(), Access::Read).unwrap().head().unwrap(), 2);

    drop(first);

    assert!(open(&ledger.log_file(), Access::Write).is_ok());
}

#[test]
fn a_reader_writes_nothing() {
    let ledger = ledger();
    let reader = ledger.open_for_reading();
    let refused = reader.append(&[event("a=1")]).err().unwrap();
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused}");
    assert!(matches!(reader.reopen(), Err(StoreError::ReadOnly(_))));
    assert!(reader.views().reset(Rule::default()).is_err());
    assert!(reader.begin_generation(Rule::default()).is_err());
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn a_reader_sees_the_last_commit() {
    let ledger = ledger();
    let writer = ledger.open();
    let reader = ledger.open_for_reading();
    assert_eq!(reader.head().unwrap(), 2);
    writer.append(&[event("a=1")]).unwrap();
    assert_eq!(reader.head().unwrap(), 3);
    assert_eq!(reader.read(2, 10).unwrap()[0].body, b"a=1");
}

#[test]
fn a_missing_ledger_is_reported_and_not_created() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("none/ledger.db");
    for access in [Access::Read, Access::Write] {
        assert!(matches!(refusal(&path, access), StoreError::NotFound { .. }));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_is_not_a_ledger_is_refused_and_unchanged() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.db");
    let long_text = "not a database ".repeat(1000);
    std::fs::write(&text, &long_text).unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE customers(name)").unwrap();
    for path in [&text, &foreign] {
        for access in [Access::Read, Access::Write, Access::Create] {
            let refused = refusal(path, access);
            assert!(matches!(refused, StoreError::NotALedger { .. }), "{access:?}: {refused:?}");
        }
    }
    assert_eq!(std::fs::read_to_string(&text).unwrap(), long_text);
    let tables = "SELECT group_concat(name) FROM sqlite_master";
    let foreign = Connection::open(&foreign).unwrap();
    assert_eq!(foreign.query_row(tables, [], |row| row.get(0)), Ok("customers".to_owned()));
}

#[test]
fn a_log_of_a_newer_version_is_refused() {
    let ledger = ledger();
    ledger
        .log_sql("INSERT INTO refinery_schema_history VALUES (4, 'tomorrow', '2030-01-01', '1')")
        .unwrap();
    for access in [Access::Read, Access::Write, Access::Create] {
        let refused = refusal(&ledger.log_file(), access);
        assert!(matches!(refused, StoreError::NewerVersion { found: 4, known: 3, .. }));
    }
    let output = ledger.run(&["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        "error: ledger.db was written by a newer version (schema 4, this version knows 3); use that version\n"
    );
}

/// Events of that version had no salts. Nothing was released with it.
#[test]
fn a_log_of_0_1_0_dev_is_rejected_with_what_to_do() {
    let ledger = ledger();
    ledger.damage_log(|log| log.execute_batch("ALTER TABLE events DROP COLUMN salt").unwrap());
    for access in [Access::Read, Access::Write, Access::Create, Access::Append] {
        let rejected = refusal(&ledger.log_file(), access);
        assert!(matches!(rejected, StoreError::UnreleasedVersion { .. }), "{rejected:?}");
    }
    for command in [&["verify"][..], &["audit", "SM1"], &["export", "events"], &["replay"]] {
        let output = ledger.run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "error: ledger.db was written by version 0.1.0-dev, whose log has another format; export it \
             with that version (`export events --output events.ndjson`), and import the file into a new \
             ledger with this one (`import events.ndjson`)\n"
        );
    }
}

#[test]
fn the_wal_of_a_killed_writer_is_recovered_first() {
    let mut app = App::start();
    for number in 0..20 {
        assert_eq!(app.receive(delivered(&sid(number))).code, 200);
    }
    app.kill();
    let wal = app.folder().join("ledger.db-wal");
    assert!(std::fs::metadata(&wal).unwrap().len() > 0, "the kill left nothing to recover");

    let store = open(&app.log_file(), Access::Write).unwrap();

    assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
    let aside = TempDir::new().unwrap();
    let copy = aside.path().join("ledger.db");
    std::fs::copy(app.log_file(), &copy).unwrap();
    assert_eq!(open(&copy, Access::Write).unwrap().head().unwrap(), 20);
    assert_eq!(store.head().unwrap(), 20);
}

#[test]
fn views_of_another_version_and_damaged_views_are_rebuilt() {
    let make_older = |ledger: &Ledger| {
        ledger.views_sql("UPDATE refinery_schema_history SET checksum = '0'");
    };
    let make_newer = |ledger: &Ledger| {
        ledger.views_sql(
            "INSERT INTO refinery_schema_history VALUES (2, 'tomorrow', '2030-01-01', '1')",
        );
    };
    let overwrite = |ledger: &Ledger| {
        std::fs::write(ledger.views_file(), "not a database ".repeat(1000)).unwrap();
    };
    let empty = |ledger: &Ledger| std::fs::write(ledger.views_file(), "").unwrap();
    let remove = |ledger: &Ledger| std::fs::remove_file(ledger.views_file()).unwrap();
    for damage in [&make_older as &dyn Fn(&Ledger), &make_newer, &overwrite, &empty, &remove] {
        let ledger = ledger();
        damage(&ledger);
        // A reader asks the log alone meanwhile.
        assert_eq!(ledger.open_for_reading().views().checkpoint().unwrap().position, 0);
        assert_eq!(ledger.open().views().checkpoint().unwrap().position, 0);
        ledger.project();
        assert_eq!(ledger.open().views().page(0, 10).unwrap().1.len(), 1);
        assert_eq!(ledger.verify(&[]).0, Some(0));
    }
}

/// A kill right after the views were made left `verify` with a finding.
#[test]
fn views_without_a_checkpoint_count_as_missing() {
    let ledger = ledger();
    ledger.views_sql("DELETE FROM checkpoint; DELETE FROM messages; DELETE FROM accounts;");
    assert_eq!(ledger.open_for_reading().views().checkpoint().unwrap().position, 0);
    assert_eq!(ledger.verify(&[]).0, Some(0));
    ledger.project();
    assert_eq!(ledger.verify(&[]).0, Some(0));

    ledger.views_sql("DELETE FROM checkpoint");
    assert_eq!(ledger.verify(&[]).0, Some(3), "messages without a checkpoint are damage");
}

/// A first start that was cut off after the list of migrations, and before any, was refused.
#[test]
fn a_log_without_any_migration_is_initialised() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let history = "CREATE TABLE refinery_schema_history(
                       version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255),
                       checksum VARCHAR(255))";
    Connection::open(&path).unwrap().execute_batch(history).unwrap();
    assert!(refusal(&path, Access::Read).to_string().contains("it is empty"));
    assert_eq!(open(&path, Access::Create).unwrap().append(&[event("a=1")]).unwrap(), 1);
}

/// The file and its hot journal as a kill leaves them: written to, and nothing committed.
fn cut_off_at_its_first_step(path: &Path) {
    let folder = TempDir::new().unwrap();
    let making = folder.path().join("making.db");
    let connection = Connection::open(&making).unwrap();
    let much = "PRAGMA cache_size = 5; BEGIN; CREATE TABLE t(x);
                INSERT INTO t SELECT zeroblob(100000) FROM (VALUES (1), (2), (3));";
    connection.execute_batch(much).unwrap();
    for suffix in ["", "-journal"] {
        let file = |path: &Path| format!("{}{suffix}", path.display());
        assert!(std::fs::copy(file(&making), file(path)).unwrap() > 0);
    }
}

/// A reader cannot roll a journal back: `verify` found the views damaged, or failed.
#[test]
fn a_file_killed_during_its_creation_counts_as_missing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    cut_off_at_its_first_step(&path);
    assert!(refusal(&path, Access::Read).to_string().contains("it is empty"));
    assert_eq!(open(&path, Access::Create).unwrap().append(&[event("a=1")]).unwrap(), 1);

    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(folder.path().join(format!("ledger.views.db{suffix}"))).ok();
    }
    cut_off_at_its_first_step(&folder.path().join("ledger.views.db"));
    let reader = open(&path, Access::Read).unwrap();
    assert_eq!(reader.views().check().unwrap(), super::SOUND);
    assert_eq!(reader.views().checkpoint().unwrap().position, 0);
    drop(reader);
    let writer = open(&path, Access::Write).unwrap();
    assert_eq!(writer.views().check().unwrap(), super::SOUND);
}

/// A ledger of 5,000 callbacks with Twilio's headers, and the bytes of its log besides their bodies, an event.
fn bytes_besides_the_body(url: impl Fn(u32) -> String) -> (Ledger, f64) {
    let words = ["queued", "sending", "sent", "delivered"];
    let usual = |number: u32| {
        let raw: [u8; 20] = std::array::from_fn(|_| fastrand::u8(..));
        let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, raw);
        let token = Uuid::from_u128(fastrand::u128(..)).to_string();
        NewEvent {
            url: url(number),
            headers: headers(&[
                ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
                ("user-agent", "TwilioProxy/1.1"),
                ("i-twilio-idempotency-token", &token),
                ("x-home-region", "us1"),
                ("x-twilio-signature", &signature),
            ]),
            ..event(status(&sid(number / 4), words[number as usize % 4]))
        }
    };
    let events: Vec<_> = (0..5_000).map(usual).collect();
    let ledger = Ledger::new();
    let empty = {
        drop(ledger.open());
        std::fs::metadata(ledger.log_file()).unwrap().len()
    };
    let store = ledger.open();
    store.set_path_prefixes(vec!["/v1/sms/".to_owned()]);
    for commit in events.chunks(100) {
        store.append(commit).unwrap();
    }
    assert_eq!(store.read(0, 5_000).unwrap()[4_999].url, url(4_999));
    drop(store);

    let grown = std::fs::metadata(ledger.log_file()).unwrap().len() - empty;
    let bodies: u64 = events.iter().map(|event| event.body.len() as u64).sum();
    (ledger, (grown - bodies) as f64 / events.len() as f64)
}

#[test]
fn an_event_takes_less_than_120_bytes_plus_its_body() {
    let plain = |_| "https://hooks.example.com/message-status".to_owned();
    let (_, bytes) = bytes_besides_the_body(plain);
    assert!(bytes < 120.0, "{bytes} bytes an event besides its body");
}

#[test]
fn below_a_path_prefix_an_event_only_stores_what_follows_the_prefix() {
    let prefix = |number| format!("https://hooks.example.com/v1/sms/{number:05}?order=17");
    let (ledger, _) = bytes_besides_the_body(prefix);
    let log = Connection::open(ledger.log_file()).unwrap();
    let url = "SELECT group_concat(url) FROM envelopes";
    let url: String = log.query_row(url, [], |row| row.get(0)).unwrap();
    assert_eq!(url, "https://hooks.example.com/v1/sms/");
    // Two bytes and what follows, no notes, a packed token, a packed signature.
    let lengths = "SELECT DISTINCT length(variables) FROM events";
    let expected = 2 + "00000?order=17".len() + 1 + 17 + 21;
    assert_eq!(log.query_row(lengths, [], |row| row.get(0)), Ok(expected));
}
