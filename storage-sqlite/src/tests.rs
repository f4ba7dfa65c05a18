//! What is particular to this store. What it shares with the others is held by the conformance
//! suite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod costs;
mod durability;
mod exercise;
mod jobs;
mod messages;
mod migration;
mod plans;
mod tokens;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use telemed_core::actor::{ActorReference, Role};
use telemed_core::crypto::{Fingerprint, Sealed, TenantKeyId, WrappedDataKey};
use telemed_core::directory::{
    City, ClinicDetails, ClinicName, CompleteDoctor, CompleteDoctorOutcome, DailyLimit,
    DirectoryStore, DoctorDetails, LicenceNumber, Specialty,
};
use telemed_core::id::{ClinicId, SlotId, UserId};
use telemed_core::identity::{
    Email, FullName, IdentityStore, Language, NewSession, NewUser, PasswordHash, RegisterOutcome,
};
use telemed_core::journal::{
    Audience, AuditRow, Event, EventKind, IdempotencyKey, Job, JobKind, JobSelector, KeyClaim,
    LocalBus, Resource, Subject, Write,
};
use telemed_core::scheduling::{
    AppointmentKind, BookCommand, BookOutcome, Capacity, CreateSlotOutcome, NewSlot,
    SchedulingStore, SlotFacts,
};
use telemed_core::store::{StoreResult, Written};
use telemed_core::time::{TimeZone, Timestamp};
use uuid::Uuid;

use crate::{SqliteOptions, SqliteStore};

/// The present of the tests.
const NOW: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);

/// The next id of its kind, whatever the kind.
fn fresh<T: From<Uuid>>() -> T {
    static LAST: AtomicU64 = AtomicU64::new(0);
    Uuid::from_u128(u128::from(LAST.fetch_add(1, Ordering::Relaxed) + 1)).into()
}

fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

fn open(path: &Path, options: &SqliteOptions) -> SqliteStore {
    SqliteStore::open(path, options, Arc::new(LocalBus::default())).unwrap()
}

/// Quick: what is tested here does not depend on the fsync.
fn quick() -> SqliteOptions {
    SqliteOptions {
        relaxed_durability: true,
        ..SqliteOptions::default()
    }
}

/// A write with one of everything that it can leave behind but a key.
fn write(subject: Subject) -> Write {
    let actor = ActorReference::Operator;
    let about = |name: &str| [(name.to_owned(), 1.into())].into_iter().collect();
    Write {
        at: NOW,
        actor,
        audit: AuditRow {
            id: fresh(),
            at: NOW,
            actor,
            session: Some(fresh()),
            action: "test".to_owned(),
            subject,
            data: about("audited"),
        },
        events: vec![Event {
            id: fresh(),
            kind: EventKind::SlotCreated,
            audience: vec![Audience::User(UserId::from_row(1))],
            subject,
            at: NOW,
            actor,
            data: about("told"),
        }],
        drop_jobs: vec![JobSelector {
            kind: JobKind::AppointmentReminder,
            subject,
        }],
        jobs: vec![Job {
            id: fresh(),
            kind: JobKind::AppointmentNotice,
            subject,
            due_at: NOW,
            data: about("done"),
        }],
        idempotency: None,
    }
}

fn keyed(subject: Subject, key: &str) -> Write {
    let claim = KeyClaim {
        scope: "test".to_owned(),
        key: IdempotencyKey::new(key).unwrap(),
        fingerprint: Fingerprint([7; 32]),
    };
    Write {
        idempotency: Some(claim),
        ..write(subject)
    }
}

fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        role,
        email: Some(Email::new(format!("{name}@example.org")).unwrap()),
        phone: None,
        language: Some(Language::Arabic),
        full_name: FullName::new(name).unwrap(),
        contact_number: None,
        seal_id: fresh(),
        profile_seal_id: fresh(),
        profile: None,
        doctor: None,
        address: Some(Sealed::from_row(vec![1; 60])),
        is_verified: false,
        password: PasswordHash::new("hash".to_owned()),
        data_key: WrappedDataKey {
            id: fresh(),
            tenant_key: TenantKeyId(1),
            wrapped: vec![1; 72],
        },
        session: Some(NewSession {
            id: fresh(),
            expires_at: NOW.plus(hours(24)),
            refresh: None,
            network: Some(Fingerprint([1; 32])),
        }),
    }
}

