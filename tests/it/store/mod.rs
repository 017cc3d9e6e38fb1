//! What every engine promises: one suite that knows only the traits `Store` and `Views`.
//! Another engine is another line in [`on_every_engine`]; what only SQLite has is in [`sqlite`].

mod log;
mod sqlite;
mod views;

use delivery_ledger::store::{self, Access, Checked, Database, Store};
use tempfile::TempDir;
use views::{list, rebuild};

/// What a check says where nothing is wrong.
const SOUND: Checked = Checked { damages: Vec::new(), finished: true };

/// A place for one ledger.
trait Engine {
    /// Where no ledger is yet.
    fn fresh() -> Self;

    /// Opens the ledger as its only writer, and makes it the first time.
    fn open(&self) -> Box<dyn Store>;

    /// Opens it to append alongside the process that has it open.
    fn open_alongside(&self) -> Box<dyn Store>;
}

/// Two files in a folder of their own.
struct Sqlite(TempDir);

impl Engine for Sqlite {
    fn fresh() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn open(&self) -> Box<dyn Store> {
        let database = Database::Sqlite(self.0.path().join("ledger.db"));
        store::open(&database, Access::Create).unwrap()
    }

    fn open_alongside(&self) -> Box<dyn Store> {
        let database = Database::Sqlite(self.0.path().join("ledger.db"));
        store::open(&database, Access::Append).unwrap()
    }
}

/// Runs each test of the suite on each engine.
macro_rules! on_every_engine {
    ($($subject:ident::$test:ident)*) => {
        on_every_engine!(@ on_sqlite, super::Sqlite, $($subject::$test)*);
    };
    (@ $name:ident, $engine:ty, $($subject:ident::$test:ident)*) => {
        mod $name {
            $(#[test]
            fn $test() {
                super::$subject::$test::<$engine>();
            })*
        }
    };
}

on_every_engine! {
    log::an_empty_log_has_nothing_up_to_position_0
    log::positions_begin_at_1_and_have_no_gaps
    log::appending_nothing_moves_nothing
    log::a_read_goes_on_after_a_position
    log::reads_of_any_length_pass_every_event_once
    log::large_events_come_in_shorter_reads_and_none_is_left_out
    log::events_are_read_at_positions_in_the_order_asked_for
    log::a_position_without_an_event_is_named
    log::whatever_was_appended_comes_back_equal
    log::more_kinds_of_requests_than_are_shared_come_back_equal
    log::a_batch_becomes_visible_whole_and_positions_in_order
    log::appends_from_several_threads_share_the_positions
    log::appends_from_several_stores_share_the_positions
    log::what_two_stores_append_in_turn_comes_back_equal
    log::the_log_and_its_id_survive_closing
    log::two_ledgers_have_two_ids
    log::a_sound_log_has_no_damage

    views::fresh_views_have_read_nothing
    views::a_batch_moves_the_checkpoint_and_survives_closing
    views::a_batch_from_elsewhere_than_the_checkpoint_writes_nothing
    views::a_batch_by_another_rule_writes_nothing
    views::messages_are_loaded_in_the_order_asked_for
    views::a_message_is_an_account_and_a_sid
    views::every_sid_is_a_message_of_its_own
    views::pages_are_in_order_of_first_arrival
    views::any_message_comes_back_as_it_was_folded
    rebuild::a_rebuild_that_goes_on_after_its_indexes_were_built_finds_every_message
    views::reset_views_are_empty_and_of_their_rule
    rebuild::readers_see_the_old_views_until_rebuilt_ones_are_swapped_in
    rebuild::rebuilt_views_are_not_swapped_in_before_they_have_read_as_far
    rebuild::a_batch_begun_before_a_swap_writes_nothing
    rebuild::there_is_one_rebuild_at_a_time
    rebuild::readers_see_one_set_of_views_or_the_next_and_nothing_between
    rebuild::a_rebuild_that_is_begun_again_is_empty
    rebuild::a_rebuild_that_is_dropped_leaves_no_trace
    rebuild::scratch_views_are_apart
    views::the_chain_is_marked_at_every_4096th_position
    views::sound_views_have_no_damage
    list::lists_are_newest_first_and_their_pages_leave_nothing_out
    list::a_list_has_exactly_what_its_conditions_say
}
