//! Generations of the views: how a replay swaps in a new one, and what a killed replay leaves behind.

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
    Ledger::with_events(&[event(sent(&sid(1))), event(delivered(&sid(1))), event(sent(&sid(2)))])
}

/// The target of the link, or the regular file in its place.
fn in_use(ledger: &Ledger) -> PathBuf {
    let link = ledger.views_file();
    link.read_link().map_or(link, |target| ledger.file(target.to_str().unwrap()))
}

/// Replaces the link by a regular file, as in versions without generations.
fn make_plain(ledger: &Ledger) {
    let file = in_use(ledger);
    fs::remove_file(ledger.views_file()).unwrap();
    fs::rename(file, ledger.views_file()).unwrap();
}

/// All files of the views, without the lock files and those that SQLite creates next to an open database.
fn files(ledger: &Ledger) -> Vec<String> {
    let names = fs::read_dir(ledger.file("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let in_use = in_use(ledger).file_name().unwrap().to_str().unwrap().to_owned();
    let is_temporary =
        |name: &str| name.ends_with(".lock") || name.starts_with(&format!("{in_use}-"));
    let is_views_file = |name: &String| name.contains(".views.") && !is_temporary(name);
    let mut names: Vec<_> = names.filter(is_views_file).collect();
    names.sort();
    names
}

fn replay(ledger: &Ledger) {
    let output = ledger.run(&["replay"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Asserts that the next start as the only writer removes leftovers, and that the views are sound.
fn assert_next_start_cleans_up(ledger: &Ledger, case: &str) {
    drop(ledger.open());
    let file = in_use(ledger).file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected = vec![file, "ledger.views.db".to_owned()];
    expected.dedup();
    assert_eq!(files(ledger), expected, "{case}");
    ledger.project();
    assert_eq!(ledger.verify(&[]).0, Some(0), "{case}");
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", file.display()))
}

#[test]
fn a_replay_swaps_in_a_new_file_and_deletes_the_old_one() {
    let ledger = ledger();
    let before = in_use(&ledger);

    replay(&ledger);

    assert_ne!(in_use(&ledger), before);
    assert_next_start_cleans_up(&ledger, "after a replay");
}

#[test]
fn views_without_generations_count_as_the_first_generation() {
    let ledger = ledger();
    make_plain(&ledger);
    assert_eq!(ledger.verify(&[]).0, Some(0));
    ledger.append(&[event(delivered(&sid(2)))]);
    ledger.project();
    assert!(!ledger.views_file().is_symlink(), "nothing is replaced before a replay");
    assert_eq!(ledger.open_for_reading().views().count().unwrap(), 2);

    replay(&ledger);

    assert_next_start_cleans_up(&ledger, "after a replay");
}

/// Covers each state that a kill between two steps of a swap can leave.
#[test]
fn leftovers_of_a_killed_replay_are_removed_at_the_next_start() {
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
                // The file may have any length and content.
                "filled" => fs::write(&new, "half of the views").unwrap(),
                "about to be linked" => link(),
                _ => {
                    link();
                    fs::rename(&next, ledger.views_file()).unwrap();
                    for suffix in ["-wal", "-shm"] {
                        fs::write(with_suffix(&old, suffix), "of the old views").unwrap();
                    }
                }
            }
            if state == "old file removed" && !is_plain {
                fs::remove_file(&old).unwrap();
            }
            assert_next_start_cleans_up(&ledger, &format!("{state}, plain: {is_plain}"));
        }
    }
}

#[test]
fn other_files_are_not_removed_as_leftovers() {
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

/// A reader and a writer have the old file open when it is replaced.
#[test]
fn stores_with_the_old_file_open_switch_to_the_new_one() {
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
        assert_next_start_cleans_up(&ledger, "after the swap");
    }
}

/// A process that has not noticed the swap must not empty the old file, which is no longer used.
#[test]
fn a_reset_after_a_swap_empties_the_new_views() {
    let ledger = ledger();
    let writer = ledger.open();
    replay(&ledger);

    writer.views().reset(Rule::DeliveryWins).unwrap();

    let checkpoint = ledger.open_for_reading().views().checkpoint().unwrap();
    assert_eq!((checkpoint.position, checkpoint.rule), (0, Rule::DeliveryWins));
}

#[test]
fn a_rebuild_catches_up_with_the_log_before_it_is_swapped_in() {
    let ledger = ledger();
    let writer = ledger.open();
    let replaying = store::open(&ledger.database(), Access::Replay).unwrap();
    let generation = replaying.begin_generation(Rule::default()).unwrap();
    let bring_up = |store: &dyn Store, views| {
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        catch_up(store, views, store.head().unwrap(), go_on).unwrap().position
    };
    assert_eq!(bring_up(&*replaying, generation.views()), 3);
    writer.append(&[event(delivered(&sid(2))), event(sent(&sid(3)))]).unwrap();
    assert_eq!(bring_up(&*writer, writer.views()), 5);

    assert!(!generation.swap_in().unwrap());
    assert_eq!(bring_up(&*replaying, generation.views()), 5);
    assert!(generation.swap_in().unwrap());

    drop(generation);
    assert_eq!(writer.views().count().unwrap(), 3);
    drop((writer, replaying));
    assert_next_start_cleans_up(&ledger, "after the swap");
}
