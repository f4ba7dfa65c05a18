//! What is left when the Nth call of the storage fails: for every operation of the engine, for
//! every call that it makes, with the failure before the call's effect and with the answer lost
//! after it.
//!
//! The store is then as it was before the operation, or as it is after it, never in between; and
//! the operation sent again with its idempotency key has taken effect once.
//!
//! `TELEMED_LONG=1` sweeps every operation on PostgreSQL too.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures {
    pub mod calls;
    pub mod messaging;
    pub mod operation;
    pub mod scene;
    pub mod sweep;
    pub mod tripwire;
}

use std::process::ExitCode;
use std::sync::Arc;

use failures::operation::Operation;
use failures::sweep::{every_call, opening, sweep};
use libtest_mimic::{Arguments, Trial};
use telemed_tests::{
    MemoryUnderTest, SqliteUnderTest, StoreUnderTest, in_runtime, is_long, on_postgres,
};

fn main() -> ExitCode {
    let mut all = trials(&Arc::new(MemoryUnderTest));
    all.extend(trials(&Arc::new(SqliteUnderTest)));
    all.extend(on_postgres(|postgres| {
        let all = trials(&Arc::new(postgres));
        if is_long() { all } else { only_some(all) }
    }));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

/// What is swept on PostgreSQL in the short version, where every call that fails costs a database:
/// one operation of each kind of write. The others show as ignored.
const SOME: [Operation; 14] = [
    Operation::Register,
    Operation::ApplyAsDoctor,
    Operation::Deactivate,
    Operation::MoveClinic,
    Operation::CreateDoctor,
    Operation::RetireSlot,
    Operation::Book,
    Operation::Cancel,
    Operation::Reschedule,
    Operation::SetSchedule,
    Operation::BlockTimeOverBookings,
    Operation::InitiateCall,
    Operation::HangUpCall,
    Operation::RunDue,
];

fn only_some(all: Vec<Trial>) -> Vec<Trial> {
    let some = SOME.map(|operation| format!("postgres::{operation:?}"));
    let ignored = |test: Trial| {
        let is_ignored = test.has_ignored_flag() || !some.iter().any(|one| one == test.name());
        test.with_ignored_flag(is_ignored)
    };
    all.into_iter().map(ignored).collect()
}

fn trials(store: &Arc<impl StoreUnderTest>) -> Vec<Trial> {
    let trial = |operation: &Operation| {
        let (store, operation) = (Arc::clone(store), *operation);
        Trial::test(format!("{}::{operation:?}", store.name()), move || {
            in_runtime(sweep(&*store, operation));
            Ok(())
        })
    };
    let mut all: Vec<Trial> = Operation::ALL.iter().map(trial).collect();
    let (name, one, other) = (store.name(), Arc::clone(store), Arc::clone(store));
    all.push(Trial::test(format!("{name}::Opening"), move || {
        in_runtime(opening(&*one));
        Ok(())
    }));
    all.push(Trial::test(
        format!("{name}::every_call_is_swept"),
        move || {
            in_runtime(every_call(&*other));
            Ok(())
        },
    ));
    all
}
