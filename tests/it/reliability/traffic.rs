//! Signed traffic during an attack, and which of its callbacks were acknowledged.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use delivery_ledger::simulate::{Callback, FIXED_RECEIPT, SimulationPlan};
use serde_json::Value;

use super::check::Sent;
use super::disk::in_memory;
use crate::support::{ACCOUNT, App, TOKEN};

const CONNECTIONS: &str = "4";

/// Signed traffic from a process of its own.
pub struct Traffic {
    messages: u64,
    seed: u64,
}

/// Running traffic.
pub struct RunningTraffic {
    child: Child,
    folder: tempfile::TempDir,
}

impl Traffic {
    /// Traffic of this many messages, generated from a seed.
    pub fn new(messages: u64, seed: u64) -> Self {
        Self { messages, seed }
    }

    /// Every callback that it may send.
    pub fn callbacks(&self) -> impl Iterator<Item = Sent> {
        let plan = SimulationPlan {
            account_sid: ACCOUNT.to_owned(),
            messages: self.messages,
            seed: self.seed,
            shuffle: true,
            duplicates: 0.0,
            lose: 0.0,
            conflicts: 0.0,
            queued: 0.0,
            forged: 0.0,
            receipt: FIXED_RECEIPT.to_owned(),
        };
        let sent = |callback: Callback| Sent {
            token: callback.idempotency_token,
            body: callback.body.into_bytes(),
        };
        plan.callbacks().map(sent)
    }

    /// Starts sending to a server.
    pub fn to(&self, app: &App) -> RunningTraffic {
        let folder = in_memory();
        let mut simulate = std::process::Command::new(env!("CARGO_BIN_EXE_delivery-ledger"));
        simulate.env_clear().env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN);
        simulate.args([
            "simulate",
            "--yes",
            "--shuffle",
            "--connections",
            CONNECTIONS,
            "--acked-log",
        ]);
        simulate.arg(acknowledged_in(folder.path()));
        simulate.args(["--messages", &self.messages.to_string(), "--seed", &self.seed.to_string()]);
        simulate.args(["--target", &format!("http://{}/message-status", app.callbacks())]);
        simulate.args(["--signed-url", &app.url("/message-status")]);
        let quiet = simulate.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        RunningTraffic { child: quiet.spawn().unwrap(), folder }
    }
}

impl RunningTraffic {
    /// Waits until this many more callbacks are acknowledged than now.
    pub fn goes_on(&self, more: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let lines = || {
            let text = std::fs::read(acknowledged_in(self.folder.path())).unwrap_or_default();
            text.iter().filter(|byte| **byte == b'\n').count()
        };
        let enough = lines() + more;
        while lines() < enough {
            assert!(Instant::now() < deadline, "no more callbacks are acknowledged");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until everything was sent; returns the acknowledged callbacks.
    pub fn whole(mut self) -> HashSet<Sent> {
        assert!(self.child.wait().unwrap().success());
        acknowledged(&acknowledged_in(self.folder.path()))
    }

    /// Stops the traffic; returns the callbacks acknowledged until then.
    pub fn broken_off(mut self) -> HashSet<Sent> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        acknowledged(&acknowledged_in(self.folder.path()))
    }
}

fn acknowledged_in(folder: &Path) -> PathBuf {
    folder.join("acknowledged")
}

fn acknowledged(log: &Path) -> HashSet<Sent> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    // The last line may be cut off.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let sent = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        Sent { token: text("idempotency_token"), body: text("body").into_bytes() }
    };
    whole.map(sent).collect()
}
