//! What every engine promises: one suite that knows only the traits `Store`, `Views` and `ForwardStore`.
//! Another engine is another line in [`on_every_engine`]; what only SQLite has is in [`sqlite`].

mod forward;
mod log;
mod postgres;
mod quarantine;
mod seals;
mod sqlite;
mod tasks;
mod views;

use delivery_ledger::store::forward::ForwardStore;
use delivery_ledger::store::quarantine::Quarantine;
use delivery_ledger::store::{self, Access, Checked, Database, Store};
use tempfile::TempDir;

use crate::support::postgres::PostgresDatabase;
use views::{generation, list, logged_errors, silent_events};

/// The result of a check without findings.
const SOUND: Checked = Checked { damages: Vec::new(), finished: true };

/// A place for one ledger.
trait Engine {
    /// How many times slower a case of a property is than on SQLite: that many times fewer are tried.
    const SLOWER: u32;

    /// A location without a ledger.
    fn fresh() -> Self;

    /// Opens the ledger as its only writer, and makes it the first time.
    fn open(&self) -> Box<dyn Store>;

    /// Opens it to append alongside the process that has it open.
    fn open_alongside(&self) -> Box<dyn Store>;

    /// Opens its store of forwarding, and makes it the first time.
    fn forward(&self) -> Box<dyn ForwardStore>;

    /// Opens its quarantine, and makes it the first time.
    fn quarantine(&self) -> Box<dyn Quarantine>;
}

/// Two files in a folder of their own.
struct Sqlite(TempDir);

impl Engine for Sqlite {
    const SLOWER: u32 = 1;

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

    fn forward(&self) -> Box<dyn ForwardStore> {
        let database = Database::Sqlite(self.0.path().join("ledger.db"));
        store::create_forward_store(&database).unwrap()
    }

    fn quarantine(&self) -> Box<dyn Quarantine> {
        let database = Database::Sqlite(self.0.path().join("ledger.db"));
        store::create_quarantine(&database).unwrap()
    }
}

/// A database of its own on the servers that the tests share.
struct Postgres(PostgresDatabase);

impl Postgres {
    fn database(&self) -> Database {
        Database::parse(self.0.url()).unwrap()
    }
}

impl Engine for Postgres {
    const SLOWER: u32 = 4;

    fn fresh() -> Self {
        Self(PostgresDatabase::fresh())
    }

    fn open(&self) -> Box<dyn Store> {
        store::open(&self.database(), Access::Create).unwrap()
    }

    fn open_alongside(&self) -> Box<dyn Store> {
        store::open(&self.database(), Access::Append).unwrap()
    }

    fn forward(&self) -> Box<dyn ForwardStore> {
        store::create_forward_store(&self.database()).unwrap()
    }

    fn quarantine(&self) -> Box<dyn Quarantine> {
        store::create_quarantine(&self.database()).unwrap()
    }
}

