//! What every scene begins with: a doctor and a patient who have an appointment, a second doctor
//! and patient who have one, and an engine with a clock that stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use telemed_core::actor::{Actor, Origin, Role, UserActor};
use telemed_core::calls::{
    AcceptCall, Call, CallFilter, CallKind, CallReference, CallState, CallStatus, DeviceId,
    EndReason, HangUp, InitiateCall, SendSignal, SignalKind,
};
use telemed_core::env::ManualClock;
use telemed_core::error::Error;
use telemed_core::id::{AppointmentId, CallId, SessionId, UserId};
use telemed_core::journal::{
    Audience, Event, EventKind, Frame, FrameKind, Subscription, SubscriptionItem,
};
use telemed_core::notifications::MemoryNotifier;
use telemed_core::page::PageRequest;
use telemed_core::presence::{Lease, PresenceStatus};
use telemed_core::value::JsonText;
use telemed_core::{Code, Engine};
use telemed_tests::build::{World, at};
use telemed_tests::{Fixture, StoreUnderTest, engine};
use uuid::Uuid;

/// A session's id that was not given before.
fn session() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A person at one of his devices.
#[derive(Clone)]
pub struct Person {
    pub actor: Actor,
    pub id: UserId,
    pub device: DeviceId,
}

impl Person {
    /// The same person at another device, with a session of its own.
    pub fn at(&self, device: &str) -> Self {
        let Actor::User(user) = &self.actor else {
            panic!("nobody")
        };
        let session = SessionId::new(session());
        let actor = Actor::User(UserActor {
            session,
            ..user.clone()
        });
        Self {
            actor,
            id: self.id,
            device: DeviceId::new(device).unwrap(),
        }
    }
}

/// A store with people in it and an engine.
pub struct Scene {
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    pub notifier: Arc<MemoryNotifier>,
    pub doctor: Person,
    pub patient: Person,
    /// An appointment of the two: it begins after an hour.
    pub appointment: AppointmentId,
    /// Somebody who has an appointment with the doctor too.
    pub other: Person,
    /// A doctor and a patient who have nothing to do with those.
    pub stranger: Person,
    pub strange_patient: Person,
    pub admin: Person,
    world: World,
    bus: Arc<dyn telemed_core::journal::EventBus>,
}

impl Scene {
    pub async fn set(store: &impl StoreUnderTest) -> Self {
        let fixture: Fixture = store.fresh().await;
        let bus = fixture.bus.clone();
        let world = World::new(fixture);
        let clinic = world.clinic().await;
        let (doctor, stranger) = (world.doctor(clinic).await, world.doctor(clinic).await);
        let (patient, other) = (world.patient().await, world.patient().await);
        let (strange_patient, admin) = (world.patient().await, world.user(Role::Admin).await.id);
        let meets = async |doctor, patient, start| {
            let slot = world.slot(doctor, clinic, start, 1).await;
            world.book(slot, patient).await.id
        };
        let appointment = meets(doctor, patient, 60).await;
        meets(doctor, other, 120).await;
        meets(stranger, strange_patient, 60).await;
        let clock = Arc::new(ManualClock::at(at(0)));
        let notifier = Arc::new(MemoryNotifier::default());
        let engine = open(&world, &bus, &clock, &notifier, 1).await;
        let person = |id, role, device: &str| {
            let actor = Actor::User(UserActor {
                user: id,
                role,
                verified: true,
                session: SessionId::new(session()),
                origin: Origin::default(),
            });
            let device = DeviceId::new(device).unwrap();
            Person { actor, id, device }
        };
        Self {
            engine,
            clock,
            notifier,
            doctor: person(doctor, Role::Doctor, "desk"),
            patient: person(patient, Role::Patient, "phone"),
            other: person(other, Role::Patient, "phone of another"),
            stranger: person(stranger, Role::Doctor, "desk of a stranger"),
            strange_patient: person(strange_patient, Role::Patient, "phone of a stranger"),
            admin: person(admin, Role::Admin, "desk of the administrator"),
            appointment,
            world,
            bus,
        }
    }

