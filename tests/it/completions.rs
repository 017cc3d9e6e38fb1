//! Shell completions and manual pages.

use tempfile::TempDir;

use crate::support::Command;

#[test]
fn every_shell_completion_contains_all_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out) = run(&["completions", shell]);
        assert_eq!(code, Some(0), "{shell}");
        for word in ["delivery-ledger", "check-signature", "message-sid", "as-of-position"] {
            assert!(out.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(run(&["completions"]).0, Some(2));
    assert_eq!(run(&["completions", "cmd"]).0, Some(2));
}

#[test]
fn the_bash_completion_is_valid() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, run(&["completions", "bash"]).1).unwrap();
    let bash = std::process::Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
}

#[test]
fn the_program_and_every_command_have_a_manual_page() {
    let (code, page) = run(&["man"]);
    assert_eq!(code, Some(0));
    assert!(page.contains(".TH delivery-ledger 1"), "{page}");
    for command in ["serve", "audit", "tail", "check-signature", "man"] {
        let (code, page) = run(&["man", command]);
        assert_eq!(code, Some(0));
        assert!(page.contains(&format!(".TH delivery-ledger-{command} 1")), "{page}");
        assert!(page.contains("database"), "the flags of every command: {page}");
    }
    assert_eq!(run(&["man", "nonsense"]).0, Some(2));
}

#[test]
fn completions_and_manual_pages_need_no_valid_configuration() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("delivery-ledger.toml"), "no = \"such key\"").unwrap();
    for arguments in [&["man"][..], &["completions", "bash"]] {
        let output = Command::new(folder.path(), arguments).output();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
    }
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(TempDir::new().unwrap().path(), arguments).output();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}
