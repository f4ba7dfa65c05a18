#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use telemed_core::crypto::FixedKeyProvider;
use telemed_core::env::{Clock, ManualClock, SeededEntropy};
use telemed_core::identity::Pbkdf2Hasher;
use telemed_core::journal::{CheckpointSink, LocalBus, MemoryCheckpoints};
use telemed_core::memory::MemoryStorage;
use telemed_core::notifications::{DeliveryKind, MemoryNotifier};
use telemed_core::store::{Intercepted, Interceptor, StoreError, StoreResult};
use telemed_core::{EngineParts, Settings};

use super::*;
use crate::keys::passing_signer;
use crate::prelude::*;

/// Fails so many calls of one method.
#[derive(Clone, Default)]
struct Faults(Arc<AtomicU32>);

impl Interceptor for Faults {
    fn before(&self, method: &'static str) -> StoreResult<()> {
        let fails = method == "claim_jobs"
            && self
                .0
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        if fails {
            Err(StoreError::unavailable("a test says so"))
        } else {
            Ok(())
        }
    }
}

struct House {
    engine: Engine,
    clock: Arc<ManualClock>,
    notifier: Arc<MemoryNotifier>,
    checkpoints: Arc<MemoryCheckpoints>,
    faults: Faults,
    slot: Slot,
    patient: Actor,
}

type Slot = telemed_core::scheduling::Slot;

const HOUR: Duration = Duration::from_secs(3600);

/// A doctor with a slot in two days, and a patient.
async fn house() -> House {
    let start = Timestamp::from_micros(1_900_000_000_000_000);
    let clock = Arc::new(ManualClock::at(start));
    let entropy = Arc::new(SeededEntropy::new(1));
    let bus = Arc::new(LocalBus::default());
    let notifier = Arc::new(MemoryNotifier::default());
    let checkpoints = Arc::new(MemoryCheckpoints::default());
    let faults = Faults::default();
    let parts = EngineParts {
        storage: Arc::new(Intercepted {
            store: MemoryStorage::new(bus.clone()),
            interceptor: faults.clone(),
        }),
        bus,
        clock: clock.clone(),
        hasher: Arc::new(Pbkdf2Hasher::new(1, entropy.clone())),
        signer: Arc::new(passing_signer(&*entropy)),
        entropy,
        notifier: notifier.clone(),
        checkpoints: checkpoints.clone(),
        settings: Settings::default(),
    };
    let engine = Engine::open(parts, &FixedKeyProvider::new([1; 32]))
        .await
        .unwrap();
    let operator = Actor::operator();
    let clinic = ClinicDetails::new(ClinicName::new("Clinic").unwrap(), TimeZone::utc());
    let clinic = engine
        .directory()
        .create_clinic(&operator, clinic)
        .await
        .unwrap();
    let register = |role: Role| {
        let name = FullName::new("Somebody").unwrap();
        let email = Email::new(format!("{role}@example.org")).unwrap();
        Register::new(role, name, email, NewPassword::new("a password").unwrap())
    };
    let doctor = engine
        .identity()
        .register(&operator, register(Role::Doctor))
        .await
        .unwrap()
        .user
        .id;
    let profile = CreateDoctor {
        user: doctor,
        details: DoctorDetails::new(
            clinic.id,
            Specialty::new("Cardiology").unwrap(),
            LicenceNumber::new("L-1").unwrap(),
        ),
    };
    engine
        .directory()
        .create_doctor(&operator, profile)
        .await
        .unwrap();
    let starts_at = start.plus(48 * HOUR);
    let duration = SlotDuration::new(30).unwrap();
    let slot = CreateSlot::new(doctor, clinic.id, starts_at, duration);
    let slot = engine
        .scheduling()
        .create_slot(&operator, slot)
        .await
        .unwrap();
    let signed = engine
        .identity()
        .register(&Actor::anonymous(), register(Role::Patient))
        .await
        .unwrap();
    let patient = engine
        .identity()
        .authenticate(&signed.token, Origin::default())
        .await
        .unwrap();
    House {
        engine,
        clock,
        notifier,
        checkpoints,
        faults,
        slot,
        patient,
    }
}

