//! A full or failing disk, at every write and every sync: callbacks get 503, queries still work, nothing
//! acknowledged is lost, and callbacks are accepted again soon after the fault is gone.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use super::check::{Sent, broken_promise};
use super::disk::{Disk, EIO, ENOSPC, FOLDERS, Fault, LOG, SYNCS, VIEWS, WRITES};
use super::power::first_loss;
use super::{attacks, chance, trace};
use crate::support::{App, delivered, sid};

/// The time within which callbacks must be accepted again.
const RECOVERY: Duration = Duration::from_secs(5);

/// The maximum time until the reason is reported, even on a busy machine.
const REASON: Duration = Duration::from_secs(60);

/// The number of callbacks sent while a fault is active.
const SCRIPT: u32 = 6;

/// A server on a disk that fails.
struct FaultyServer {
    disk: Disk,
    app: App,
    next: u32,
    sent: HashSet<Sent>,
    acknowledged: HashSet<Sent>,
    slowest: Duration,
}

impl FaultyServer {
    fn new() -> Self {
        let disk = Disk::new();
        let environment = disk.environment();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (*name, &**value)).collect();
        let app = App::start_with_env(&environment, &[]);
        let (sent, acknowledged) = (HashSet::new(), HashSet::new());
        let mut patient = Self { disk, app, next: 0, sent, acknowledged, slowest: Duration::ZERO };
        assert_eq!(patient.receive(), 200);
        patient.app.caught_up();
        patient
    }

    /// Sends the next callback; the answer's status code.
    fn receive(&mut self) -> u16 {
        self.next += 1;
        let body = delivered(&sid(self.next)).bytes();
        let callback = Sent { token: String::new(), body: body.clone() };
        self.sent.insert(callback.clone());
        let code = self.app.receive(body).code;
        if code == 200 {
            self.acknowledged.insert(callback);
        }
        code
    }

    /// Sends the callbacks; returns true if the fault was hit.
    fn suffer(&mut self, fault: Fault) -> bool {
        self.disk.fail(fault);
        let codes: Vec<_> = (0..SCRIPT).map(|_| self.receive()).collect();
        let others = codes.iter().find(|code| ![200, 503].contains(*code));
        assert_eq!(others, None, "{fault:?}: {codes:?}");
        let noticed = codes.contains(&503);
        if noticed && fault.times < 0 {
            self.still_answers(fault);
        }
        self.disk.heal();
        self.recovers(fault);
        noticed
    }

    /// Asserts that queries work while no callback is accepted, and that the reason is reported.
    fn still_answers(&mut self, fault: Fault) {
        let asked = Instant::now();
        loop {
            // If nothing has to be written, the log can be opened, and only the next callback fails.
            assert_eq!(self.receive(), 503, "{fault:?}");
            assert_eq!(self.app.message(&sid(1))["status"], "delivered", "{fault:?}");
            let ready = self.app.get("/readyz");
            let reason = ready.json()["reason"].as_str().unwrap_or_default().to_owned();
            if ready.code == 503 && reason.starts_with("no callback is acknowledged until") {
                break;
            }
            assert!(asked.elapsed() < REASON, "{fault:?}: {} {reason}", ready.code);
        }
    }

    fn recovers(&mut self, fault: impl std::fmt::Debug) {
        let healed = Instant::now();
        while self.receive() != 200 {
            assert!(healed.elapsed() < RECOVERY, "{fault:?}: {}", self.app.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.slowest = self.slowest.max(healed.elapsed());
    }

    /// Stops the server and checks all promises, also for a power cut at any time.
    fn check(mut self, cuts: usize, rng: &mut Rng) {
        self.app.eventually("the views catch up", || self.app.get("/readyz").code == 200);
        self.app.kill();
        let ledger = self.disk.ledger();
        let sent = self.sent;
        assert_eq!(broken_promise(&ledger, &self.acknowledged, |event| sent.contains(event)), None);
        assert_eq!(first_loss(&trace::read(&self.disk.trace()), cuts, rng), None);
        eprintln!("{} acknowledged, recovered within {:?}", self.acknowledged.len(), self.slowest);
    }
}

/// Makes every operation fail in turn, or every n-th in a quick run.
fn each_in_turn(operations: i32, error: i32, every: usize) {
    let mut rng = chance("faults");
    let mut patient = FaultyServer::new();
    let every = (every / attacks(1)).max(1);
    let mut after = rng.usize(..every) as i32;
    let mut faults = 0;
    loop {
        let times = if rng.bool() { 1 } else { -1 };
        let fault = Fault { operations, files: LOG, after, times, error };
        let noticed = patient.suffer(fault);
        if patient.disk.failed() == 0 {
            break;
        }
        faults += i32::from(noticed);
        after += every as i32;
    }
    assert!(faults >= 3, "{faults}");
    eprintln!("{operations} {error}: {faults} faults were noticed, up to operation {after}");
    patient.check(attacks(10), &mut rng);
}

#[test]
fn a_write_to_a_full_disk_causes_only_a_503() {
    each_in_turn(WRITES, ENOSPC, 5);
}

#[test]
fn a_failed_write_causes_only_a_503() {
    each_in_turn(WRITES, EIO, 5);
}

#[test]
fn a_failed_sync_causes_only_a_503() {
    each_in_turn(SYNCS, EIO, 1);
}

#[test]
fn callbacks_are_accepted_if_the_views_cannot_be_written() {
    let mut rng = chance("faults of the views");
    let mut patient = FaultyServer::new();
    for (operations, error) in [(WRITES, ENOSPC), (WRITES, EIO), (SYNCS, EIO)] {
        let after = rng.i32(0..10);
        patient.disk.fail(Fault { operations, files: VIEWS, after, times: -1, error });
        for _ in 0..30 {
            assert_eq!(patient.receive(), 200);
            std::thread::sleep(Duration::from_millis(20));
        }
        patient.disk.heal();
        patient.app.caught_up();
    }
    patient.check(attacks(10), &mut rng);
}

#[test]
fn a_full_disk_causes_503s_until_there_is_space() {
    let mut rng = chance("a full disk");
    let mut patient = FaultyServer::new();
    for _ in 0..attacks(3) {
        patient.disk.fill_up_to(rng.i64(0..100_000));
        while patient.receive() == 200 {}
        // Also without callbacks, when nothing triggers a retry.
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(patient.app.get("/readyz").code, 503);
        for _ in 0..20 {
            assert_eq!(patient.app.message(&sid(1))["status"], "delivered");
            assert_eq!(patient.receive(), 503);
        }
        patient.disk.heal();
        patient.recovers("a full disk");
        patient.app.eventually("it is ready", || patient.app.get("/readyz").code == 200);
    }
    patient.check(attacks(10), &mut rng);
}

#[test]
fn doctor_works_on_a_full_disk() {
    let mut patient = FaultyServer::new();
    patient.disk.fill_up_to(0);
    while patient.receive() == 200 {}
    patient.app.eventually("it is noticed", || patient.app.get("/readyz").code == 503);
    let admin = patient.app.admin().to_string();
    let page = |app: &App| {
        let output = app.run(&["doctor", "--format", "json", "--admin-listen", &admin]);
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let detail = |page: &Value, name: &str| {
        let checks = page["checks"].as_array().unwrap().iter();
        let mut failed = checks.filter(|check| check["outcome"] == "fail");
        failed.find(|check| check["name"] == name).map(|check| check["detail"].to_string())
    };
    let with_server = page(&patient.app);
    assert!(detail(&with_server, "ready").unwrap().contains("No space left"), "{with_server:#}");

    // Without a server, it cannot even create the lock files of a reader.
    patient.app.kill();
    let views = patient.disk.ledger().with_file_name("ledger.views.db").canonicalize().unwrap();
    for file in [patient.disk.ledger(), views] {
        std::fs::remove_file(file.with_extension("db-shm")).unwrap();
    }
    let output = patient.app.run(&["doctor", "--format", "json", "--admin-listen", "127.0.0.1:1"]);
    let alone: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = alone["checks"].as_array().unwrap().iter().map(|check| &check["name"]);
    assert!(names.clone().any(|name| name == "log") && names.clone().any(|name| name == "ready"));
}

/// A failed start reports the reason and leaves nothing that breaks the next one.
#[test]
fn a_start_on_a_failing_disk_reports_the_reason_and_the_next_one_works() {
    let mut rng = chance("starts on a failing disk");
    let mut refused = 0;
    for _ in 0..attacks(12) {
        let disk = Disk::new();
        let environment = disk.environment();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (*name, &**value)).collect();
        let mut app = App::not_started(&environment);
        let (operations, error) = [(WRITES, ENOSPC), (WRITES, EIO), (SYNCS, EIO)][rng.usize(..3)];
        let after = rng.i32(0..if operations == WRITES { 60 } else { 20 });
        disk.fail(Fault { operations, files: LOG | VIEWS | FOLDERS, after, times: -1, error });
        let ended =
            app.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let mut child = ended.stdout(Stdio::null()).spawn();
        std::thread::sleep(Duration::from_millis(150));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code().is_some() {
            assert!(stderr.contains("error: the ledger sqlite:"), "{stderr}");
            refused += 1;
        }
        disk.heal();
        app.restart();
        assert_eq!(app.receive(delivered(&sid(1))).code, 200);
        app.stop();
        let body = delivered(&sid(1)).bytes();
        let acknowledged = HashSet::from([Sent { token: String::new(), body }]);
        let broken = broken_promise(&disk.ledger(), &acknowledged, |_| true);
        assert_eq!(broken, None, "{operations} {error} after {after}");
    }
    assert!(refused > 0);
}
