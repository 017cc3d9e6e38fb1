//! Cargo's build script: which commit the program is built from, and with what, for `src/version.rs`.
//! Nothing is looked up for a debug build, so that a commit never makes a developer compile again.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The commit, for a packager whose build has no repository.
const COMMIT: &str = "DELIVERY_LEDGER_COMMIT";

/// The time of what is built, in seconds since 1970 (<https://reproducible-builds.org/specs/source-date-epoch/>).
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// What has no answer is an empty value; the program says that it is unknown.
fn main() {
    println!("cargo:rerun-if-changed=scripts/build.rs");
    println!("cargo:rerun-if-env-changed={COMMIT}");
    println!("cargo:rerun-if-env-changed={EPOCH}");
    let is_release = variable("PROFILE") == "release";
    let from_git = if is_release { git() } else { None };
    let from_crate = || if is_release { crate_commit() } else { None };
    let (commit, seconds) = from_git.unzip();
    let commit = given(COMMIT).or(commit).or_else(from_crate).unwrap_or_default();
    let seconds = given(EPOCH).or(seconds).unwrap_or_default();
    set("COMMIT", &commit);
    set("COMMIT_SECONDS", &seconds);
    set("TARGET", &variable("TARGET"));
    set("PROFILE", &variable("PROFILE"));
    set("RUSTC", &output(&variable("RUSTC"), &["--version"]).unwrap_or_default());
}

fn set(name: &str, value: &str) {
    println!("cargo:rustc-env=DELIVERY_LEDGER_BUILD_{name}={}", value.trim());
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn given(name: &str) -> Option<String> {
    Some(variable(name)).filter(|value| !value.trim().is_empty())
}

/// The commit of the repository and its time. A repository further up, in which a crate was unpacked,
/// knows nothing of it.
fn git() -> Option<(String, String)> {
    let top = output("git", &["rev-parse", "--show-toplevel"])?;
    let here = fs::canonicalize(".").ok()?;
    if fs::canonicalize(top).ok()? != here {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = output("git", &["rev-parse", "--git-path", name])?;
        // Cargo runs the script every time if a file that it names does not exist.
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let shown = output("git", &["show", "--no-patch", "--format=%H %ct", "HEAD"])?;
    let (commit, seconds) = shown.split_once(' ')?;
    Some((commit.to_owned(), seconds.to_owned()))
}

/// The commit that `cargo package` wrote down: `{"git": {"sha1": "…"}, …}`.
fn crate_commit() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}
