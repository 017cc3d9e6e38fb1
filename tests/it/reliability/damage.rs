//! The log's files changed in place under a running server, as a restore or a careless `truncate`
//! does: noticed before the next 200, and nothing that was acknowledged is lost without a word.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{Sent, broken_promise};
use super::traffic::Traffic;
use crate::support::ledger::damage;
use crate::support::{App, delivered, sid};

/// The number of callbacks before the damage.
const BEFORE: u32 = 20;

/// The log line of a server that has noticed a change of its files.
const NOTICED: &str = "was changed by another program while it was in use";

const WAL: &str = "ledger.db-wal";
const SHM: &str = "ledger.db-shm";
const LOG: &str = "ledger.db";
const FRAME: u64 = 24 + 4096;

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// Inverts a byte.
fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
}

fn cut(path: &Path, bytes: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

fn bytes_of(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

/// Overwrites a file with another one's content, as `cp` does: it stays the same file.
fn put_back(from: &Path, to: &Path) {
    std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
}

struct DamagedServer {
    app: App,
    sent: HashSet<Sent>,
    acknowledged: HashSet<Sent>,
    next: u32,
}

impl DamagedServer {
    /// A server with some callbacks in its write-ahead log, on a ledger that ran before if asked.
    fn new(ran_before: bool) -> Self {
        let app = App::start();
        let (sent, acknowledged) = (HashSet::new(), HashSet::new());
        let mut patient = Self { app, sent, acknowledged, next: 0 };
        if ran_before {
            patient.take(BEFORE);
            patient.app.stop();
            patient.app.restart();
        }
        patient.take(BEFORE);
        patient
    }

    fn file(&self, name: &str) -> PathBuf {
        self.app.folder().join(name)
    }

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

    fn take(&mut self, callbacks: u32) {
        (0..callbacks).for_each(|_| assert_eq!(self.receive(), 200));
    }

    /// Asserts that the next callback is not acknowledged, and that nothing acknowledged is lost.
    fn recovers(mut self, what: &str) {
        self.receive();
        self.app.eventually(what, || self.app.stderr().contains(NOTICED));
        let mut tries = 0;
        while self.receive() != 200 {
            tries += 1;
            assert!(tries < 200, "{what}: {}", self.app.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.take(BEFORE);
        self.nothing_is_lost(what);
    }

    fn nothing_is_lost(mut self, what: &str) {
        self.app.stop();
        let sent = &self.sent;
        let ledger = self.app.log_file();
        let broken = broken_promise(&ledger, &self.acknowledged, |event| sent.contains(event));
        assert_eq!(broken, None, "{what}");
    }

    /// Asserts that no callback is accepted, and that the log names what is missing and what to do.
    fn refuses(mut self, what: &str, because: &str) {
        for _ in 0..5 {
            assert_eq!(self.receive(), 503, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.app.eventually(what, || self.app.stderr().contains(NOTICED));
        self.app.eventually(what, || {
            let ready = self.app.get("/readyz");
            let reason = ready.json()["reason"].as_str().unwrap_or_default().to_owned();
            ready.code == 503 && reason.contains(because)
        });
        assert!(!self.app.stderr().contains("still stored"), "{what}: {}", self.app.stderr());
        self.app.kill();
    }
}

/// Damages the files of a running server, and asserts that it recovers.
#[track_caller]
fn assert_recovers_from(what: &str, damage: impl Fn(&DamagedServer)) {
    for ran_before in [false, true] {
        let patient = DamagedServer::new(ran_before);
        damage(&patient);
        patient.recovers(&format!("{what}, ran before: {ran_before}"));
    }
}

#[test]
fn a_truncated_wal_is_noticed_and_its_events_are_appended_again() {
    assert_recovers_from("cut to nothing", |patient| cut(&patient.file(WAL), 0));
    assert_recovers_from("cut to its header", |patient| cut(&patient.file(WAL), 32));
    assert_recovers_from("cut in the middle", |patient| {
        let wal = patient.file(WAL);
        cut(&wal, bytes_of(&wal) / 2);
    });
    assert_recovers_from("its last byte is gone", |patient| {
        let wal = patient.file(WAL);
        cut(&wal, bytes_of(&wal) - 1);
    });
}

#[test]
fn an_overwritten_wal_is_noticed_and_its_events_are_appended_again() {
    assert_recovers_from("its salts", |patient| flip(&patient.file(WAL), 16));
    assert_recovers_from("its magic number", |patient| flip(&patient.file(WAL), 0));
    assert_recovers_from("a byte of its first frame", |patient| {
        flip(&patient.file(WAL), 32 + 24 + 4000);
    });
    assert_recovers_from("a byte of its last frame", |patient| {
        let wal = patient.file(WAL);
        flip(&wal, bytes_of(&wal) - 100);
    });
    assert_recovers_from("a page in its middle", |patient| {
        let wal = patient.file(WAL);
        let frame = (bytes_of(&wal) - 32) / FRAME / 2;
        overwrite(&wal, 32 + frame * FRAME + 24, &[0; 4096]);
    });
    assert_recovers_from("all of it", |patient| {
        let wal = patient.file(WAL);
        overwrite(&wal, 0, &vec![7; bytes_of(&wal) as usize]);
    });
}

/// The projection reads new events within a tenth of a second, and an idle server looks at its files every second.
#[test]
fn views_that_have_read_an_overwritten_wal_are_rebuilt() {
    let mut patient = DamagedServer::new(false);
    patient.app.caught_up();
    patient.take(3);
    let wal = patient.file(WAL);
    let bytes = std::fs::read(&wal).unwrap();
    let body = delivered(&sid(patient.next)).bytes();
    let last = bytes.windows(body.len()).rposition(|window| window == body).unwrap();
    flip(&wal, last as u64);
    patient.app.caught_up();

    patient.recovers("a byte of a callback's body");
}

/// Otherwise the views would no longer show that the event was changed.
#[test]
fn views_are_not_rebuilt_from_an_event_that_was_changed_in_the_log() {
    let mut patient = DamagedServer::new(false);
    patient.app.caught_up();
    damage(&patient.file(LOG), |log| {
        log.execute("UPDATE events SET body = x'' WHERE position = 7", []).unwrap();
    });
    // The server looks at its whole log, finds it intact, and opens it again.
    let log = std::fs::File::options().write(true).open(patient.file(LOG)).unwrap();
    log.set_modified(std::time::SystemTime::now()).unwrap();
    drop(log);
    patient.receive();
    let noticed = "the log has another event than the one that was acknowledged; run verify";
    patient.app.eventually("it says so", || patient.app.stderr().contains(noticed));

    let verified = patient.app.run(&["verify"]);
    assert_eq!(verified.status.code(), Some(3), "{verified:?}");
}

#[test]
fn an_overwritten_wal_index_is_noticed_and_rebuilt() {
    // SQLite rebuilds the index automatically if its header is incomplete; nothing is lost then.
    let quietly = |what: &str, damage: &dyn Fn(&Path)| {
        for ran_before in [false, true] {
            let mut patient = DamagedServer::new(ran_before);
            damage(&patient.file(SHM));
            while patient.receive() != 200 {}
            patient.take(BEFORE);
            patient.nothing_is_lost(what);
        }
    };
    quietly("32 KiB of zeros", &|shm| overwrite(shm, 0, &[0; 32 << 10]));
    quietly("a byte of its header", &|shm| flip(shm, 16));
    quietly("its page numbers", &|shm| overwrite(shm, 136, &[0; 400]));
    quietly("its hash table", &|shm| overwrite(shm, 16 << 10, &[0; 16 << 10]));
    assert_recovers_from("its page numbers", |patient| {
        overwrite(&patient.file(SHM), 136, &[0; 400]);
    });
    assert_recovers_from("its hash table", |patient| {
        overwrite(&patient.file(SHM), 16 << 10, &[0; 16 << 10]);
    });
}

#[test]
fn bytes_after_the_last_frame_are_not_damage() {
    let mut patient = DamagedServer::new(true);
    let wal = patient.file(WAL);
    overwrite(&wal, bytes_of(&wal), &[9; 10_000]);
    patient.take(BEFORE);
    assert!(!patient.app.stderr().contains(NOTICED), "{}", patient.app.stderr());
    patient.nothing_is_lost("bytes at the end");
}

#[test]
fn a_database_with_only_a_new_modification_time_is_checked_and_used() {
    let patient = DamagedServer::new(true);
    let file = std::fs::File::options().write(true).open(patient.file(LOG)).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    drop(file);
    patient.recovers("touched");
}

#[test]
fn with_a_damaged_page_no_callback_is_accepted_until_it_is_repaired() {
    for (what, at, bytes) in [("its header", 0, vec![0; 100]), ("a page of events", 0, vec![])] {
        let mut patient = DamagedServer::new(false);
        patient.take(300);
        patient.app.stop();
        patient.app.restart();
        patient.take(1);
        let log = patient.file(LOG);
        let whole = std::fs::read(&log).unwrap();
        match bytes.is_empty() {
            true => overwrite(&log, bytes_of(&log) / 8192 * 4096, &[0xa5; 4096]),
            false => overwrite(&log, at, &bytes),
        }
        assert_eq!(patient.receive(), 503, "{what}");
        assert_eq!(patient.receive(), 503, "{what}");
        assert_eq!(patient.app.get("/readyz").code, 503, "{what}");
        patient.app.eventually(what, || patient.app.stderr().contains(NOTICED));

        std::fs::write(&log, whole).unwrap();
        patient.recovers(what);
    }
}

#[test]
fn files_replaced_by_an_older_copy_are_refused_with_what_is_missing() {
    let mut patient = DamagedServer::new(true);
    let copies = [LOG, WAL].map(|name| {
        let copy = patient.app.folder().join(format!("copy-{name}"));
        std::fs::copy(patient.file(name), &copy).unwrap();
        (copy, patient.file(name))
    });
    // Everything is checkpointed into the file, so that the server no longer has it in memory.
    patient.take(BEFORE);
    patient.app.stop();
    patient.app.restart();
    patient.take(BEFORE);

    copies.iter().for_each(|(copy, file)| put_back(copy, file));

    patient.refuses("an older copy", "events that were acknowledged are missing");
}

#[test]
fn an_older_copy_of_the_database_alone_is_noticed() {
    let mut patient = DamagedServer::new(true);
    let copy = patient.app.folder().join("copy.db");
    std::fs::copy(patient.file(LOG), &copy).unwrap();
    patient.take(BEFORE);

    put_back(&copy, &patient.file(LOG));

    patient.recovers("the write-ahead log has it all");
}

/// A kind of damage with its name.
type Named = (&'static str, fn(&App));

/// Damage under load, at any moment of a commit.
#[test]
fn a_wal_damaged_under_load_loses_nothing_acknowledged() {
    let damages: [Named; 5] = [
        ("cut to nothing", |app| cut(&app.folder().join(WAL), 0)),
        ("cut in the middle", |app| {
            let wal = app.folder().join(WAL);
            cut(&wal, bytes_of(&wal) / 2);
        }),
        ("zeros over the index", |app| overwrite(&app.folder().join(SHM), 0, &[0; 32 << 10])),
        ("zeros in its middle", |app| {
            let wal = app.folder().join(WAL);
            overwrite(&wal, bytes_of(&wal) / 2, &[0; 8192]);
        }),
        ("its salts", |app| flip(&app.folder().join(WAL), 17)),
    ];
    let mut rng = super::chance("damage under traffic");
    for (seed, (what, damage)) in damages.into_iter().cycle().take(super::attacks(5)).enumerate() {
        let mut app = App::start();
        let traffic = Traffic::new(100_000, seed as u64);
        let on_its_way = traffic.to(&app);
        on_its_way.goes_on(rng.usize(100..500));
        damage(&app);
        on_its_way.goes_on(200);
        let acknowledged = on_its_way.broken_off();
        app.eventually("it is ready", || app.get("/readyz").code == 200);
        let stderr = app.stop();
        let sent: HashSet<_> = traffic.callbacks().collect();
        let broken = broken_promise(&app.log_file(), &acknowledged, |event| sent.contains(event));
        eprintln!(
            "{what}: {} acknowledged, noticed: {}",
            acknowledged.len(),
            stderr.contains(NOTICED)
        );
        assert_eq!(broken, None, "{what}: {stderr}");
    }
}
