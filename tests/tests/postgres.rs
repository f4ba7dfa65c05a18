//! What is particular to the PostgreSQL store: its bus, its limiter, its log, lost connections,
//! dropped callers, migrations and plans. What it shares with the other stores is held by the
//! conformance suite.
//!
//! Without a PostgreSQL these show as ignored; `TELEMED_REQUIRE_POSTGRES=1` makes that a failure.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod postgres {
    pub mod bookings;
    pub mod bus;
    pub mod calls;
    pub mod conflicts;
    pub mod dropped;
    pub mod jobs;
    pub mod limiter;
    pub mod log;
    pub mod lost;
    pub mod migrations;
    pub mod place;
    pub mod plans;
    pub mod proxy;
    pub mod sessions;
}

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use postgres::place::Place;
use postgres::{
    bookings, bus, calls, conflicts, dropped, jobs, limiter, log, lost, migrations, plans, sessions,
};
use telemed_tests::{in_runtime, on_postgres};

/// The tests of some modules, each on a migrated database of its own.
macro_rules! tests {
    ($server:expr, $($module:ident: $($name:ident),+ $(,)?;)+) => {
        vec![$($({
            let server = std::sync::Arc::clone($server);
            Trial::test(concat!(stringify!($module), "::", stringify!($name)), move || {
                in_runtime(async { $module::$name(Place::new(&server).await).await });
                Ok(())
            })
        }),+),+]
    };
}

fn main() -> ExitCode {
    let all = on_postgres(|postgres| {
        let server = &postgres.0;
        tests! { server,
            bookings:
                those_who_wait_for_a_slot_go_together,
                bookings_of_many_slots_go_together,
                one_that_the_database_refuses_fails_alone,
                one_who_is_held_up_holds_up_nobody,
                calls_that_are_held_up_do_not_count,
                servers_sell_a_slot_once_and_refuse_the_others,
                what_is_booked_together_is_announced;
            bus:
                an_event_reaches_the_bus_of_the_other_server,
                a_killed_listener_misses_nothing,
                an_event_is_heard_though_nobody_is_notified,
                frames_small_and_large_pass,
                no_frame_overtakes_another_whatever_its_length,
                large_frames_are_tidied_up,
                nothing_is_overtaken,
                who_comes_back_too_late_is_told_so;
            calls:
                two_who_call_each_other_from_two_servers_meet,
                one_who_is_called_by_many_is_in_one_call,
                nobody_is_in_two_calls_however_they_cross,
                one_of_many_changes_from_two_servers_wins,
                a_call_and_its_appointment_do_not_wait_for_each_other,
                leases_are_renewed_in_any_order;
            conflicts:
                one_of_many_gets_the_address,
                a_deadlock_is_tried_again,
                who_waits_for_a_lock_too_long_is_told_to_come_back,
                nobody_is_signed_in_while_he_is_deactivated;
            dropped:
                a_dropped_read_leaves_nothing_open,
                a_dropped_write_is_whole_or_not_there,
                a_dropped_booking_is_whole_or_not_there,
                a_dropped_call_is_whole_or_not_there;
            jobs:
                a_job_that_cannot_be_read_stops_no_other,
                several_servers_claim_each_job_once;
            limiter:
                a_burst_and_then_one_for_each_interval,
                who_waits_as_told_is_let_in,
                a_clock_that_was_set_back_locks_nobody_out,
                it_says_what_the_local_one_says,
                two_limiters_share_the_count,
                what_has_recovered_is_dropped;
            log:
                a_reader_waits_for_what_runs_below,
                a_reader_does_not_wait_for_ever,
                another_database_holds_nothing_up,
                a_restored_database_goes_on_above_its_cursors,
                too_many_events_are_refused_before_anything_is_written,
                sealers_side_by_side_make_one_chain;
            lost:
                idle_connections_that_were_ended_are_not_noticed,
                a_transaction_that_was_ended_is_begun_anew,
                a_commit_that_was_ended_is_unknown,
                a_commit_whose_answer_was_lost_is_announced,
                a_repetition_finds_the_key_of_a_lost_answer,
                a_call_whose_answer_was_lost_is_announced,
                a_repetition_finds_the_call_of_a_lost_answer,
                a_change_of_a_call_whose_answer_was_lost_is_made_once,
                bookings_whose_answer_was_lost_are_announced,
                a_repetition_finds_the_keys_of_lost_bookings,
                a_server_that_is_away_is_unavailable;
            migrations:
                processes_that_open_at_once_migrate_once,
                a_failing_migration_leaves_the_old_schema,
                a_killed_migration_leaves_the_old_schema_or_the_new,
                a_newer_database_is_refused,
                a_changed_migration_is_refused,
                the_database_of_another_program_is_refused,
                schemas_are_apart;
            plans:
                every_statement_is_served_by_an_index,
                calls_touch_few_rows,
                a_booking_reads_one_patients_appointments_whatever_is_known_of_the_table;
            sessions:
                the_tokens_of_an_old_session_go_before_it_and_do_not_count;
        }
    });
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}
