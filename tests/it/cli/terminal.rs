//! What commands show on terminals of different widths, and through pipes.

use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::terminal::Terminal;
use crate::support::{delivered, failed, sent, sid, status};

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
fn at_80_columns_sentences_are_broken_between_words_and_addresses_keep_their_end() {
    let ledger = Ledger::with_events(&one_a_second([
        event(status(&sid(1), "partially_delivered").with("To", "whatsapp:+15558675310")),
        event(sent(&sid(1))),
    ]));
    let shown = Terminal::of(80).run(&ledger, &format!("audit {}", sid(1)));
    let sentence = "
It is partially_delivered because no reported status ranks higher; the order of
arrival does not matter (position 1).
";
    assert!(shown.contains(sentence), "{shown}");
    let shown = Terminal::of(80).run(&ledger, "tail --after 0 --no-follow");
    let row = "        1  01-02 03:04:05  partially    advanced   SM00…0001  wa:+15558675310\n";
    assert!(shown.contains(row), "{shown}");
}

/// Lines that begin with a blank are commands to be copied, or a table's.
#[test]
fn at_80_columns_no_line_of_text_or_of_a_table_is_wider() {
    let ledger = ledger();
    let audit = format!("audit {}", sid(1));
    for arguments in [
        audit.as_str(),
        "tail --after 0 --no-follow",
        "messages",
        "replay --dry-run --rule delivery-wins",
        "report --by day",
        "report --by country,week",
        "report --by from --compare previous --since 2026-01-01 --until 2026-02-01",
        "verify",
        "demo --exit --messages 500",
    ] {
        let shown = Terminal::of(80).run(&ledger, arguments);
        let is_command = |line: &&str| line.contains("verify --expect") || line.contains("target/");
        let mut lines = shown.lines().filter(|line| !is_command(line));
        let too_long = lines.find(|line| line.chars().count() > 80);
        assert_eq!(too_long, None, "{arguments}: {shown}");
    }
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

#[test]
fn color_overrides_the_environment_and_the_terminal() {
    let ledger = ledger();
    let arguments = "tail --after 0 --no-follow --color";
    let never = Terminal::coloured(80).run(&ledger, &format!("{arguments} never"));
    assert!(!never.contains('\x1b'), "{never}");
    let always =
        Terminal::of(80).with("NO_COLOR", "1").run(&ledger, &format!("{arguments} always"));
    assert!(always.contains(RED_CONFLICT), "{always}");
}

#[test]
fn log_lines_have_colours_under_the_same_conditions() {
    let ledger = ledger();
    let shown = |terminal: Terminal| terminal.of_stderr().run(&ledger, "-v tail --no-follow");
    let text = "the settings were read";
    let coloured = shown(Terminal::coloured(80));
    assert!(coloured.contains(text) && coloured.contains('\x1b'), "{coloured}");
    for plain in [Terminal::coloured(80).with("NO_COLOR", "1"), Terminal::of(80)] {
        let plain = shown(plain);
        assert!(plain.contains(text) && !plain.contains('\x1b'), "{plain}");
    }
}

#[test]
fn verbose_logs_more_and_quiet_only_errors() {
    let ledger = ledger();
    let log = |flag: &str| {
        // A ledger whose views belong to another log is a reason for a warning.
        ledger.views_sql("UPDATE checkpoint SET ledger_id = x'00'");
        String::from_utf8(ledger.run(&[flag, "report", "--by", "day"]).stderr).unwrap()
    };
    assert!(log("--color=auto").contains("the views are rebuilt"));
    assert!(log("-v").contains("the settings were read"));
    assert_eq!(log("-q"), "");
    let output = ledger.run(&["-q", "-v", "verify"]);
    assert_eq!(output.status.code(), Some(2));
}

/// A terminal of ten rows, too few for the timeline, and a pager that marks what it shows.
fn with_pager(ledger: &Ledger, name: &'static str) -> Terminal {
    use std::os::unix::fs::PermissionsExt;
    let script = ledger.file("pager");
    std::fs::write(&script, "#!/bin/sh\necho \"paged with $LESS $1\"\nexec /bin/cat\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();
    let command = format!("{} --option", script.display());
    Terminal::of(80).rows(10).with(name, &command)
}

#[test]
fn output_longer_than_the_terminal_goes_through_the_pager() {
    let ledger = ledger();
    let audit = format!("audit {}", sid(1));
    let direct = Terminal::of(80).run(&ledger, &audit);
    let paged = format!("paged with FRX --option\n{direct}");
    assert_eq!(with_pager(&ledger, "PAGER").run(&ledger, &audit), paged);
    let both = with_pager(&ledger, "DELIVERY_LEDGER_PAGER").with("PAGER", "false");
    assert_eq!(both.run(&ledger, &audit), paged);
    let options_of_a_user = with_pager(&ledger, "PAGER").with("LESS", "iM");
    let shown = options_of_a_user.run(&ledger, &audit);
    assert!(shown.starts_with("paged with iM --option\n"), "{shown}");
}

#[test]
fn output_is_shown_directly_if_it_fits_or_no_pager_is_wanted_or_there_is_none() {
    let ledger = ledger();
    let audit = format!("audit {}", sid(1));
    let direct = Terminal::of(80).run(&ledger, &audit);
    let pager = || with_pager(&ledger, "PAGER");
    assert_eq!(pager().rows(60).run(&ledger, &audit), direct);
    assert_eq!(pager().run(&ledger, &format!("--no-pager {audit}")), direct);
    for none in ["cat", "no-such-program"] {
        assert_eq!(pager().with("DELIVERY_LEDGER_PAGER", none).run(&ledger, &audit), direct);
    }
    let piped = ledger.command(&["audit", &sid(1)]).env("PAGER", "false").output().stdout;
    assert!(String::from_utf8(piped).unwrap().starts_with("message  SM"));
}

#[test]
fn a_pager_that_is_left_early_is_no_error() {
    let ledger = Ledger::with_events(&vec![event(sent(&sid(1))); 5000]);
    let terminal = Terminal::of(80).rows(10).with("PAGER", "/usr/bin/head -n 1");
    let shown = terminal.run(&ledger, &format!("audit {}", sid(1)));
    assert_eq!(shown, "message  SM00000000000000000000000000000001  sent (open)\n");
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| before + part.split_once('m').unwrap().1)
}
