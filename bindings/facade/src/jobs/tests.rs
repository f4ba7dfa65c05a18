#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use telemed_core::actor::UserActor;
use telemed_core::calls::{AcceptCall, Call, CallKind, CallState, InitiateCall, Measured};
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

/// How long the tasks may take for what is due.
const SOON: Duration = Duration::from_secs(1);

impl House {
    /// Lets both clocks go on together, in small steps.
    async fn live(&self, span: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        let mut left = span;
        while !left.is_zero() {
            self.clock.advance(STEP);
            sleep(STEP).await;
            left = left.saturating_sub(STEP);
        }
    }

    async fn call(&self) -> Call {
        self.book().await;
        self.call_of_booked().await
    }

    async fn call_of_booked(&self) -> Call {
        let doctor = self.doctor();
        let request = InitiateCall {
            callee: self.slot.facts.doctor,
            appointment: None,
            kind: CallKind::Video,
            client_id: None,
            device: None,
            by_socket: false,
        };
        let calls = self.engine.calls();
        let call = calls.initiate(&self.patient, request).await.unwrap().call;
        assert_eq!(self.engine.calls().live(&doctor).await.unwrap().len(), 1);
        call
    }

    fn doctor(&self) -> Actor {
        Actor::User(UserActor {
            user: self.slot.facts.doctor,
            role: Role::Doctor,
            verified: true,
            session: telemed_core::id::SessionId::new(uuid::Uuid::from_u128(7)),
            origin: Origin::default(),
        })
    }

    async fn state(&self, call: &Call) -> CallState {
        let calls = self.engine.calls();
        let row = calls.detail(&self.patient, &call.id.into()).await;
        row.unwrap().call.progress.state
    }

    async fn is_online(&self) -> bool {
        let presence = self.engine.presence();
        let online = presence.are_online(&[self.slot.facts.doctor]).await;
        !online.unwrap().is_empty()
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_rings_until_its_deadline_and_not_much_longer() {
    let house = house().await;
    let driver = Driver::start(&house.engine);
    house.live(10 * SOON).await;
    let call = house.call().await;
    house.live(Duration::from_secs(60) - SOON).await;
    assert_eq!(house.state(&call).await, CallState::Initiated);
    house.live(2 * SOON).await;
    assert_eq!(house.state(&call).await, CallState::Missed);
    house.live(SOON).await;
    assert!(house.told().contains(&DeliveryKind::MissedCall));
    driver.stop().await;
}

/// The tasks of a server are at rest when a socket of theirs, or of another server, is closed.
#[tokio::test(start_paused = true)]
async fn a_lease_that_ends_without_any_event_is_looked_at_soon() {
    let house = house().await;
    house.book().await;
    let driver = Driver::start(&house.engine);
    house.live(10 * SOON).await;
    let presence = house.engine.presence();
    let lease = presence
        .open_socket(&house.doctor(), None, None)
        .await
        .unwrap();
    house.live(10 * SOON).await;
    let mut events = house.engine.subscribe().await;
    presence.close_socket(lease.id).await.unwrap();
    house.live(5 * SOON).await;
    assert!(!house.is_online().await);
    let told = async {
        loop {
            if let Some(SubscriptionItem::Frame(frame)) = events.next().await
                && frame.kind == FrameKind::PresenceChanged
            {
                return frame.data["status"].clone();
            }
        }
    };
    let told = async { timeout(Duration::from_millis(1), told).await };
    house.live(REST_WITH_LEASES + SOON / 2).await;
    assert_eq!(told.await.unwrap(), "offline");
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_passes_wakes_nobody() {
    let house = house().await;
    house.book().await;
    let rests = async {
        let begun = tokio::time::Instant::now();
        until_event(house.engine.subscribe().await, 10 * SOON).await;
        begun.elapsed()
    };
    let passes = async {
        sleep(SOON).await;
        let call = house.call_of_booked().await;
        sleep(SOON).await;
        call
    };
    // A call is an event.
    let (rested, call) = tokio::join!(rests, passes);
    assert_eq!(rested, SOON + GATHER);
    let doctor = house.doctor();
    let accept = AcceptCall {
        call: call.id.into(),
        device: None,
        by_socket: false,
    };
    house.engine.calls().accept(&doctor, accept).await.unwrap();
    let rests = async {
        let begun = tokio::time::Instant::now();
        until_event(house.engine.subscribe().await, 10 * SOON).await;
        begun.elapsed()
    };
    let passes = async {
        for _ in 0..5 {
            sleep(SOON).await;
            let measured = Measured {
                round_trip: Some(10.0),
                ..Measured::default()
            };
            let calls = house.engine.calls();
            let call = call.id.into();
            calls
                .record_quality(&doctor, &call, measured)
                .await
                .unwrap();
        }
    };
    let (rested, ()) = tokio::join!(rests, passes);
    assert_eq!(rested, 10 * SOON);
}

#[test]
fn the_rest_follows_the_next_job() {
    let now = ManualClock::at(Timestamp::from_micros(0)).now();
    let report = |done: u32, next_due: Option<Timestamp>| RunReport {
        done,
        next_due,
        ..RunReport::default()
    };
    let rest = |done, next_due| rest_after(&report(done, next_due), now);
    let beside_leases = |next_due| {
        let report = RunReport {
            has_leases: true,
            ..report(0, next_due)
        };
        rest_after(&report, now)
    };
    assert_eq!(rest(0, None), LONGEST_REST);
    let soon = Duration::from_secs(5);
    assert_eq!(rest(1, Some(now.plus(soon))), soon);
    assert_eq!(rest(0, Some(now.plus(HOUR))), LONGEST_REST);
    assert_eq!(rest(64, Some(now)), Duration::ZERO);
    assert_eq!(beside_leases(Some(now.plus(HOUR))), REST_WITH_LEASES);
    assert_eq!(beside_leases(Some(now.plus(SOON))), SOON);
    assert_eq!(beside_leases(Some(now)), SHORTEST_REST);
    // Due, and yet not to be had: somebody else is at it.
    assert_eq!(rest(0, Some(now)), SHORTEST_REST);
}