impl House {
    async fn book(&self) {
        let book = Book::new(self.patient.user_id().unwrap(), self.slot.id);
        self.engine
            .scheduling()
            .book(&self.patient, book)
            .await
            .unwrap();
    }

    fn told(&self) -> Vec<DeliveryKind> {
        let delivered = self.notifier.delivered();
        delivered.iter().map(|delivery| delivery.kind).collect()
    }

    /// Lets the tasks run for a while by the runtime's clock, which stands still otherwise.
    async fn pass(&self, span: Duration) {
        sleep(span).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_booking_is_told_at_once_and_a_reminder_when_it_is_due() {
    let house = house().await;
    let driver = Driver::start(&house.engine);
    house.pass(HOUR).await;
    assert_eq!(house.told(), []);
    house.book().await;
    house.pass(Duration::from_secs(1)).await;
    assert_eq!(house.told(), [DeliveryKind::Booked]);

    house.clock.advance(23 * HOUR);
    house.pass(2 * LONGEST_REST).await;
    assert_eq!(house.told().len(), 1);
    house.clock.advance(HOUR);
    house.pass(2 * LONGEST_REST).await;
    assert_eq!(house.told(), [DeliveryKind::Booked, DeliveryKind::Reminder]);
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_trail_is_sealed_and_a_checkpoint_is_kept_outside() {
    let house = house().await;
    assert!(house.engine.unsealed_audit_rows().await.unwrap() > 0);
    let driver = Driver::start(&house.engine);
    house.pass(2 * SEAL_AT_LEAST).await;
    assert_eq!(house.engine.unsealed_audit_rows().await.unwrap(), 0);
    let before = house.checkpoints.newest().unwrap().unwrap().head.count;
    house.book().await;
    house.pass(SEAL_AT_LEAST).await;
    let after = house.checkpoints.newest().unwrap().unwrap().head.count;
    assert!(after > before);
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_is_tried_again_after_growing_rests() {
    let house = house().await;
    house.book().await;
    house.faults.0.store(4, Ordering::SeqCst);
    let driver = Driver::start(&house.engine);
    // Half a second, one, two and four.
    house.pass(Duration::from_secs(7)).await;
    assert_eq!(house.told(), []);
    assert_eq!(house.faults.0.load(Ordering::SeqCst), 0);
    house.pass(Duration::from_secs(1)).await;
    assert_eq!(house.told(), [DeliveryKind::Booked]);
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_after_the_stop() {
    let house = house().await;
    let driver = Driver::start(&house.engine);
    house.pass(HOUR).await;
    driver.stop().await;
    house.book().await;
    house.pass(HOUR).await;
    assert_eq!(house.told(), []);
    assert!(house.engine.unsealed_audit_rows().await.unwrap() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_dropped_stops_too() {
    let house = house().await;
    drop(Driver::start(&house.engine));
    house.book().await;
    house.pass(HOUR).await;
    assert_eq!(house.told(), []);
}

#[test]
fn the_rest_follows_the_next_job() {
    let now = ManualClock::at(Timestamp::from_micros(0)).now();
    let rest = |done: u32, next_due: Option<Timestamp>| {
        let report = RunReport {
            done,
            next_due,
            ..RunReport::default()
        };
        rest_after(&report, now)
    };
    assert_eq!(rest(0, None), LONGEST_REST);
    let soon = Duration::from_secs(5);
    assert_eq!(rest(1, Some(now.plus(soon))), soon);
    assert_eq!(rest(0, Some(now.plus(HOUR))), LONGEST_REST);
    assert_eq!(rest(64, Some(now)), Duration::ZERO);
    // Due, and yet not to be had: somebody else is at it.
    assert_eq!(rest(0, Some(now)), SHORTEST_REST);
}
