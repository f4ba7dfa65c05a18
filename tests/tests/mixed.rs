//! 64 callers at once do all that changes seats: they book, cancel, move, decide, make slots and
//! take them back, publish, block and free times, change clinics and doctors. Nobody sees an
//! error, nobody waits in a circle, and at the end everything is as it has to be.
//!
//! `TELEMED_LONG=1` goes on for ten minutes. Without a PostgreSQL these show as ignored;
//! `TELEMED_REQUIRE_POSTGRES=1` makes that a failure.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mixed {
    pub mod caller;
    pub mod counters;
    pub mod dice;
    pub mod practice;
}

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use mixed::counters::{deadlocks, wrong_days};
use mixed::practice::Practice;
use mixed::{caller, dice::Dice};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use telemed_core::store::Storage;
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use telemed_tests::build::World;
use telemed_tests::lockstep::{prelude, run, steps};
use telemed_tests::postgres::{PostgresDatabase, PostgresServer};
use telemed_tests::{
    Fixture, MemoryUnderTest, StoreUnderTest, in_runtime, invariants, is_long, on_postgres,
    together,
};
use tokio::time::Instant;

/// How many call at the same time.
const CALLERS: usize = 64;
/// How long they go on before everything is looked at.
const ROUND: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let tests = on_postgres(|postgres| {
        let server = postgres.0;
        let other = Arc::clone(&server);
        vec![
            Trial::test("postgres::nobody_waits_in_a_circle", move || {
                for round in 0..if is_long() { 120 } else { 1 } {
                    in_runtime(nobody_waits_in_a_circle(&server, round));
                }
                Ok(())
            }),
            Trial::test("postgres::the_days_of_doctors_are_counted", move || {
                the_days_of_doctors_are_counted(&other);
                Ok(())
            }),
        ]
    });
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// A store on a database of its own, which is dropped with the last of the two.
async fn open(server: &Arc<PostgresServer>) -> (Fixture, Arc<PostgresDatabase>) {
    let database = Arc::new(server.database().await);
    let options = PostgresOptions {
        relaxed_durability: true,
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(&database.url(), &options)
        .await
        .unwrap();
    let bus = store.bus();
    let storage: Arc<dyn Storage> = Arc::new(store);
    (Fixture::new(storage, bus, Arc::clone(&database)), database)
}

async fn nobody_waits_in_a_circle(server: &Arc<PostgresServer>, round: u64) {
    let (fixture, database) = open(server).await;
    let world = Arc::new(World::new(fixture));
    let practice = Arc::new(Practice::make(Arc::clone(&world)).await);
    let until = Instant::now() + ROUND;
    let counts = together(CALLERS, |number| {
        let practice = Arc::clone(&practice);
        let dice = Dice::new(round * CALLERS as u64 + number as u64);
        caller::call(practice, dice, until)
    })
    .await;
    // Otherwise the test would be of nothing.
    let [booked, moved, cancelled] = counts.into_iter().fold([0; 3], |mut sum, one| {
        for (sum, one) in sum.iter_mut().zip(one) {
            *sum += one;
        }
        sum
    });
    assert!(
        booked > 20 && moved > 5 && cancelled > 5,
        "{booked} {moved} {cancelled}"
    );
    invariants::check(&world.dump().await);
    assert_eq!(wrong_days(&database).await, 0, "days that are miscounted");
    drop((practice, world));
    assert_eq!(deadlocks(&database).await, 0, "deadlocks");
}

/// The counters of doctors' days are what the slots say, whatever was done.
fn the_days_of_doctors_are_counted(server: &Arc<PostgresServer>) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..if is_long() { 100 } else { 6 } {
        let steps = steps(120).new_tree(&mut runner).unwrap().current();
        let steps = [prelude(), steps].concat();
        in_runtime(async {
            let (fixture, database) = open(server).await;
            run(MemoryUnderTest.fresh().await, fixture, &steps).await;
            assert_eq!(wrong_days(&database).await, 0, "days that are miscounted");
        });
    }
}
