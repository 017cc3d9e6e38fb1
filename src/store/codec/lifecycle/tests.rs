//! Tests of the encoding of lifecycles.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::any_lifecycle::any_lifecycle;
use crate::domain::{AccountSid, MessageKey, MessageSid};

fn pushed(lifecycle: &Lifecycle) -> Vec<u8> {
    let mut bytes = Vec::new();
    push(&mut bytes, lifecycle);
    bytes
}

/// The parts of a lifecycle that have columns of their own.
fn columns(lifecycle: &Lifecycle) -> (Option<Status>, Addresses<'_>) {
    (lifecycle.evidence.status(), Addresses::from_lifecycle(lifecycle))
}

#[test]
fn the_views_migration_names_this_format_so_that_a_change_rebuilds_them() {
    let migration = include_str!("../../../../migrations/sqlite/views/0001_messages.sql");
    let this_file = include_str!("mod.rs");
    assert!(migration.contains("in format 5 of"));
    assert!(this_file.contains("//! This is format 5."));
}

proptest! {
    #[test]
    fn any_lifecycle_is_read_as_it_was(lifecycle in any_lifecycle()) {
        let (status, columns) = columns(&lifecycle);
        let read = read(&pushed(&lifecycle), Rule::default(), status, columns);
        prop_assert_eq!(read, Some(lifecycle));
    }

    #[test]
    fn a_message_ref_is_the_same_as_that_of_the_whole_lifecycle(lifecycle in any_lifecycle()) {
        let key = MessageKey {
            account_sid: AccountSid::parse("AC1"),
            message_sid: MessageSid::parse("SM1").unwrap(),
        };
        let bytes = pushed(&lifecycle);
        let (status, columns) = columns(&lifecycle);
        let read = message_ref(&bytes, Some("AC1"), status, columns);
        prop_assert_eq!(read, Some(MessageRef::new(&key, &lifecycle)));
    }

    #[test]
    fn a_whole_message_is_the_same_as_that_of_the_lifecycle(lifecycle in any_lifecycle()) {
        let key = MessageKey {
            account_sid: AccountSid::parse("AC1"),
            message_sid: MessageSid::parse("SM1").unwrap(),
        };
        let bytes = pushed(&lifecycle);
        let (status, columns) = columns(&lifecycle);
        let read = whole_message(&bytes, Rule::default(), (Some("AC1"), "SM1"), status, columns);
        prop_assert_eq!(read, Some(WholeMessage::new(&key, &lifecycle)));
        prop_assert_eq!(
            whole_message(&bytes[..bytes.len() - 1], Rule::default(), (None, "SM1"), status, columns),
            None
        );
    }

    #[test]
    fn no_lifecycle_is_read_from_less_or_more_of_it(
        lifecycle in any_lifecycle(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = pushed(&lifecycle);
        let (_, columns) = columns(&lifecycle);
        let read = |bytes: &[u8]| read(bytes, Rule::default(), None, columns);
        prop_assert_eq!(read(&bytes[..cut.index(bytes.len())]), None);
        bytes.push(0);
        prop_assert_eq!(read(&bytes), None);
    }

    #[test]
    fn whatever_the_bytes_are_nothing_panics(
        lifecycle in any_lifecycle(),
        at in any::<proptest::sample::Index>(),
        changed in any::<u8>(),
        any in vec(any::<u8>(), 0..80),
    ) {
        let mut bytes = pushed(&lifecycle);
        let at = at.index(bytes.len());
        bytes[at] = changed;
        for columns in [columns(&lifecycle).1, Addresses { to: None, from: None }] {
            for bytes in [&any, &bytes] {
                read(bytes, Rule::default(), None, columns);
                message_ref(bytes, None, None, columns);
                whole_message(bytes, Rule::default(), (None, "SM1"), None, columns);
            }
        }
    }
}
