//! Imports any bytes in every format: each row is accepted or rejected, and every accepted row can be
//! appended.
#![no_main]

use std::io::Write;
use std::ops::ControlFlow;

use delivery_ledger::domain::Timestamp;
use delivery_ledger::import::{ImportFormat, Options, stage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    for format in ImportFormat::ALL.into_iter().map(Some).chain([None]) {
        let options = Options {
            format,
            keep_content: true,
            account_sid: None,
            now: Timestamp::from_micros(1_780_000_000_000_000),
            spool_folder: std::env::temp_dir(),
        };
        let go_on = &mut |_| ControlFlow::Continue(());
        let mut gathered = stage(&[file.path().to_owned()], options, go_on).unwrap();
        let mut appended = 0;
        let (counts, outcome) = gathered.append(
            None,
            &mut |events| {
                appended += events.len() as u64;
                Ok(())
            },
            go_on,
        );
        outcome.unwrap();
        assert_eq!(counts.appended, appended);
        // A file can also be rejected as a whole.
        assert!(counts.rows + 1 >= appended + counts.known + counts.inbound + counts.refused);
    }
});
