//! What the build script finds out, run as cargo runs it but in a folder of the test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

/// The compiled script, once for all tests.
static SCRIPT: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("build");
    let mut rustc = Command::new("rustc");
    let rustc = rustc.args(["--edition", "2024", "scripts/build.rs", "-o"]).arg(&program);
    assert!(rustc.status().unwrap().success());
    (folder, program)
});

#[test]
fn a_release_build_takes_commit_and_time_from_the_repository() {
    let folder = repository();
    let commit = git(folder.path(), &["rev-parse", "HEAD"]);
    let lines = build(folder.path(), "release", &[]);
    assert_eq!(value(&lines, "COMMIT"), commit);
    assert_eq!(value(&lines, "COMMIT_SECONDS"), "1795621935");
    assert!(lines.contains("cargo:rerun-if-changed=.git/logs/HEAD\n"), "{lines}");
}

#[test]
fn a_debug_build_does_not_depend_on_the_repository() {
    let lines = build(repository().path(), "debug", &[]);
    assert_eq!((value(&lines, "COMMIT"), value(&lines, "COMMIT_SECONDS")), ("", ""));
    assert!(!lines.contains(".git"), "{lines}");
}

#[test]
fn a_packagers_variables_take_precedence() {
    let variables = [("DELIVERY_LEDGER_COMMIT", "v0.1.0"), ("SOURCE_DATE_EPOCH", "1700000000")];
    for profile in ["debug", "release"] {
        let lines = build(repository().path(), profile, &variables);
        assert_eq!(value(&lines, "COMMIT"), "v0.1.0");
        assert_eq!(value(&lines, "COMMIT_SECONDS"), "1700000000");
    }
}

#[test]
fn an_unpacked_crate_has_the_commit_that_it_was_packaged_from() {
    let around = repository();
    let unpacked = around.path().join("delivery-ledger-0.1.0");
    std::fs::create_dir(&unpacked).unwrap();
    assert_eq!(value(&build(&unpacked, "release", &[]), "COMMIT"), "", "not that of the folder");

    let info = "{\n  \"git\": {\n    \"sha1\": \"0123abcd\"\n  },\n  \"path_in_vcs\": \"\"\n}";
    std::fs::write(unpacked.join(".cargo_vcs_info.json"), info).unwrap();
    assert_eq!(value(&build(&unpacked, "release", &[]), "COMMIT"), "0123abcd");
}

fn build(folder: &Path, profile: &str, variables: &[(&str, &str)]) -> String {
    let mut script = Command::new(&SCRIPT.1);
    script.current_dir(folder).env_remove("DELIVERY_LEDGER_COMMIT").env_remove("SOURCE_DATE_EPOCH");
    script.envs([("PROFILE", profile), ("TARGET", "here"), ("RUSTC", "rustc")]);
    let output = script.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn value<'l>(lines: &'l str, name: &str) -> &'l str {
    let prefix = format!("cargo:rustc-env=DELIVERY_LEDGER_BUILD_{name}=");
    lines.lines().find_map(|line| line.strip_prefix(&prefix)).expect(name)
}

/// A repository with one commit, of 2026-11-25.
fn repository() -> TempDir {
    let folder = TempDir::new().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["commit", "--quiet", "--allow-empty", "--message", "one"]);
    folder
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
    git.args(arguments).env("GIT_COMMITTER_DATE", "1795621935 +0000");
    let output = git.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