async fn user(store: &SqliteStore, name: &str, role: Role) -> UserId {
    let write = write(Subject::new_row(Resource::User));
    match store
        .register_user(&write, &new_user(name, role))
        .await
        .unwrap()
    {
        Written::Applied(RegisterOutcome::Registered(user)) => user.id,
        other => panic!("{other:?}"),
    }
}

fn clinic_details() -> ClinicDetails {
    ClinicDetails {
        name: ClinicName::new("Clinic").unwrap(),
        address: None,
        phone: None,
        email: None,
        city: Some(City::new("Cairo").unwrap()),
        state: None,
        zip_code: None,
        time_zone: TimeZone::utc(),
        is_active: true,
    }
}

fn doctor_details(clinic: ClinicId) -> DoctorDetails {
    DoctorDetails {
        daily_limit: DailyLimit::new(100).unwrap(),
        ..DoctorDetails::new(
            clinic,
            Specialty::new("Cardiology").unwrap(),
            LicenceNumber::new("L-1").unwrap(),
        )
    }
}

/// A clinic with a doctor.
struct Practice {
    clinic: ClinicId,
    doctor: UserId,
}

async fn practice(store: &SqliteStore) -> Practice {
    let made = write(Subject::new_row(Resource::Clinic));
    let Written::Applied(clinic) = store.create_clinic(&made, &clinic_details()).await.unwrap()
    else {
        panic!("no clinic")
    };
    let doctor = user(store, "doctor", Role::Doctor).await;
    let complete = CompleteDoctor {
        user: doctor,
        details: doctor_details(clinic.id),
    };
    let made = write(Subject::number(Resource::Doctor, doctor.get()));
    match store.complete_doctor(&made, &complete).await.unwrap() {
        Written::Applied(CompleteDoctorOutcome::Completed(_)) => {}
        other => panic!("{other:?}"),
    }
    Practice {
        clinic: clinic.id,
        doctor,
    }
}

/// The slot of half an hour that begins so many half hours after tomorrow's beginning.
async fn slot(store: &SqliteStore, of: &Practice, at: u64, capacity: i64) -> SlotId {
    let starts_at = NOW.plus(hours(24) + hours(at) / 2);
    let new = NewSlot {
        facts: SlotFacts {
            doctor: of.doctor,
            clinic: of.clinic,
            starts_at,
            ends_at: starts_at.plus(hours(1) / 2),
        },
        time_zone: TimeZone::utc(),
        local_day: starts_at.local_day(&TimeZone::utc()),
        capacity: Capacity::new(capacity).unwrap(),
    };
    let made = write(Subject::new_row(Resource::Slot));
    match store.create_slot(&made, &new).await.unwrap() {
        Written::Applied(CreateSlotOutcome::Created(slot)) => slot.id,
        other => panic!("{other:?}"),
    }
}

fn booking(write: Write, patient: UserId) -> BookCommand {
    BookCommand {
        write,
        patient,
        expected_doctor: None,
        expected_clinic: None,
        kind: AppointmentKind::Video,
        seal_id: fresh(),
        reason_for_visit: Some(Sealed::from_row(vec![1; 100])),
        symptoms: Some(Sealed::from_row(vec![2; 100])),
        notes: None,
        reminders: vec![(fresh(), hours(24)), (fresh(), hours(1))],
    }
}

async fn book(
    store: &SqliteStore,
    slot: SlotId,
    command: BookCommand,
) -> StoreResult<Written<BookOutcome>> {
    let mut answers = store.book_many(slot, &[command]).await?;
    Ok(answers.remove(0))
}