/// Runs each test of the suite on each engine.
macro_rules! on_every_engine {
    ($($subject:ident::$test:ident)*) => {
        on_every_engine!(@ on_sqlite, super::Sqlite, $($subject::$test)*);
        on_every_engine!(@ on_postgres, super::Postgres, $($subject::$test)*);
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
    log::an_empty_log_has_head_0
    log::positions_begin_at_1_and_have_no_gaps
    log::appending_nothing_changes_nothing
    log::a_scan_continues_after_a_position
    log::reads_of_any_length_return_every_event_once
    log::large_events_shorten_reads_and_none_is_skipped
    log::events_are_read_in_the_requested_order
    log::a_position_without_an_event_is_reported
    log::any_appended_event_is_read_back_equal
    log::more_envelopes_than_the_cache_holds_are_read_back_equal
    log::a_batch_becomes_visible_atomically_and_in_order
    log::appends_from_several_threads_get_consecutive_positions
    log::appends_from_several_stores_get_consecutive_positions
    log::events_appended_by_two_stores_in_turn_are_read_back_equal
    log::the_log_and_its_id_survive_closing
    log::every_ledger_has_its_own_id
    log::a_sound_log_has_no_damage

    views::new_views_have_checkpoint_0
    views::a_batch_moves_the_checkpoint_durably
    views::a_batch_that_does_not_start_at_the_checkpoint_writes_nothing
    views::a_batch_by_another_rule_writes_nothing
    views::messages_are_loaded_in_the_requested_order
    views::messages_are_identified_by_account_and_sid
    views::similar_sids_are_different_messages
    views::pages_are_in_order_of_first_arrival
    views::any_message_is_read_back_equal
    generation::a_new_generation_may_continue_after_its_indexes_were_built
    views::reset_views_are_empty_and_have_the_new_rule
    generation::readers_see_the_old_views_until_the_swap
    generation::rebuilt_views_that_are_behind_are_not_swapped_in
    generation::a_batch_started_before_a_swap_writes_nothing
    generation::only_one_replay_can_run_at_a_time
    generation::readers_see_a_swap_atomically
    generation::readers_see_a_reset_atomically
    generation::a_new_generation_is_empty
    generation::a_dropped_generation_leaves_no_trace
    generation::temporary_views_are_separate
    views::every_block_of_256_events_has_a_node_of_the_tree
    views::sound_views_have_no_damage
    list::lists_are_newest_first_and_pages_are_complete
    list::a_list_has_exactly_the_messages_of_its_filter
    logged_errors::each_logged_error_counts_once_by_code_and_url
    logged_errors::logged_errors_of_many_urls_are_counted_together

    silent_events::silent_events_are_found_by_message_and_in_pages

    seals::records_are_read_back_by_kind_and_size
    seals::a_seal_is_of_events_in_the_log_and_of_no_fewer_than_an_earlier_one
    seals::records_are_added_all_or_none
    seals::a_process_beside_another_adds_records_that_both_see

    tasks::a_task_has_one_holder_at_a_time
    tasks::different_tasks_run_beside_each_other
    tasks::a_kept_value_is_replaced_as_a_whole
    tasks::kept_values_are_separate
    tasks::a_wait_ends_once_the_log_has_reached_the_position

    forward::a_target_keeps_its_state_when_it_is_created_again
    forward::a_step_for_another_version_writes_nothing
    forward::whoever_followed_a_target_before_writes_no_further_step
    forward::a_step_of_an_unknown_target_writes_nothing
    forward::a_retried_event_counts_its_attempts_on_and_its_time_anew
    forward::a_waiting_event_that_is_retried_is_given_up_no_later
    forward::after_an_outage_its_events_are_due_and_earlier_ones_are_not
    forward::skipped_events_are_forgotten
    forward::a_target_moved_forward_forgets_what_waits_and_keeps_what_failed
    forward::a_target_moved_back_forgets_what_it_reads_again
    forward::a_target_whose_log_was_cut_off_keeps_the_events_before_the_cut
    forward::a_removed_target_leaves_nothing_behind
    forward::answers_are_added_up_over_hours_the_most_frequent_first
    forward::two_stores_see_what_the_other_has_written
    forward::any_acts_lead_to_the_state_of_the_model

    quarantine::a_new_quarantine_is_empty
    quarantine::requests_with_any_bytes_are_read_back_equal
    quarantine::pages_go_on_in_both_directions
    quarantine::large_requests_shorten_pages_and_none_is_skipped
    quarantine::the_lowest_rank_is_evicted_first_and_of_one_rank_the_oldest
    quarantine::a_purge_does_not_change_what_is_evicted
    quarantine::no_more_requests_are_evicted_than_their_bytes_require
    quarantine::the_paths_of_a_reason_are_counted
    quarantine::two_that_have_the_quarantine_open_see_what_the_other_does
    quarantine::several_that_keep_requests_at_once_stay_within_the_limits
    quarantine::any_acts_leave_the_requests_of_the_model
}
