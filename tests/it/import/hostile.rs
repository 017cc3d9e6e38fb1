//! Hostile files: no panic, and whatever is accepted can be read again.

use proptest::prelude::*;

use super::events::import_here;
use super::records::gzipped;
use crate::callbacks::hostile::hostile_bytes;
use crate::support::ledger::Ledger;

fn beginning() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"{\"event_id\":\"x\"}\n".to_vec()),
        Just(b"{\"sid\":\"SM1\"}\n".to_vec()),
        Just(b"{\"messages\":[{\"sid\":1},".to_vec()),
        Just(b"[".to_vec()),
        Just(b"Sid,AccountSid,Status\nSM1,\"".to_vec()),
        Just(b"Sid,\xff\n".to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_imported_or_rejected_without_a_panic(
        beginning in beginning(),
        bytes in hostile_bytes(),
        lines in prop::bool::ANY,
        cut in prop::option::of(0_usize..200),
    ) {
        let ledger = Ledger::new();
        let mut content = [beginning, bytes].concat();
        if lines {
            content.iter_mut().filter(|byte| **byte == b',').for_each(|byte| *byte = b'\n');
        }
        if let Some(cut) = cut {
            let whole = gzipped(&content);
            content = whole[..whole.len().saturating_sub(cut)].to_vec();
        }
        let path = ledger.file("input");
        std::fs::write(&path, content).unwrap();
        let store = ledger.open();
        let counts = import_here(&*store, &path);
        prop_assert_eq!(store.head().unwrap(), counts.appended);
        prop_assert!(counts.rows + 1 >= counts.appended + counts.known + counts.inbound + counts.rejected);
    }
}
