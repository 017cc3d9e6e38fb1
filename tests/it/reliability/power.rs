//! Power cuts at and between all syncs of a recorded run of the server. The controls first remove
//! operations that a worse server would not have done.

use std::collections::HashSet;
use std::process::Output;
use std::sync::OnceLock;

use super::check::broken_promise;
use super::cut::Cut;
use super::disk::{Disk, in_memory};
use super::trace::{self, Step};
use super::traffic::Traffic;
use super::{attacks, chance};
use crate::support::App;

/// The default number of power cuts per run.
const CUTS: usize = 150;

/// Where the ledger is on the disk.
const LEDGER: &str = "new/folder/ledger.db";

/// A recorded run with everything that a server does to its files: creation, a kill under load, a restart,
/// a checkpoint in a pause, a stop, a rebuild of deleted views, another kill, and a replay. Recorded once.
fn life() -> &'static [Step] {
    static LIFE: OnceLock<Vec<Step>> = OnceLock::new();
    LIFE.get_or_init(|| live(chance("the life that is cut off").u64(..1 << 40)))
}

fn live(seed: u64) -> Vec<Step> {
    let disk = Disk::slow();
    let environment = disk.environment();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
    let mut app = App::start_with_env(&environment, &[]);
    killed_under_load(&mut app, seed);
    app.restart();
    Traffic::new(60, seed + 1).to(&app).whole();
    let wal = disk.ledger().with_extension("db-wal");
    app.eventually("the WAL is emptied in a pause", || wal.metadata().unwrap().len() == 0);
    Traffic::new(20, seed + 2).to(&app).whole();
    app.stop();
    for file in ["ledger.views.db", "ledger.views.db-wal", "ledger.views.db-shm"] {
        let mut rm = std::process::Command::new("rm");
        rm.arg("-f").arg(disk.ledger().with_file_name(file)).envs(environment.iter().copied());
        assert!(rm.status().unwrap().success());
    }
    app.restart();
    killed_under_load(&mut app, seed + 3);
    succeeded(app.run(&["replay"]));
    trace::read(&disk.trace())
}

fn killed_under_load(app: &mut App, seed: u64) {
    let traffic = Traffic::new(10_000, seed).to(app);
    app.eventually("the log grows", || app.get("/readyz").json()["head"].as_u64() > Some(250));
    app.kill();
    traffic.broken_off();
}

