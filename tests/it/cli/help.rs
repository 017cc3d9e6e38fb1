//! The help of every command, its manual page, and what shells complete.

use clap::Command;
use delivery_ledger::cli::command;
use delivery_ledger::config::SETTINGS;
use tempfile::TempDir;

use crate::support;

/// Every command by its path, such as `quarantine list`; the program itself first.
fn paths() -> Vec<String> {
    fn add(command: &Command, path: &str, paths: &mut Vec<String>) {
        paths.push(path.to_owned());
        for subcommand in command.get_subcommands() {
            add(subcommand, format!("{path} {}", subcommand.get_name()).trim(), paths);
        }
    }
    let mut paths = Vec::new();
    add(&command(), "", &mut paths);
    assert!(paths.contains(&"quarantine list".to_owned()), "{paths:?}");
    paths
}

fn words(path: &str) -> Vec<&str> {
    path.split_whitespace().collect()
}

fn exit_and_stdout(arguments: &[&str]) -> (Option<i32>, String) {
    let output = support::Command::new(TempDir::new().unwrap().path(), arguments).output();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Runs a command that must succeed, and returns its stdout.
fn run(arguments: &[&str]) -> String {
    let (code, stdout) = exit_and_stdout(arguments);
    assert_eq!(code, Some(0), "{arguments:?}");
    stdout
}

#[test]
fn help_and_version_go_to_stdout_and_exit_with_0() {
    let version = run(&["-V"]);
    assert_eq!(version, format!("delivery-ledger {}\n", env!("CARGO_PKG_VERSION")));
    let long = run(&["--version"]);
    let names = long.lines().skip(1).map(|line| line.split(':').next().unwrap());
    assert!(long.starts_with(&version), "{long}");
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["commit", "date", "SQLite", "target", "profile", "compiler"]
    );
    let help = run(&["--help"]);
    for command in ["serve", "demo", "audit", "replay", "verify", "export", "check-signature"] {
        assert!(help.contains(command), "{command}");
        assert!(run(&[command, "--help"]).contains("Usage:"), "{command}");
    }
}

#[test]
fn every_help_page_has_examples_and_global_options_under_a_heading_of_their_own() {
    for path in paths() {
        let help = run(&[&words(&path)[..], &["--help"]].concat());
        let examples = help.split("\nExamples:\n").nth(1);
        let examples = examples.unwrap_or_else(|| panic!("{path} has no examples: {help}"));
        let mut lines = examples.lines();
        let is_of_it = |line: &str| line.starts_with("  delivery-ledger ") && line.contains(&path);
        assert!(lines.any(is_of_it), "{path}: {help}");
        let global = help.split("\nGlobal options:\n").nth(1).expect(&path);
        for option in ["--config", "--database", "--color", "--no-pager", "-q", "-v"] {
            assert!(global.contains(option), "{path}: {option}");
        }
        let needs_none = ["openapi", "completions", "man", "init", "evidence check", "seal check"]
            .contains(&path.as_str());
        assert_eq!(help.contains("\nEnvironment:\n"), !needs_none, "{path}: {help}");
    }
}

#[test]
fn every_argument_has_a_description() {
    let program = command();
    for path in paths() {
        for argument in find(&program, &path).get_arguments() {
            let text = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!text.is_empty(), "{path}: {}", argument.get_id());
        }
    }
}

#[test]
fn every_example_is_accepted() {
    let program = command();
    for path in paths() {
        // Before its long lines are wrapped.
        let help = find(&program, &path).get_after_help().expect(&path).to_string();
        let lines = help.lines().filter_map(|line| line.strip_prefix("  delivery-ledger"));
        for line in lines.map(|rest| format!("delivery-ledger{rest}")) {
            let line = line.split([' ']).take_while(|word| ![">", "|"].contains(word));
            let line = line.collect::<Vec<_>>().join(" ");
            if let Err(error) = command().try_get_matches_from(shell_words(&line)) {
                panic!("{line}: {error}");
            }
        }
    }
}

fn find<'c>(program: &'c Command, path: &str) -> &'c Command {
    let step = |command: &'c Command, word| command.find_subcommand(word).expect("a command");
    words(path).into_iter().fold(program, step)
}

/// The words of a line, of which those with blanks are in single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn the_help_of_serve_has_every_environment_variable_of_a_setting() {
    let help = run(&["serve", "--help"]);
    for setting in SETTINGS {
        let Some(variable) = setting.variable else { continue };
        if setting.key != "pager" {
            assert!(help.contains(&format!("\n  {variable}")), "{variable}: {help}");
        }
        assert!(!setting.about.is_empty(), "{variable} has no description");
    }
    let audit = run(&["audit", "--help"]);
    let pager = "  DELIVERY_LEDGER_PAGER            The pager for long output [default: less]\n";
    assert!(audit.contains(pager), "{audit}");
}

