//! The limits of a quarantine, and the order of removal.

use delivery_ledger::domain::Timestamp;
use delivery_ledger::store::quarantine::{Limits, Quarantine, QuarantinedRequest, Rank};
use delivery_ledger::store::{self, Access, Database};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    LIMITS, a_folder, bytes_on_disk, contains, quarantine_file, request, signed, with_suffix,
};
use crate::support::ledger::Ledger;
use crate::support::{App, sid};

// Its store.

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Whatever is kept, it stays within its limits, and what is left are the newest.
    #[test]
    fn the_oldest_requests_are_removed_first_to_stay_within_the_limits(
        batches in proptest::collection::vec(
            proptest::collection::vec(0..40_000_usize, 1..20), 1..12),
        requests in 1..60_u64,
        kib in 100..600_u64,
    ) {
        let limits = Limits { requests, bytes: kib * 1024 };
        let (_folder, database) = a_folder();
        let mut quarantine = store::create_quarantine(&database).unwrap();
        let mut all = Vec::new();
        for batch in batches {
            let batch: Vec<_> = batch.iter().map(|bytes| request(vec![b'x'; *bytes])).collect();
            let kept = quarantine.keep(&batch, &limits).unwrap();
            prop_assert!(kept.requests <= limits.requests, "{:?}", kept);
            prop_assert!(kept.bytes <= limits.bytes, "{:?}", kept);
            all.extend(batch);
        }
        let left = all_of(&*quarantine);
        prop_assert_eq!(quarantine.size().unwrap().requests, left.len() as u64);
        prop_assert_eq!(&left[..], &all[all.len() - left.len()..]);
        prop_assert!(!left.is_empty());
    }
}

#[test]
fn stored_requests_are_read_back_unchanged_in_both_orders() {
    let (_folder, database) = a_folder();
    let mut quarantine = store::create_quarantine(&database).unwrap();
    let all: Vec<_> = (0..10).map(|number| request(vec![number; 10])).collect();
    quarantine.keep(&all, &LIMITS).unwrap();

    assert_eq!(all_of(&*quarantine), all);
    let newest = quarantine.newest(None, 3).unwrap();
    let bodies: Vec<_> = newest.iter().map(|(_, request)| request.body[0]).collect();
    assert_eq!(bodies, [9, 8, 7]);
    let before = quarantine.newest(Some(newest[2].0), 1).unwrap();
    assert_eq!(before[0].1.body[0], 6);
    assert_eq!(quarantine.find(all[4].id).unwrap().as_ref(), Some(&all[4]));
    assert_eq!(quarantine.find(Uuid::nil()).unwrap(), None);
}

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

#[test]
fn recognised_requests_are_removed_last() {
    let (_folder, database) = a_folder();
    let mut quarantine = store::create_quarantine(&database).unwrap();
    let limits = Limits { requests: 10, bytes: 64 << 20 };
    let recognised =
        |number: u8| QuarantinedRequest { rank: Rank::Recognised, ..request(vec![number; 10]) };
    let own: Vec<_> = (0..6).map(recognised).collect();
    quarantine.keep(&own, &limits).unwrap();
    for _ in 0..20 {
        let others: Vec<_> = (0..7).map(|_| request(b"forged".to_vec())).collect();
        quarantine.keep(&others, &limits).unwrap();
    }
    let kept = quarantine.size().unwrap();
    assert_eq!((kept.requests, kept.recognised), (10, 6));
    assert_eq!(&all_of(&*quarantine)[..6], own);

    // Among themselves the oldest go first, and only they are left.
    let more: Vec<_> = (6..18).map(recognised).collect();
    quarantine.keep(&more, &limits).unwrap();
    let numbers: Vec<_> = all_of(&*quarantine).iter().map(|one| one.body[0]).collect();
    assert_eq!(numbers, (8..18).collect::<Vec<_>>());
    assert_eq!(quarantine.size().unwrap().recognised, 10);
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

fn all_of(quarantine: &dyn Quarantine) -> Vec<QuarantinedRequest> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = quarantine.oldest(after, 7).unwrap();
        let Some((last, _)) = page.last() else { return all };
        after = *last;
        all.extend(page.into_iter().map(|(_, request)| request));
    }
}