fn succeeded(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Simulates power cuts at this many instants; returns the first broken promise.
pub fn first_loss(steps: &[Step], cuts: usize, rng: &mut fastrand::Rng) -> Option<String> {
    let instants = instants(steps, cuts, rng);
    let mut cut = Cut::default();
    let (mut arrived, mut acknowledged) = (HashSet::new(), HashSet::new());
    for (at, step) in steps.iter().enumerate() {
        if instants.contains(&at) {
            let left = in_memory();
            cut.leave(left.path(), rng);
            let broken = broken_promise(&left.path().join(LEDGER), &acknowledged, |event| {
                arrived.contains(event)
            });
            if let Some(broken) = broken {
                return Some(format!(
                    "cut off before step {at} of {}, a {}: {broken}",
                    steps.len(),
                    step.kind(),
                ));
            }
        }
        match step {
            Step::Arrived(callback) => drop(arrived.insert(callback.clone())),
            Step::Acknowledged(callback) => drop(acknowledged.insert(callback.clone())),
            _ => cut.step(step),
        }
    }
    None
}

/// Instants next to a sync, right after a response, and at any time; a third each.
fn instants(steps: &[Step], cuts: usize, rng: &mut fastrand::Rng) -> HashSet<usize> {
    let at = |wanted: fn(&Step) -> bool| (0..steps.len()).filter(move |at| wanted(&steps[*at]));
    let around_syncs = at(|step| matches!(step, Step::Sync { .. })).flat_map(|at| [at, at + 1]);
    let after_answers = at(|step| matches!(step, Step::Acknowledged(_))).map(|at| at + 1);
    let mut instants = rng.choose_multiple(around_syncs, cuts / 3);
    instants.extend(rng.choose_multiple(after_answers, cuts / 3));
    instants.extend(rng.choose_multiple(0..steps.len(), cuts - 2 * (cuts / 3)));
    instants.into_iter().collect()
}

#[test]
fn acknowledged_callbacks_survive_every_power_cut() {
    let mut rng = chance("power cuts");
    let steps = life();
    let syncs = steps.iter().filter(|step| matches!(step, Step::Sync { .. })).count();
    let acknowledged = steps.iter().filter(|step| matches!(step, Step::Acknowledged(_))).count();
    let cuts = attacks(CUTS);
    eprintln!("{cuts} cuts in {} steps, {syncs} syncs, {acknowledged} acknowledged", steps.len());
    assert!(acknowledged > 300, "{acknowledged}");

    let loss = first_loss(steps, cuts, &mut rng);

    assert_eq!(loss, None);
}

// Controls: the losses of a worse server are detected.

fn worse(change: impl FnOnce(Vec<Step>) -> Vec<Step>) -> String {
    let mut rng = chance("power cuts of a worse server");
    let steps = change(life().to_vec());
    first_loss(&steps, attacks(CUTS), &mut rng).expect("the loss is found")
}

/// True if events or the log itself are missing, or SQLite finds it damaged.
fn is_loss(broken: &str) -> bool {
    let losses = [
        "acknowledged callbacks are missing",
        "cannot be opened",
        "disk image is malformed",
        "EngineDamage, position: None, detail: \"log: ",
    ];
    losses.iter().any(|loss| broken.contains(loss))
}

#[test]
fn the_checks_notice_a_log_synced_only_by_checkpoints() {
    let loss = worse(synchronous_normal);
    assert!(is_loss(&loss), "{loss}");
}

/// Imitates `synchronous=NORMAL`: the WAL is synced only before a checkpoint.
fn synchronous_normal(steps: Vec<Step>) -> Vec<Step> {
    let inode = |wanted: &str| {
        let made = steps.iter().filter_map(|step| match step {
            Step::Create { inode, name } if name == wanted => Some(*inode),
            _ => None,
        });
        made.collect::<HashSet<_>>()
    };
    let (logs, wals) = (inode(LEDGER), inode(&format!("{LEDGER}-wal")));
    let on_log = |step: &&Step| match step {
        Step::Write { inode, .. } | Step::Sync { inode, .. } => {
            logs.contains(inode) || wals.contains(inode)
        }
        _ => false,
    };
    let copies_next = |at: usize| match steps[at + 1..].iter().find(on_log) {
        Some(Step::Write { inode, .. }) => logs.contains(inode),
        _ => false,
    };
    let left_out = |at: usize| {
        matches!(&steps[at], Step::Sync { inode, of_folder: false } if wals.contains(inode))
            && !copies_next(at)
    };
    let kept = (0..steps.len()).filter(|at| !left_out(*at));
    kept.map(|at| steps[at].clone()).collect()
}

#[test]
fn the_checks_notice_a_response_before_the_commit() {
    let loss = worse(|steps| {
        let acknowledged: HashSet<_> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Acknowledged(callback) => Some(callback.clone()),
                _ => None,
            })
            .collect();
        let steps = steps.into_iter().flat_map(|step| match step {
            Step::Arrived(callback) if acknowledged.contains(&callback) => {
                vec![Step::Arrived(callback.clone()), Step::Acknowledged(callback)]
            }
            Step::Acknowledged(_) => vec![],
            step => vec![step],
        });
        steps.collect()
    });
    assert!(is_loss(&loss), "{loss}");
}

#[test]
fn the_checks_notice_a_folder_that_is_never_synced() {
    let loss = worse(|mut steps| {
        steps.retain(|step| !matches!(step, Step::Sync { of_folder: true, .. }));
        steps
    });
    assert!(is_loss(&loss), "{loss}");
}

#[test]
fn the_checks_notice_an_ignored_sync_failure() {
    let loss = worse(|steps| {
        let believed = |step| match step {
            Step::Sync { inode, of_folder: false } => Step::LostSync { inode },
            step => step,
        };
        steps.into_iter().map(believed).collect()
    });
    assert!(is_loss(&loss), "{loss}");
}