#[test]
fn output_limit_quiet_and_verbose_have_the_usual_short_flags() {
    let accepted = |line: &str| command().try_get_matches_from(line.split(' ')).is_ok();
    assert!(accepted("delivery-ledger export messages -o file -q"));
    assert!(accepted("delivery-ledger quarantine list -n 10 -vv"));
    let all = paths();
    for path in all.iter().filter(|path| !path.is_empty()) {
        let help = run(&[&words(path)[..], &["--help"]].concat());
        for (long, short) in [(" --output <", "-o,"), (" --limit <", "-n,")] {
            let lines = help.lines().filter(|line| line.contains(long));
            lines.for_each(|line| assert!(line.contains(short), "{path}: {line}"));
        }
    }
}

#[test]
fn every_command_has_a_manual_page_with_exit_status_environment_and_examples() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man1");
    let written = run(&["man", "--all", pages.to_str().unwrap()]);
    assert!(written.contains("pages were written to"), "{written}");
    for path in paths() {
        let name = format!("delivery-ledger {path}").trim().replace(' ', "-");
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).expect(&name);
        for part in ["SYNOPSIS", "OPTIONS", "\"EXIT STATUS\"", "ENVIRONMENT", "EXAMPLES"] {
            assert!(page.contains(&format!("\n.SH {part}\n")), "{name} has no {part}");
        }
        assert_eq!(page, run(&[&["man"], &words(&path)[..]].concat()), "{name}");
    }
    let audit = std::fs::read_to_string(pages.join("delivery-ledger-audit.1")).unwrap();
    assert!(audit.contains(".TP\n\\fB4\\fR\nThe log has no such message.\n"), "{audit}");
    let count = std::fs::read_dir(&pages).unwrap().count();
    assert_eq!(count, paths().len());
}

#[test]
fn manual_pages_pass_the_checker_without_warnings() {
    let folder = TempDir::new().unwrap();
    run(&["man", "--all", folder.path().to_str().unwrap()]);
    let pages = std::fs::read_dir(folder.path()).unwrap().map(|page| page.unwrap().path());
    let mut checker = std::process::Command::new("mandoc");
    let checked = checker.args(["-T", "lint", "-W", "warning"]).args(pages).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "");
    assert!(checked.status.success());
}

#[test]
fn an_unknown_command_of_man_suggests_a_similar_one() {
    let folder = TempDir::new().unwrap();
    let output = support::Command::new(folder.path(), &["man", "quarantine", "lisst"]).output();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "error: there is no command `lisst`; similar: list\n");
}

#[test]
fn shells_complete_words_files_and_urls() {
    let bash = run(&["completions", "bash"]);
    for words in [
        "sms mms whatsapp rcs messenger",
        "scheduled accepted queued sending sent",
        "failure-terminal delivery-wins",
        "true false",
        "application/x-www-form-urlencoded application/json",
    ] {
        assert!(bash.contains(&format!("compgen -W \"{words}")), "{words}");
    }
    let zsh = run(&["completions", "zsh"]);
    for (option, completion) in [
        ("--output=", ":FILE:_files"),
        ("--all=", ":DIR:_files -/"),
        ("--public-url=", ":URL:_urls"),
    ] {
        let line = zsh.lines().find(|line| line.contains(option)).expect(option);
        assert!(line.contains(completion), "{line}");
    }
}

#[test]
fn every_shell_completion_contains_all_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out) = exit_and_stdout(&["completions", shell]);
        assert_eq!(code, Some(0), "{shell}");
        for word in ["delivery-ledger", "check-signature", "message-sid", "as-of-position"] {
            assert!(out.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(exit_and_stdout(&["completions"]).0, Some(2));
    assert_eq!(exit_and_stdout(&["completions", "cmd"]).0, Some(2));
}

#[test]
fn the_bash_completion_is_valid() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, exit_and_stdout(&["completions", "bash"]).1).unwrap();
    let bash = std::process::Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
}

#[test]
fn the_program_and_every_command_have_a_manual_page() {
    let (code, page) = exit_and_stdout(&["man"]);
    assert_eq!(code, Some(0));
    assert!(page.contains(".TH delivery-ledger 1"), "{page}");
    for command in ["serve", "audit", "tail", "check-signature", "man"] {
        let (code, page) = exit_and_stdout(&["man", command]);
        assert_eq!(code, Some(0));
        assert!(page.contains(&format!(".TH delivery-ledger-{command} 1")), "{page}");
        assert!(page.contains("database"), "the flags of every command: {page}");
    }
    assert_eq!(exit_and_stdout(&["man", "nonsense"]).0, Some(2));
}

#[test]
fn completions_and_manual_pages_need_no_valid_configuration() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("delivery-ledger.toml"), "no = \"such key\"").unwrap();
    for arguments in [&["man"][..], &["completions", "bash"]] {
        let output = support::Command::new(folder.path(), arguments).output();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
    }
}
