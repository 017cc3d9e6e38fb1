//! What commands show on terminals of different widths, and through pipes.

use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::terminal::Terminal;
use crate::support::{delivered, failed, sent, sid};

/// A message that was delivered, then reported as sent, and as failed.
fn ledger() -> Ledger {
    Ledger::with_events(&one_a_second([
        event(delivered(&sid(1))),
        event(sent(&sid(1))),
        event(failed(&sid(1), "30003")),
    ]))
}

#[test]
fn at_80_columns_a_timeline_has_short_times_and_details_below() {
    let shown = Terminal::of(80).run(&ledger(), &format!("audit {}", sid(1)));
    let expected = "
pos  received (UTC)  after  source    status     effect    details
  1  01-02 03:04:05   0 ms  callback  delivered  advanced
        first event; delivered
  2  01-02 03:04:06  1.0 s  callback  sent       late
        ranks below the status already reported; stays delivered
  3  01-02 03:04:07  2.0 s  callback  failed     conflict
        contradicts a status already reported; delivered -> failed; error 30003
";
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn at_200_columns_a_timeline_is_that_of_a_pipe() {
    let ledger = ledger();
    let arguments = format!("audit {}", sid(1));
    let piped = ledger.run(&["audit", &sid(1)]).stdout;
    let shown = Terminal::of(200).run(&ledger, &arguments);
    assert_eq!(shown, String::from_utf8(piped).unwrap());
    let row = "       2  2026-01-02T03:04:06.000000Z  1.0 s  callback  sent       late      \
               ranks below the status already reported; stays delivered\n";
    assert!(shown.contains(row), "{shown}");
}

#[test]
fn at_80_columns_tail_has_short_sids_and_leaves_the_sender_out() {
    let shown = Terminal::of(80).run(&ledger(), "tail --after 0 --no-follow");
    let expected = " position  received (UTC)  status       effect     message    to
        1  01-02 03:04:05  delivered    advanced   SM00…0001  +15558675310
        2  01-02 03:04:06  sent         late       SM00…0001  +15558675310
        3  01-02 03:04:07  failed       conflict   SM00…0001  +15558675310
        30003 Unreachable destination handset
";
    assert_eq!(shown, expected);
}

#[test]
fn columns_chooses_another_width_for_a_terminal_but_not_for_a_pipe() {
    let ledger = ledger();
    let arguments = "tail --after 0 --no-follow";
    let wide = Terminal::of(200).run(&ledger, arguments);
    assert_eq!(Terminal::of(80).with("COLUMNS", "200").run(&ledger, arguments), wide);
    let command = ledger.command(&arguments.split(' ').collect::<Vec<_>>());
    let piped = command.env("COLUMNS", "80").output().stdout;
    assert_eq!(String::from_utf8(piped).unwrap(), wide);
}

const RED_CONFLICT: &str = "\x1b[31mconflict\x1b[0m";

#[test]
fn statuses_and_effects_have_colours_on_a_terminal_that_has_them() {
    let ledger = ledger();
    let arguments = "tail --after 0 --no-follow";
    let shown = Terminal::coloured(80).run(&ledger, arguments);
    assert!(shown.contains(RED_CONFLICT), "{shown}");
    assert!(shown.contains("\x1b[32mdelivered\x1b[0m"), "{shown}");
    assert!(shown.contains("\x1b[33mlate\x1b[0m"), "{shown}");
    let without = Terminal::of(80).run(&ledger, arguments);
    assert!(!without.contains('\x1b'), "TERM=dumb: {without}");
    assert_eq!(without_escapes(&shown), without, "colours change nothing else");
    for (name, value) in [("NO_COLOR", "1"), ("CLICOLOR", "0")] {
        let shown = Terminal::coloured(80).with(name, value).run(&ledger, arguments);
        assert_eq!(shown, without, "{name}");
    }
}

#[test]
fn a_pipe_has_colours_only_if_they_are_forced() {
    let ledger = ledger();
    let run = |name: &str| {
        let command = ledger.command(&["tail", "--after", "0", "--no-follow"]);
        let output = command.env("TERM", "xterm-256color").env(name, "1").output();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!run("OTHER").contains('\x1b'));
    assert!(run("CLICOLOR_FORCE").contains(RED_CONFLICT));
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| before + part.split_once('m').unwrap().1)
}
