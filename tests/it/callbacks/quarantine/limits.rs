//! The file of a quarantine: what a purge leaves of it, migrations, and processes that make it at once.

use delivery_ledger::domain::Timestamp;
use delivery_ledger::store::quarantine::QuarantinedRequest;
use delivery_ledger::store::{self, Access, Database};

use super::{
    LIMITS, a_folder, bytes_on_disk, contains, quarantine_file, request, signed, with_suffix,
};
use crate::support::ledger::Ledger;
use crate::support::{App, sid};

#[test]
fn a_purge_removes_requests_before_a_time_and_frees_their_space() {
    let (_folder, database) = a_folder();
    let mut quarantine = store::create_quarantine(&database).unwrap();
    let secret = b"a-word-to-be-forgotten".repeat(1000);
    let all: Vec<_> = (0..60)
        .map(|second| QuarantinedRequest {
            received_at: Timestamp::from_micros(second * 1_000_000),
            ..request(secret.clone())
        })
        .collect();
    quarantine.keep(&all, &LIMITS).unwrap();
    let file = quarantine_file(database.local_path().parent().unwrap());
    let before = bytes_on_disk(file.parent().unwrap());

    assert_eq!(quarantine.purge(Some(Timestamp::from_micros(20_000_000))).unwrap(), 20);
    assert_eq!(quarantine.size().unwrap().requests, 40);
    assert_eq!(quarantine.oldest(0, 1).unwrap()[0].1.received_at.micros(), 20_000_000);

    assert!(contains(&file, b"a-word-to-be-forgotten"), "it is there before");
    assert_eq!(quarantine.purge(None).unwrap(), 40);
    assert_eq!(quarantine.purge(None).unwrap(), 0);
    assert!(!contains(&file, b"a-word-to-be-forgotten"));
    assert!(!contains(&with_suffix(&file, "-wal"), b"a-word-to-be-forgotten"));
    assert!(bytes_on_disk(file.parent().unwrap()) < before / 4);
}

/// The file of version 0.1, as its first migration left it.
#[test]
fn an_older_file_is_migrated_by_the_first_process_that_opens_it() {
    for first in ["list", "recheck"] {
        let app = App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com")]);
        let database = Database::Sqlite(app.log_file());
        drop(store::open(&database, Access::Create).unwrap());
        store::create_quarantine(&database).unwrap().keep(&[signed(&sid(1))], &LIMITS).unwrap();
        let file = rusqlite::Connection::open(quarantine_file(app.folder())).unwrap();
        file.execute_batch(
            "DROP TRIGGER recognised_inserted;
             DROP TRIGGER recognised_deleted;
             DROP INDEX ranks;
             DROP INDEX rejected;
             ALTER TABLE requests DROP COLUMN rank;
             ALTER TABLE requests DROP COLUMN whole;
             ALTER TABLE kept DROP COLUMN recognised;
             DELETE FROM refinery_schema_history WHERE version = 2;",
        )
        .unwrap();
        drop(file);

        let (code, _, stderr) = app.run_as_text(&["quarantine", first]);
        assert_eq!(code, 0, "{stderr}");
        let requests = app.list().len();
        assert_eq!(requests, usize::from(first == "list"));
        assert_eq!(app.run_as_text(&["quarantine", "recheck"]).0, 0);
        assert_eq!(app.events().len(), 1);
    }
}

#[test]
fn processes_that_make_the_quarantine_at_the_same_moment_share_it() {
    for _ in 0..20 {
        let ledger = Ledger::new();
        let database = ledger.database();
        let open = || store::create_quarantine(&database).map(|_| ()).map_err(|e| e.to_string());
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), Ok(()));
            }
        });
    }
}
