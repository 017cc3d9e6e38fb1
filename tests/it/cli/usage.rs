//! Usage errors have exit code 2, whichever command detects them.

use std::process::Output;

use super::{eventful, stderr};
use crate::support::ledger::Ledger;
use crate::support::terminal::Terminal;
use crate::support::{delivered, events::event, sid};

#[test]
fn usage_errors_exit_with_2() {
    let ledger = ledger();
    std::fs::write(ledger.file("file"), "").unwrap();
    for (arguments, expected) in [
        ("--database mysql:x verify", "is neither sqlite:PATH nor postgres://…"),
        ("audit SM1 --as-of-position 9", "the log ends at position 2"),
        ("audit SM1 --as-of-position 5,1", "it is not a position, such as 42 or 51,522"),
        ("audit SM1 --as-of-position -1", "unexpected argument"),
        ("audit SM1 --format xml", "xml"),
        ("tail --after 9 --no-follow", "beyond the head"),
        ("tail --after +1 --no-follow", "it is not a position"),
        ("export events --as-of-position 9", "the log ends at position 2"),
        ("export messages --as-of-position 9", "the log ends at position 2"),
        ("export events --output .", "is a folder"),
        ("export events --output /dev/null", "is not a regular file"),
        ("export events --output file --manifest", "is a file; --manifest fills a folder"),
        ("export events --channel sms", "events cannot be filtered by this"),
        ("export messages --message-sid SM1", "use audit for one message"),
        ("export messages --since tomorrow", "a time, such as"),
        ("export messages --overwrite", "--output"),
        ("report --by moon", "is not a property"),
        ("report --by day --since 2026-02-01 --until 2026-01-01", "before until"),
        ("verify --expect 1:abc", "is not POSITION:HASH"),
        ("serve --listen nowhere", "--listen: `nowhere` is not an address and port"),
        ("serve --public-url hooks.example.com", "is not of the form https://host/prefix"),
        ("serve --public-url https://x.example --callback-path x", "is not a path such as"),
        ("quarantine show 17", "is not the id of a request"),
        ("replay --rule moon --dry-run", "is not a rule"),
        ("man moon", "there is no command"),
    ] {
        let output = run(&ledger, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        assert!(stderr.contains(expected), "{arguments}: {stderr}");
    }
}

#[test]
fn invalid_arguments_are_usage_errors() {
    let ledger = eventful();
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &[],
        &["audit"],
        &["audit", ""],
        &["audit", "SM1", "--nonsense"],
        &["audit", "SM1", "--format", "csv"],
        &["audit", "SM1", "--as-of-position", "x"],
        &["audit", "SM1", "--as-of-position", "-1"],
        &["replay", "--rule", "delivery-wins"],
        &["replay", "--dry-run", "--rule", "nonsense"],
        &["verify", "--repair"],
        &["export"],
        &["export", "everything"],
        &["export", "events", "--format", "xml"],
        &["serve", "--token", "secret"],
        &["demo", "--seed", "x"],
    ] {
        let output = ledger.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

/// What is wrong in the configuration, or is not there, is no wrong usage.
#[test]
fn other_failures_exit_with_1() {
    let ledger = ledger();
    for arguments in [
        "--database sqlite:none.db verify",
        "--config none.toml verify",
        "report --by day --error-codes none.csv",
        "import none.ndjson",
    ] {
        let output = run(&ledger, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {stderr}");
    }
}

#[test]
fn a_missing_ledger_is_reported_and_not_created() {
    let ledger = Ledger::new();
    for arguments in [
        &["audit", "SM1"][..],
        &["verify"],
        &["replay"],
        &["replay", "--dry-run"],
        &["export", "events"],
        &["export", "messages"],
        &["export", "messages", "--output", "export.ndjson"],
    ] {
        let output = ledger.run(&[&["--database", "sqlite:none/ledger.db"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("there is no ledger at none/ledger.db"),
            "{}",
            stderr(&output)
        );
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(ledger.file("")).unwrap().count(), 0, "nothing was created");
}

#[test]
fn a_folder_given_instead_of_a_file_is_reported_as_a_folder() {
    let ledger = ledger();
    std::fs::create_dir(ledger.file("folder")).unwrap();
    std::fs::write(ledger.file("file"), "").unwrap();
    for (arguments, expected) in [
        ("--database sqlite:folder verify", "is a folder; name a file in it, such as"),
        ("--database sqlite:folder audit SM1", "folder/ledger.db"),
        ("--database sqlite:folder replay", "is a folder; name a file in it"),
        ("--database sqlite:file/ledger.db verify", "is a file, not a folder"),
        ("--config folder verify", "is a folder; name a configuration file, such as"),
    ] {
        let output = run(&ledger, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(expected), "{arguments}: {stderr}");
    }
}

#[test]
fn positions_may_be_given_with_thousands_separators() {
    let ledger = ledger();
    let hash = ledger.verify(&[]).1["hash"].as_str().unwrap().to_owned();
    for (arguments, code) in [
        ("tail --no-follow --after 0,001".to_owned(), 0),
        (format!("audit {} --as-of-position 0,002", sid(1)), 0),
        ("export events --as-of-position 0,001".to_owned(), 0),
        (format!("verify --expect 0,002:{hash}"), 0),
        ("tail --no-follow --after 51,522".to_owned(), 2),
    ] {
        let output = run(&ledger, &arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {stderr}");
    }
}

const HOSTILE: &str = "a\u{1b}[31m\u{7}\0\u{9b}2J\u{202e}\u{2066}z\u{7f}";

#[test]
fn control_characters_are_escaped_on_a_terminal_and_kept_in_files() {
    let body = delivered(&sid(1)).with("MessageSid", HOSTILE).with("To", HOSTILE);
    let ledger = Ledger::with_events(&[event(body)]);
    for arguments in [
        "export messages --format csv",
        "export events --format csv",
        "export messages",
        "export events",
        "report --by from --format csv",
        "tail --after 0 --no-follow",
        "tail --after 0 --no-follow --format json",
        "report --by from",
    ] {
        let shown = Terminal::of(200).run(&ledger, arguments);
        let unsafe_ones: Vec<char> = shown
            .chars()
            .filter(|c| {
                let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                turns || (c.is_control() && !['\r', '\n', '\t'].contains(c))
            })
            .collect();
        assert!(shown.len() > 20 && unsafe_ones.is_empty(), "{arguments}: {unsafe_ones:?} {shown}");
    }
    let csv = run(&ledger, "export messages --format csv").stdout;
    assert!(String::from_utf8(csv).unwrap().contains(HOSTILE), "byte for byte");
    let shown = Terminal::of(200).run(&ledger, "export messages --format csv");
    assert!(shown.contains("a\\u001b[31m\\u0007\\u0000\\u009b2J\\u202e\\u2066z\\u007f"), "{shown}");
}

/// Two events, projected.
fn ledger() -> Ledger {
    Ledger::with_events(&[event(delivered(&sid(1))), event(delivered(&sid(2)))])
}

fn run(ledger: &Ledger, arguments: &str) -> Output {
    ledger.run(&arguments.split(' ').collect::<Vec<_>>())
}
