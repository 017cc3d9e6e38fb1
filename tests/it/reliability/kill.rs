//! kill -9 at random instants: under load, and while files are made, views caught up and rebuilt,
//! a replay or an export at work, with or without a server.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use fastrand::Rng;

use super::check::{Sent, broken_promise};
use super::disk::Disk;
use super::traffic::Traffic;
use super::{attacks, chance};
use crate::support::App;

const KILLS: usize = 36;

/// Another ledger is begun after this many kills: checking a long one takes long.
const KILLS_A_LEDGER: usize = 9;

/// A ledger whose processes are killed repeatedly, and the callbacks it must contain.
struct Victim {
    disk: Disk,
    app: App,
    sent: HashSet<Sent>,
    acknowledged: HashSet<Sent>,
}

impl Victim {
    /// A ledger whose folder does not exist yet.
    fn new() -> Self {
        let disk = Disk::slow();
        let environment = disk.environment();
        let environment = environment.iter().filter(|(name, _)| *name != "DISK_TRACE");
        let environment: Vec<_> = environment.map(|(name, value)| (*name, &**value)).collect();
        let app = App::not_started(&environment);
        Self { disk, app, sent: HashSet::new(), acknowledged: HashSet::new() }
    }

    fn under_load(&mut self, rng: &mut Rng) {
        let traffic = Traffic::new(1_500, rng.u64(..1 << 40));
        self.sent.extend(traffic.callbacks());
        self.app.restart();
        let on_its_way = traffic.to(&self.app);
        wait(rng, 500);
        self.app.kill();
        self.acknowledged.extend(on_its_way.broken_off());
    }

    /// Kills the server and the replay in random order.
    fn replaying_under_load(&mut self, rng: &mut Rng) {
        let traffic = Traffic::new(1_500, rng.u64(..1 << 40));
        self.sent.extend(traffic.callbacks());
        self.app.restart();
        let on_its_way = traffic.to(&self.app);
        wait(rng, 200);
        let mut replay = self.app.command(&["replay"]).stdout(Stdio::null()).spawn();
        wait(rng, 200);
        if rng.bool() {
            replay.kill().unwrap();
            wait(rng, 100);
        }
        self.app.kill();
        replay.wait().unwrap();
        self.acknowledged.extend(on_its_way.broken_off());
    }

    /// Kills a command a while after its start; short of that it may have ended.
    fn at_work(&self, arguments: &[&str], rng: &mut Rng, within_ms: u64) {
        let mut child = self.app.command(arguments).stdout(Stdio::null()).spawn();
        wait(rng, within_ms);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn at_start(&self, rng: &mut Rng) {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        self.at_work(&serve, rng, 120);
    }

    fn while_rebuilding(&self, rng: &mut Rng) {
        for file in ["ledger.views.db", "ledger.views.db-wal", "ledger.views.db-shm"] {
            let _not_there = std::fs::remove_file(self.ledger().with_file_name(file));
        }
        self.at_start(rng);
    }

    fn while_exporting(&self, rng: &mut Rng) {
        let path = self.disk.folder().join("events.ndjson");
        self.at_work(&["export", "events", "--output", path.to_str().unwrap()], rng, 120);
        let Ok(text) = std::fs::read_to_string(&path) else { return };
        let output = self.app.run(&["export", "events"]);
        assert!(text.as_bytes() == output.stdout, "half an export at {}", path.display());
        std::fs::remove_file(path).unwrap();
    }

    fn kill(&mut self, rng: &mut Rng) -> &'static str {
        match rng.u32(..12) {
            0..5 => (self.under_load(rng), "under load").1,
            10.. => (self.replaying_under_load(rng), "during a replay").1,
            5 => (self.at_start(rng), "at its start").1,
            6 | 7 => (self.while_rebuilding(rng), "while rebuilding").1,
            8 => (self.at_work(&["replay"], rng, 150), "in a replay").1,
            _ => (self.while_exporting(rng), "in an export").1,
        }
    }

    fn check(&self) -> Option<String> {
        if self.ledger().exists() {
            let verified = self.app.run(&["verify"]);
            let empty = String::from_utf8_lossy(&verified.stderr).contains("it is empty");
            let as_it_should = verified.status.success() || empty && self.acknowledged.is_empty();
            if !as_it_should {
                return Some(format!("verify: {verified:?}"));
            }
        }
        broken_promise(&self.ledger(), &self.acknowledged, |event| self.sent.contains(event))
    }

    fn ledger(&self) -> PathBuf {
        self.disk.ledger()
    }
}

fn wait(rng: &mut Rng, at_most_ms: u64) {
    std::thread::sleep(Duration::from_micros(rng.u64(..at_most_ms * 1000)));
}

#[test]
fn acknowledged_callbacks_survive_every_kill() {
    let mut rng = chance("kills");
    let (kills, mut acknowledged) = (attacks(KILLS), 0);
    let mut victim = Victim::new();
    for kill in 1..=kills {
        let when = victim.kill(&mut rng);
        let broken = victim.check();
        assert_eq!(broken, None, "after kill {kill}, {when}");
        if kill % KILLS_A_LEDGER == 0 {
            acknowledged += victim.acknowledged.len();
            victim = Victim::new();
        }
    }
    eprintln!("{kills} kills, {acknowledged} acknowledged");
    assert!(acknowledged > kills, "too few callbacks were acknowledged");
}

/// A control: the checks must fail for a log that has lost its last event.
#[test]
fn the_checks_notice_a_lost_callback() {
    let mut rng = chance("a kill that costs a callback");
    let mut victim = Victim::new();
    while victim.acknowledged.is_empty() {
        victim.under_load(&mut rng);
    }
    let body = b"MessageSid=SM1".to_vec();
    victim.acknowledged.insert(Sent { token: "never kept".to_owned(), body });
    let broken = victim.check().unwrap();
    assert!(broken.starts_with("1 of "), "{broken}");
    victim.sent.clear();
    let broken = victim.check().unwrap();
    assert!(broken.starts_with("nobody sent "), "{broken}");
}
