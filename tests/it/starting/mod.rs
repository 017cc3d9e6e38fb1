//! Invalid settings stop `serve` at startup, with one line that names the setting and valid values.

mod credentials;
mod database;
mod forwarding;
mod settings;
mod sources;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{ACCOUNT, TOKEN};

// Helpers.

/// A `serve` command in its own folder, which is expected to be refused.
pub struct Serve {
    folder: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    listeners: bool,
}

impl Serve {
    /// A command without any configuration.
    pub fn bare() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder, environment: Vec::new(), arguments: Vec::new(), listeners: true }
    }

    /// A command with an account and its token, which would start.
    pub fn configured() -> Self {
        Self::bare().env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN)
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| argument.to_string()));
        self
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    /// Omits the listener flags.
    fn without_listeners(self) -> Self {
        Self { listeners: false, ..self }
    }

    /// Asserts exit code 1 and an empty stdout; returns the single line of stderr.
    #[track_caller]
    pub fn refused(&self) -> String {
        self.ended_with(1)
    }

    /// Asserts exit code 2 and an empty stdout; returns the single line of stderr.
    pub fn refused_as_usage(&self) -> String {
        self.ended_with(2)
    }

    fn ended_with(&self, code: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_delivery-ledger"));
        command.current_dir(self.folder.path()).env_clear().arg("serve").args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        for flag in ["--listen", "--admin-listen"] {
            if self.listeners && !self.arguments.iter().any(|argument| argument == flag) {
                command.args([flag, "127.0.0.1:0"]);
            }
        }
        let output = output_of(command, self.folder.path());
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert_eq!(output.stdout, "");
        let line = output.stderr.strip_suffix('\n').unwrap_or(&output.stderr);
        assert!(line.starts_with("error: ") && !line.contains('\n'), "{line}");
        line.to_owned()
    }
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command with a timeout, because a bug may let it start serving.
fn output_of(mut command: Command, folder: &Path) -> Ended {
    let sink = |name: &str| std::fs::File::create(folder.join(name)).unwrap();
    command.stdin(Stdio::null()).stdout(sink("stdout")).stderr(sink("stderr"));
    let mut child: Child = command.spawn().expect("the program starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    Ended { code: status.code(), stdout: read("stdout"), stderr: read("stderr") }
}