    /// Another engine on the same store: another node, or the same one after a restart.
    pub async fn another_engine(&self) -> Engine {
        open(&self.world, &self.bus, &self.clock, &self.notifier, 2).await
    }

    pub fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Runs everything that is due.
    pub async fn run_due(&self) {
        loop {
            let report = self.engine.run_due().await.unwrap();
            if report.done + report.retried + report.dead == 0 {
                return;
            }
        }
    }

    /// A socket of a device, open until it is closed.
    pub async fn open(&self, person: &Person) -> Lease {
        let device = Some(person.device.clone());
        let presence = self.engine.presence();
        let opened = presence.open_socket(&person.actor, device, None).await;
        opened.unwrap()
    }

    pub async fn close(&self, lease: &Lease) {
        self.engine.presence().close_socket(lease.id).await.unwrap();
    }

    pub async fn renew(&self, leases: &[&Lease]) {
        let leases: Vec<Lease> = leases.iter().map(|lease| (*lease).clone()).collect();
        self.engine.presence().renew_sockets(&leases).await.unwrap();
    }

    /// Lets so many seconds pass while these sockets stay open, and everything that is due is
    /// done each second.
    pub async fn pass(&self, seconds: u64, open: &[&Lease]) {
        for second in 0..seconds {
            self.after(1);
            if second % 20 == 0 {
                self.renew(open).await;
            }
            self.run_due().await;
        }
    }

    pub fn call_to(&self, callee: &Person, from: &Person) -> InitiateCall {
        InitiateCall {
            callee: callee.id,
            appointment: None,
            kind: CallKind::Video,
            client_id: None,
            device: Some(from.device.clone()),
            by_socket: false,
        }
    }

    /// Begins a call.
    pub async fn begin(&self, from: &Person, to: &Person) -> CallId {
        self.try_begin(from, to).await.unwrap().id
    }

    pub async fn try_begin(&self, from: &Person, to: &Person) -> Result<Call, Error> {
        let request = self.call_to(to, from);
        let begun = self.engine.calls().initiate(&from.actor, request).await;
        begun.map(|begun| begun.call)
    }

    pub async fn ring(&self, person: &Person, call: CallId) {
        let calls = self.engine.calls();
        calls.ring(&person.actor, &call.into()).await.unwrap();
    }

    pub async fn accept(&self, person: &Person, call: CallId) -> Result<Call, Error> {
        let request = AcceptCall {
            call: call.into(),
            device: Some(person.device.clone()),
            by_socket: true,
        };
        self.engine.calls().accept(&person.actor, request).await
    }

    pub async fn decline(&self, person: &Person, call: CallId) -> Result<Call, Error> {
        let reason = EndReason::UserDeclined;
        let calls = self.engine.calls();
        calls.decline(&person.actor, &call.into(), reason).await
    }

    pub async fn hang_up(&self, person: &Person, call: CallId) -> Result<Call, Error> {
        let request = HangUp {
            call: call.into(),
            unanswered: false,
            reported_duration: Some(7),
        };
        self.engine.calls().hang_up(&person.actor, request).await
    }

    pub async fn connect(&self, person: &Person, call: CallId) -> Result<Call, Error> {
        let reference = CallReference::from(call);
        let calls = self.engine.calls();
        calls.report_connected(&person.actor, &reference).await
    }

    pub async fn signal(
        &self,
        person: &Person,
        call: CallId,
        kind: SignalKind,
        text: &str,
    ) -> Result<(), Error> {
        let request = SendSignal {
            call: call.into(),
            kind,
            payload: JsonText::parse(&json!(text).to_string()).unwrap(),
            device: Some(person.device.clone()),
        };
        let calls = self.engine.calls();
        calls.signal(&person.actor, request).await.map(drop)
    }

    /// A call that two devices talk in.
    pub async fn talk(&self) -> CallId {
        let id = self.begin(&self.patient, &self.doctor).await;
        self.ring(&self.doctor, id).await;
        self.accept(&self.doctor, id).await.unwrap();
        self.connect(&self.patient, id).await.unwrap();
        id
    }

