//! Random sequences of steps on each store and the in-memory store in lock step.
//!
//! `TELEMED_LONG=1` runs longer sequences, and more of them.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use proptest::prop_oneof;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use telemed_tests::lockstep::{chats, prelude, run, steps, talks};
use telemed_tests::{
    MemoryUnderTest, SqliteUnderTest, StoreUnderTest, in_runtime, is_long, on_postgres,
};

fn main() -> ExitCode {
    // On PostgreSQL every statement is a message to another process: fewer.
    let mut all = vec![trial(SqliteUnderTest, 96, 3000)];
    all.extend(on_postgres(|postgres| vec![trial(postgres, 18, 600)]));
    all.push(Trial::test("the_steps_see_every_outcome", || {
        the_steps_see_every_outcome();
        Ok(())
    }));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

/// So many sequences, and so many in the long version.
fn trial(store: impl StoreUnderTest, short: u32, long: u32) -> Trial {
    let name = format!("{}_does_what_memory_does", store.name());
    Trial::test(name, move || {
        does_what_memory_does(&store, short, long);
        Ok(())
    })
}

fn does_what_memory_does(store: &impl StoreUnderTest, short: u32, long: u32) {
    let (cases, length) = if is_long() { (long, 200) } else { (short, 60) };
    let persistence = FileFailurePersistence::Direct(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/proptest-regressions/lockstep.txt"
    ));
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let sequences = prop_oneof![2 => steps(length), 1 => chats(length), 1 => talks(length)];
    let outcome = TestRunner::new(config).run(&sequences, |steps| {
        let steps = [prelude(), steps].concat();
        in_runtime(async {
            let (one, other) = (MemoryUnderTest.fresh().await, store.fresh().await);
            run(one, other, &steps).await;
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Sequences that come to nothing would prove nothing: these, which are always the same, see
/// every outcome there is.
fn the_steps_see_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for number in 0..260 {
        let steps = match number {
            0..200 => steps(200).new_tree(&mut runner).unwrap().current(),
            200..230 => chats(200).new_tree(&mut runner).unwrap().current(),
            _ => talks(200).new_tree(&mut runner).unwrap().current(),
        };
        let steps = [prelude(), steps].concat();
        seen.extend(in_runtime(async {
            let (one, other) = (MemoryUnderTest.fresh().await, MemoryUnderTest.fresh().await);
            run(one, other, &steps).await
        }));
    }
    let mut missing = Vec::new();
    for (method, outcomes) in [
        (
            "register_user",
            "EmailTaken PhoneTaken ClinicNotFound LicenceTaken Registered Replayed KeyMismatch",
        ),
        ("refresh_session", "Unknown Ended Reused Refreshed"),
        (
            "edit_user",
            "UserNotFound NoLogin PhoneTaken Edited Replayed KeyMismatch",
        ),
        ("conclude_login", "Limited Refused Deactivated Opened"),
        ("login_standing", "Open Limited"),
        ("end_session", "true false Replayed KeyMismatch"),
        ("change_password", "UserNotFound Superseded Changed"),
        (
            "set_user_active",
            "UserNotFound Unchanged Changed Replayed KeyMismatch",
        ),
        ("create_clinic", "Applied Replayed KeyMismatch"),
        (
            "update_clinic",
            "NotFound Superseded Updated Replayed KeyMismatch",
        ),
        (
            "complete_doctor",
            "UserNotFound ClinicNotFound NotADoctor DoctorExists LicenceTaken",
        ),
        ("complete_doctor", "Completed Replayed KeyMismatch"),
        ("verify_doctor", "None Some"),
        (
            "update_doctor",
            "NotFound ClinicNotFound Superseded LicenceTaken Updated",
        ),
        ("update_doctor", "Replayed KeyMismatch"),
        (
            "update_patient",
            "NotFound Superseded Updated Replayed KeyMismatch",
        ),
        (
            "create_slot",
            "DoctorNotFound ClinicNotFound ClinicMismatch ZoneChanged Overlap",
        ),
        ("create_slot", "Created Replayed KeyMismatch"),
        (
            "retire_slot",
            "NotFound HasBookings Retired Replayed KeyMismatch",
        ),
        (
            "book_many",
            "SlotNotFound SlotMismatch PatientNotFound PatientInactive SlotInactive",
        ),
        (
            "book_many",
            "SlotPast AlreadyBooked PatientOverlap SlotFull DailyLimit Booked",
        ),
        ("book_many", "OnLeave Confirmed Replayed KeyMismatch"),
        ("update_notes", "None Some Replayed KeyMismatch"),
        (
            "set_schedule",
            "NotFound Superseded Published Replayed KeyMismatch",
        ),
        ("publish_slots", "NotFound Superseded Published"),
        (
            "block_time",
            "DoctorNotFound HasBookings Blocked Replayed KeyMismatch",
        ),
        ("unblock_time", "true false Replayed KeyMismatch"),
        (
            "reschedule",
            "NotFound Superseded Unchanged OtherDoctor Rescheduled Replayed KeyMismatch",
        ),
        (
            "reschedule",
            "SlotNotFound PatientInactive SlotInactive SlotPast AlreadyBooked PatientOverlap",
        ),
        ("reschedule", "SlotFull OnLeave DailyLimit"),
        ("cancel", "NotFound Illegal Cancelled Replayed KeyMismatch"),
        ("change_status", "Superseded Changed Replayed KeyMismatch"),
        ("open_conversation", "Existing Opened Replayed KeyMismatch"),
        (
            "append_message",
            "NotFound ClientIdReused Repeated Appended Replayed KeyMismatch",
        ),
        (
            "mark_messages",
            "NotFound Unchanged Marked Replayed KeyMismatch",
        ),
        (
            "archive_conversation",
            "NotFound Unchanged Changed Replayed KeyMismatch",
        ),
        ("search_messages", "StoredMessage"),
        ("message_window", "StoredMessage"),
        ("conversation_page", "StoredMessage"),
        ("conversation_keys", "WrappedDataKey"),
        (
            "start_call",
            "ClientIdReused Repeated Glare CallerBusy CalleeBusy Started Replayed KeyMismatch",
        ),
        (
            "advance_call",
            "NotFound Superseded Advanced Replayed KeyMismatch",
        ),
        (
            "call_by_id",
            "Ringing Accepted Connected Ended Missed Declined Busy",
        ),
        (
            "add_quality_sample",
            "NotFound Repeated Added QualitySample",
        ),
        ("call_page", "CallRow"),
        ("quality_samples", "NamedSample"),
        ("put_lease", "true false"),
        ("renew_leases", "LeaseId"),
        ("lapsed_leases", "Lease"),
        ("drop_lapsed_leases", "0 1 2"),
        ("note_told_status", "Online Offline DoNotDisturb"),
        ("are_contacts", "true false"),
        ("present_contacts", "UserId"),
        ("present_doctors", "UserId"),
        ("presence_rows", "Lease CallId"),
        ("finish_job", "true false"),
        ("claim_jobs", "ClaimedJob"),
        ("care_relation", "true false"),
    ] {
        let names = outcomes
            .split(' ')
            .map(|outcome| format!("{method}::{outcome}"));
        missing.extend(names.filter(|name| !seen.contains(name)));
    }
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
