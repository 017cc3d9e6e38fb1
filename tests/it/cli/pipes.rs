//! Output pipes that are closed early, as `head` does.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::{stderr, stdout};
use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, TOKEN, sent, sid};

#[test]
fn an_export_succeeds_if_its_output_pipe_is_closed() {
    let events: Vec<_> = (0..2_000).map(|number| event(sent(&sid(number)))).collect();
    let ledger = Ledger::with_events(&one_a_second(events));
    for what in ["events", "messages"] {
        let mut export = std::process::Command::new(env!("CARGO_BIN_EXE_delivery-ledger"))
            .args(["export", what])
            .current_dir(ledger.log_file().parent().unwrap())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(export.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with('{'));
        drop(lines);
        let output = export.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
    }
}

/// Regression: a CSV report exited with 1, because the library wrapped the closed pipe in its own error.
#[test]
fn no_command_fails_if_its_output_pipe_is_closed() {
    let ledger =
        Ledger::with_events(&one_a_second((0..300).map(|number| {
            event(sent(&sid(number)).with("From", &format!("+1501725{number:04}")))
        })));
    std::fs::write(ledger.file("events.ndjson"), stdout(&ledger.run(&["export", "events"])))
        .unwrap();
    let refused: String = (0..300).map(|number| format!("{{\"no event\":{number}}}\n")).collect();
    std::fs::write(ledger.file("refused.ndjson"), refused).unwrap();
    for command in [
        "audit SM00000000000000000000000000000001",
        "audit SM00000000000000000000000000000001 --format json",
        "backup copy.db",
        "completions bash",
        "config show",
        "config show --format json",
        "doctor --quick",
        "doctor --quick --format json",
        "export events",
        "export events --format csv",
        "export events --format parquet",
        "export messages",
        "export messages --format csv",
        "export messages --format parquet",
        "import --dry-run events.ndjson",
        "import --dry-run --report json events.ndjson",
        "import --dry-run --format events --report json refused.ndjson",
        "man",
        "openapi",
        "quarantine list",
        "quarantine list --format json",
        "quarantine recheck --dry-run",
        "quarantine purge --before 2026-01-01",
        "reconcile --dry-run",
        "reconcile --dry-run --format json",
        "replay",
        "replay --dry-run --format json",
        "report --by from",
        "report --by from --format csv",
        "report --by from --format json",
        "tail --after 0 --no-follow",
        "verify",
        "verify --format json",
    ] {
        let (_, closed) = std::io::pipe().unwrap();
        let arguments: Vec<_> = command.split(' ').collect();
        let command_run = ledger.command(&arguments).stdout(closed);
        let command_run = command_run.env("TWILIO_ACCOUNT_SID", ACCOUNT);
        let output = command_run.env("TWILIO_AUTH_TOKEN", TOKEN).output();
        assert_eq!(output.status.code(), Some(0), "{command}: {}", stderr(&output));
        assert!(!stderr(&output).contains("error:"), "{command}: {}", stderr(&output));
    }
}
