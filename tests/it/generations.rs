//! Generations of the views: what a replay puts in use, and what it leaves if it is killed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use delivery_ledger::domain::{MessageSid, Rule};
use delivery_ledger::projection::catch_up;
use delivery_ledger::store::{self, Access, Store};

use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{delivered, sent, sid};

fn ledger() -> Ledger {
    Ledger::of(&[event(sent(&sid(1))), event(delivered(&sid(1))), event(sent(&sid(2)))])
}

/// The file that the link leads to, or the plain file in its place.
fn in_use(ledger: &Ledger) -> PathBuf {
    let link = ledger.views_file();
    link.read_link().map_or(link, |target| ledger.file(target.to_str().unwrap()))
}

/// The views as a version without generations has them.
fn make_plain(ledger: &Ledger) {
    let file = in_use(ledger);
    fs::remove_file(ledger.views_file()).unwrap();
    fs::rename(file, ledger.views_file()).unwrap();
}

/// All files of the views, without those that SQLite makes for whoever has them open.
fn files(ledger: &Ledger) -> Vec<String> {
    let names = fs::read_dir(ledger.file("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let in_use = in_use(ledger).file_name().unwrap().to_str().unwrap().to_owned();
    let may_come = |name: &str| name.ends_with(".lock") || name.starts_with(&format!("{in_use}-"));
    let is_kept = |name: &String| name.contains(".views.") && !may_come(name);
    let mut names: Vec<_> = names.filter(is_kept).collect();
    names.sort();
    names
}

fn replay(ledger: &Ledger) {
    let output = ledger.run(&["replay"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The next start as the only writer removes what is left, and the views are sound.
fn starts_tidily(ledger: &Ledger, case: &str) {
    drop(ledger.open());
    let file = in_use(ledger).file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected = vec![file, "ledger.views.db".to_owned()];
    expected.dedup();
    assert_eq!(files(ledger), expected, "{case}");
    ledger.project();
    assert_eq!(ledger.verify(&[]).0, Some(0), "{case}");
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", file.display()))
}

#[test]
fn a_replay_puts_another_file_in_use_and_removes_the_old_one() {
    let ledger = ledger();
    let before = in_use(&ledger);

    replay(&ledger);

    assert_ne!(in_use(&ledger), before);
    starts_tidily(&ledger, "after a replay");
}

#[test]
fn views_of_a_version_without_generations_are_the_first_one() {
    let ledger = ledger();
    make_plain(&ledger);
    assert_eq!(ledger.verify(&[]).0, Some(0));
    ledger.append(&[event(delivered(&sid(2)))]);
    ledger.project();
    assert!(!ledger.views_file().is_symlink(), "nothing is replaced before a replay");
    assert_eq!(ledger.open_for_reading().views().count().unwrap(), 2);

    replay(&ledger);

    starts_tidily(&ledger, "after a replay");
}

/// Each state that a kill can leave between two steps of a swap.
#[test]
fn what_a_killed_replay_leaves_is_removed_at_the_next_start() {
    for is_plain in [false, true] {
        for state in ["filled", "about to be linked", "linked", "old file removed"] {
            let ledger = ledger();
            if is_plain {
                make_plain(&ledger);
            }
            let old = if is_plain { ledger.views_file() } else { in_use(&ledger) };
            let new = ledger.file(&format!("ledger.views.{:032x}.db", 0xabc));
            fs::copy(&old, &new).unwrap();
            let next = ledger.file("ledger.views.db.next");
            let link = || symlink(new.file_name().unwrap(), &next).unwrap();
            match state {
                // It may be of any length, and hold anything.
                "filled" => fs::write(&new, "half of the views").unwrap(),
                "about to be linked" => link(),
                _ => {
                    link();
                    fs::rename(&next, ledger.views_file()).unwrap();
                    for suffix in ["-wal", "-shm"] {
                        fs::write(beside(&old, suffix), "of the old views").unwrap();
                    }
                }
            }
            if state == "old file removed" && !is_plain {
                fs::remove_file(&old).unwrap();
            }
            starts_tidily(&ledger, &format!("{state}, plain: {is_plain}"));
        }
    }
}

#[test]
fn other_files_are_no_leftovers() {
    let ledger = ledger();
    let others = [
        format!("other.views.{:032x}.db", 7),
        format!("ledger.views.{:032x}.sqlite", 7),
        format!("ledger.views.{:031x}.db", 7),
        "ledger.views.of-march.db".to_owned(),
    ];
    others.iter().for_each(|name| fs::write(ledger.file(name), "somebody's").unwrap());

    drop(ledger.open());

    others.iter().for_each(|name| assert!(ledger.file(name).exists(), "{name}"));
}

/// Both kinds of stores have the old file open when it is replaced.
#[test]
fn who_has_the_old_file_open_goes_on_in_the_new_one() {
    for is_plain in [false, true] {
        let ledger = ledger();
        if is_plain {
            make_plain(&ledger);
        }
        let (writer, reader) = (ledger.open(), ledger.open_for_reading());
        assert_eq!(reader.views().count().unwrap(), 2);
        let before = reader.views().checkpoint().unwrap();

        replay(&ledger);

        let after = reader.views().checkpoint().unwrap();
        assert_ne!(after.generation, before.generation);
        writer.append(&[event(sent(&sid(3)))]).unwrap();
        let head = writer.head().unwrap();
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        assert_eq!(catch_up(&*writer, writer.views(), head, go_on).unwrap().position, 4);
        let found = reader.views().find(&MessageSid::parse(&sid(3)).unwrap()).unwrap().1;
        assert_eq!(found.len(), 1, "what is written after the swap is in the new file");
        drop((writer, reader));
        starts_tidily(&ledger, "after the swap");
    }
}

/// A reset by a process that has not noticed a swap would empty a file that nobody reads.
#[test]
fn a_reset_after_a_swap_empties_the_views_in_use() {
    let ledger = ledger();
    let writer = ledger.open();
    replay(&ledger);

    writer.views().reset(Rule::DeliveryWins).unwrap();

    let checkpoint = ledger.open_for_reading().views().checkpoint().unwrap();
    assert_eq!((checkpoint.position, checkpoint.rule), (0, Rule::DeliveryWins));
}

#[test]
fn a_rebuild_that_falls_behind_catches_up_before_it_is_put_in_use() {
    let ledger = ledger();
    let writer = ledger.open();
    let replaying = store::open(&ledger.database(), Access::Replay).unwrap();
    let rebuild = replaying.begin_rebuild(Rule::default()).unwrap();
    let bring_up = |store: &dyn Store, views| {
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        catch_up(store, views, store.head().unwrap(), go_on).unwrap().position
    };
    assert_eq!(bring_up(&*replaying, rebuild.views()), 3);
    writer.append(&[event(delivered(&sid(2))), event(sent(&sid(3)))]).unwrap();
    assert_eq!(bring_up(&*writer, writer.views()), 5);

    assert!(!rebuild.swap_in().unwrap());
    assert_eq!(bring_up(&*replaying, rebuild.views()), 5);
    assert!(rebuild.swap_in().unwrap());

    drop(rebuild);
    assert_eq!(writer.views().count().unwrap(), 3);
    drop((writer, replaying));
    starts_tidily(&ledger, "after the swap");
}