    pub async fn call(&self, id: CallId) -> Call {
        let call = self.world.storage.call_by_id(id).await.unwrap();
        call.unwrap()
    }

    /// The state of a call and why it is over.
    pub async fn state(&self, id: CallId) -> (CallState, Option<EndReason>) {
        let progress = self.call(id).await.progress;
        (progress.state, progress.end_reason)
    }

    /// How a user's newest call looks to him.
    pub async fn newest(&self, person: &Person) -> Option<CallStatus> {
        let page = PageRequest::default();
        let calls = self.engine.calls();
        let listed = calls.history(&person.actor, CallFilter::default(), page);
        let row = listed.await.unwrap().items.into_iter().next()?;
        let side = row.call.side_of(person.id).unwrap();
        Some(row.call.progress.shown_to(side))
    }

    /// How somebody looks to another.
    pub async fn seen(&self, by: &Person, whom: &Person) -> Result<PresenceStatus, Code> {
        let looked = self.engine.presence().look(&by.actor, whom.id).await;
        looked
            .map(|presence| presence.status)
            .map_err(|error| error.code)
    }

    /// Listens from now on.
    pub async fn listen(&self) -> Ear {
        Ear(self.engine.subscribe().await)
    }

    /// The logged events of a call, in order.
    pub async fn events(&self, id: CallId) -> Vec<Event> {
        let audience = [
            Audience::User(self.patient.id),
            Audience::User(self.doctor.id),
        ];
        let events = self.world.storage.events_after(&audience, 0, 10_000).await;
        let events = events.unwrap().into_iter().map(|logged| logged.event);
        let of_call = |event: &Event| event.subject.as_uuid() == Some(id.get());
        events.filter(of_call).collect()
    }

    /// What has happened to a call, in order; its events are numbered densely.
    pub async fn story(&self, id: CallId) -> Vec<EventKind> {
        let events = self.events(id).await;
        for (number, event) in (1..).zip(&events) {
            assert_eq!(event.data["seq"], number, "{events:?}");
        }
        events.iter().map(|event| event.kind).collect()
    }

    /// The state of the appointment.
    pub async fn appointment_status(&self) -> String {
        let found = self.world.storage.appointment_by_id(self.appointment).await;
        found.unwrap().unwrap().status.as_str().to_owned()
    }
}

async fn open(
    world: &World,
    bus: &Arc<dyn telemed_core::journal::EventBus>,
    clock: &Arc<ManualClock>,
    notifier: &Arc<MemoryNotifier>,
    seed: u64,
) -> Engine {
    let (clock, notifier) = (Arc::clone(clock), Arc::clone(notifier));
    let opened = engine::open(world.storage.clone(), bus.clone(), clock, notifier, seed);
    opened.await.unwrap()
}

/// Hears what is told.
pub struct Ear(Subscription);

impl Ear {
    /// The frames of a kind that come until nothing more does for a moment.
    pub async fn frames(&mut self, kind: FrameKind) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        let pause = Duration::from_millis(300);
        while let Ok(Some(item)) = tokio::time::timeout(pause, self.0.next()).await {
            if let SubscriptionItem::Frame(frame) = item
                && frame.kind == kind
                // It may come twice.
                && frames.iter().all(|other| other.id != frame.id)
            {
                frames.push((*frame).clone());
            }
        }
        frames
    }

    /// The signals to a user, as their numbers, kinds and texts.
    pub async fn signals(&mut self, to: &Person) -> Vec<(u64, String, String)> {
        let frames = self.frames(FrameKind::Signal).await;
        let own = frames
            .into_iter()
            .filter(|frame| frame.audience == [Audience::User(to.id)])
            .map(|frame| *frame.signal.unwrap())
            .filter(|signal| (signal.receiver, &signal.device) == (to.id, &to.device));
        own.map(|signal| {
            let text: Option<String> = serde_json::from_str(signal.payload.as_str()).unwrap();
            let text = text.unwrap_or_else(|| "null".to_owned());
            (signal.seq, signal.kind.as_str().to_owned(), text)
        })
        .collect()
    }
}

/// A field of data.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
