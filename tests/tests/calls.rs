//! Calls and presence through the engine, on every store: whole scenes under a clock that is
//! moved by hand, and races in which a call must end exactly once.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls {
    pub mod deadlines;
    pub mod people;
    pub mod races;
    pub mod scene;
    pub mod talking;
}

use std::process::ExitCode;
use std::sync::Arc;

use calls::scene::Scene;
use calls::{deadlines, people, races, talking};
use libtest_mimic::{Arguments, Trial};
use telemed_tests::suite::Running;
use telemed_tests::{MemoryUnderTest, SqliteUnderTest, StoreUnderTest, in_runtime, on_postgres};

/// A scene that is played on a fresh store.
#[derive(Clone, Copy)]
struct Play {
    name: &'static str,
    run: fn(Arc<Scene>) -> Running,
}

macro_rules! plays {
    ($($module:ident::$name:ident,)*) => {
        const PLAYS: &[Play] = &[$(Play {
            name: stringify!($name),
            run: |scene| Box::pin($module::$name(scene)),
        },)*];
    };
}

plays! {
    talking::a_call_from_the_first_ring_to_the_end,
    talking::signals_wait_for_the_other_device_and_keep_their_order,
    talking::an_appointment_goes_in_progress_when_its_call_connects,
    talking::who_signals_elsewhere_is_connected_at_once,
    talking::who_meets_over_a_socket_is_not_elsewhere,
    talking::a_grade_that_changes_is_told_once,
    talking::outsiders_learn_nothing,
    deadlines::a_call_that_nobody_answers_is_missed_once,
    deadlines::a_ringing_call_whose_engine_has_died_is_missed_once,
    deadlines::devices_that_do_not_find_each_other_fail,
    deadlines::an_answer_counts_as_connected_after_a_while,
    deadlines::a_call_lasts_no_longer_than_it_may,
    deadlines::a_party_that_returns_within_the_grace_keeps_the_call,
    deadlines::a_caller_who_is_gone_stops_the_ringing,
    people::a_live_call_shows_busy_and_it_passes,
    people::contacts_are_told_and_nobody_else,
    people::a_dead_server_takes_its_leases_with_it,
    people::do_not_disturb_refuses_calls,
    people::a_device_says_one_thing_at_a_time,
    races::one_of_many_devices_answers,
    races::a_call_ends_exactly_once,
    races::two_who_call_each_other_meet,
    races::a_user_is_in_one_live_call,
}

fn main() -> ExitCode {
    let mut all = trials(&Arc::new(MemoryUnderTest));
    all.extend(trials(&Arc::new(SqliteUnderTest)));
    all.extend(on_postgres(|postgres| trials(&Arc::new(postgres))));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

fn trials(store: &Arc<impl StoreUnderTest>) -> Vec<Trial> {
    let trial = |play: &Play| {
        let (store, play) = (Arc::clone(store), *play);
        Trial::test(format!("{}::{}", store.name(), play.name), move || {
            in_runtime(async {
                let scene = Scene::set(&*store).await;
                (play.run)(Arc::new(scene)).await;
            });
            Ok(())
        })
    };
    PLAYS.iter().map(trial).collect()
}
