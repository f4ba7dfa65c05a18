//! What every operation begins with: a clinic, people, slots, and appointments in several states.

use std::sync::Arc;

use telemed_core::Engine;
use telemed_core::actor::{Actor, Origin, Role};
use telemed_core::directory::{
    ClinicDetails, ClinicName, CreateDoctor, DailyLimit, DoctorDetails, ExperienceYears,
    LicenceNumber, Specialty,
};
use telemed_core::env::ManualClock;
use telemed_core::id::{
    AppointmentId, BlockId, ClinicId, ConversationId, MessageId, SessionId, SlotId, UserId,
};
use telemed_core::identity::{
    AccessToken, Address, CreateAdministrator, Email, FullName, LogIn, LoginIdentifier,
    NewPassword, Password, Phone, RefreshToken, Register,
};
use telemed_core::notifications::MemoryNotifier;
use telemed_core::scheduling::{
    BlockTime, Book, Capacity, CreateSlot, LocalTime, SetSchedule, SlotDuration, StatusReason,
    WeeklyHours, Window,
};
use telemed_core::store::{Intercepted, Storage};
use telemed_core::time::{LocalDay, TimeZone};
use telemed_tests::build::{NOW, at, minutes};
use telemed_tests::dump::{Dump, dump};
use telemed_tests::{Fixture, StoreUnderTest, engine};

use super::calls::Begun;
use super::messaging;
use super::tripwire::Tripwire;

/// Everybody's password.
pub const PASSWORD: &str = "a long enough password";
/// The patient's telephone number.
pub const PHONE: &str = "+20 100 000 0001";
/// When the slot begins that nobody has booked, in minutes.
pub const FREE: i64 = 5000;

/// A store with people in it, and an engine behind a tripwire.
pub struct Scene {
    /// Answers until the tripwire is armed.
    pub engine: Engine,
    /// What stands between the engine and the store.
    pub tripwire: Tripwire,
    /// The clock: one hundred minutes after [`NOW`].
    pub clock: Arc<ManualClock>,
    /// What was delivered.
    pub notifier: Arc<MemoryNotifier>,
    /// The store, past the tripwire.
    pub fixture: Fixture,
    /// The people.
    pub admin: Actor,
    pub doctor: Actor,
    pub patient: Actor,
    /// A token of the patient's session.
    pub token: AccessToken,
    /// A refresh token of a session of the patient's, and one of another that was used.
    pub refresh: RefreshToken,
    pub used: RefreshToken,
    /// A doctor without a profile.
    pub newcomer: UserId,
    /// An account that is not active.
    pub inactive: UserId,
    pub clinic: ClinicId,
    /// Another clinic.
    pub branch: ClinicId,
    /// A time of the doctor's that is blocked, in his weekly hours.
    pub block: BlockId,
    /// A slot that nobody has booked.
    pub free: SlotId,
    /// The patient's appointments: pending and ahead; confirmed and begun; completed.
    pub pending: AppointmentId,
    pub begun: AppointmentId,
    pub completed: AppointmentId,
    /// Patient and doctor write to one another; a message of the patient's.
    pub conversation: ConversationId,
    pub message: MessageId,
    /// What an operation of calls begins with.
    pub live: Option<Begun>,
}

impl Scene {
    /// Sets the scene on a fresh store; it is the same each time.
    pub async fn set(store: &impl StoreUnderTest) -> Self {
        let fixture = store.fresh().await;
        let clock = Arc::new(ManualClock::at(NOW));
        let notifier = Arc::new(MemoryNotifier::default());
        let engine = |storage: Arc<dyn Storage>, seed| {
            let (clock, notifier) = (Arc::clone(&clock), Arc::clone(&notifier));
            engine::open(storage, fixture.bus.clone(), clock, notifier, seed)
        };
        let plain = engine(fixture.storage.clone(), 1).await.unwrap();

        let operator = Actor::operator();
        let admin = CreateAdministrator {
            full_name: FullName::new("Admin").unwrap(),
            email: Email::new("admin@example.org").unwrap(),
            password: NewPassword::new(PASSWORD).unwrap(),
        };
        plain
            .identity()
            .create_administrator(&operator, admin)
            .await
            .unwrap();
        let admin = sign_in(&plain, "admin").await.0;
        let mut ids = Vec::new();
        for (name, role) in [
            ("doctor", Role::Doctor),
            ("newcomer", Role::Doctor),
            ("patient", Role::Patient),
            ("inactive", Role::Patient),
        ] {
            let request = account(name, role);
            ids.push(
                plain
                    .identity()
                    .register(&admin, request)
                    .await
                    .unwrap()
                    .user
                    .id,
            );
        }
        let [doctor_id, newcomer, patient_id, inactive] = ids[..] else {
            panic!()
        };
        plain.identity().deactivate(&admin, inactive).await.unwrap();
        let directory = plain.directory();
        let clinic = directory
            .create_clinic(&admin, clinic_details("Nile"))
            .await
            .unwrap()
            .id;
        let branch = directory
            .create_clinic(&admin, clinic_details("Branch"))
            .await
            .unwrap()
            .id;
        let request = CreateDoctor {
            user: doctor_id,
            details: doctor_details(clinic, "L-1"),
        };
        directory.create_doctor(&admin, request).await.unwrap();
        let doctor = sign_in(&plain, "doctor").await.0;
        let (patient, token) = sign_in(&plain, "patient").await;

        let scheduling = plain.scheduling();
        let mut slots = Vec::new();
        for start in [30, 60, 3000, FREE] {
            let request = new_slot(doctor_id, clinic, start);
            slots.push(scheduling.create_slot(&doctor, request).await.unwrap().id);
        }
        let mut booked = Vec::new();
        for slot in &slots[..3] {
            let request = Book::new(patient_id, *slot);
            booked.push(scheduling.book(&patient, request).await.unwrap().id);
        }
        let [completed, begun, pending] = booked[..] else {
            panic!()
        };
        for appointment in [completed, begun] {
            scheduling.confirm(&doctor, appointment).await.unwrap();
        }
        let request = BlockTime {
            doctor: doctor_id,
            day: LocalDay::parse("2030-01-06").unwrap(),
            start: LocalTime::from_minutes(600),
            end: LocalTime::from_minutes(630),
            reason: Some(StatusReason::new("away").unwrap()),
            cancel_bookings: false,
        };
        let block = scheduling.block_time(&doctor, request).await.unwrap().id;
        let request = SetSchedule {
            doctor: doctor_id,
            hours: sundays(600),
            time_zone: None,
        };
        scheduling.set_schedule(&doctor, request).await.unwrap();
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let request = LogIn {
                refresh: true,
                ..log_in("patient", PASSWORD)
            };
            let visitor = Actor::anonymous();
            let signed = plain.identity().log_in(&visitor, request).await.unwrap();
            tokens.push(signed.refresh_token.unwrap());
        }
        let [refresh, used] = <[RefreshToken; 2]>::try_from(tokens).unwrap();
        let visitor = Actor::anonymous();
        plain.identity().refresh(&visitor, &used).await.unwrap();
        clock.set(at(100));
        scheduling.complete(&doctor, completed).await.unwrap();
        let (conversation, message) = messaging::begin(&plain, &patient, &doctor).await;

        let tripwire = Tripwire::default();
        let behind = Intercepted {
            store: fixture.storage.clone(),
            interceptor: tripwire.clone(),
        };
        let engine = engine(Arc::new(behind), 2).await.unwrap();
        Self {
            engine,
            tripwire,
            clock,
            notifier,
            admin,
            doctor,
            patient,
            token,
            refresh,
            used,
            newcomer,
            inactive,
            clinic,
            branch,
            block,
            free: slots[3],
            pending,
            begun,
            completed,
            conversation,
            message,
            live: None,
            fixture,
        }
    }

    /// Everything in the store.
    pub async fn dump(&self) -> Dump {
        let sessions = [&self.admin, &self.doctor, &self.patient].map(session);
        dump(&*self.fixture.storage, &sessions).await
    }

    /// What was there before an operation of calls.
    pub fn live(&self) -> &Begun {
        self.live.as_ref().unwrap()
    }

    /// The id of an actor who is a user.
    pub fn id(actor: &Actor) -> UserId {
        actor.user_id().unwrap()
    }

    /// Moves the clock past every lease and every wait for another attempt.
    pub fn wait(&self) {
        self.clock.advance(minutes(10));
    }
}

fn session(actor: &Actor) -> SessionId {
    match actor {
        Actor::User(user) => user.session,
        _ => panic!("nobody"),
    }
}

async fn sign_in(engine: &Engine, name: &str) -> (Actor, AccessToken) {
    let signed = engine
        .identity()
        .log_in(&Actor::anonymous(), log_in(name, PASSWORD))
        .await;
    let token = signed.unwrap().token;
    let actor = engine
        .identity()
        .authenticate(&token, Origin::default())
        .await
        .unwrap();
    (actor, token)
}

/// A login under this name.
pub fn log_in(name: &str, password: &str) -> LogIn {
    LogIn {
        identifier: LoginIdentifier::parse(&format!("{name}@example.org")),
        password: Password::typed(password),
        refresh: false,
    }
}

/// An account under this name.
pub fn account(name: &str, role: Role) -> Register {
    let email = Email::new(format!("{name}@example.org")).unwrap();
    let password = NewPassword::new(PASSWORD).unwrap();
    Register {
        phone: (name == "patient").then(|| Phone::new(PHONE).unwrap()),
        address: Some(Address::new("12 Nile Street").unwrap()),
        ..Register::new(role, FullName::new(name).unwrap(), email, password)
    }
}

/// A clinic with this name.
pub fn clinic_details(name: &str) -> ClinicDetails {
    ClinicDetails::new(ClinicName::new(name).unwrap(), TimeZone::utc())
}

/// Weekly hours: one of them on Sundays, from this minute on.
pub fn sundays(start: u16) -> WeeklyHours {
    let mut days: [Vec<Window>; 7] = Default::default();
    days[6].push(Window {
        start: LocalTime::from_minutes(start),
        end: LocalTime::from_minutes(start + 60),
    });
    let (duration, capacity) = (SlotDuration::new(30).unwrap(), Capacity::new(1).unwrap());
    WeeklyHours::new(days, duration, capacity, false).unwrap()
}

/// A doctor with this licence.
pub fn doctor_details(clinic: ClinicId, licence: &str) -> DoctorDetails {
    DoctorDetails {
        experience_years: ExperienceYears::new(3).unwrap(),
        daily_limit: DailyLimit::new(10).unwrap(),
        ..DoctorDetails::new(
            clinic,
            Specialty::new("Cardiology").unwrap(),
            LicenceNumber::new(licence).unwrap(),
        )
    }
}

/// A slot of half an hour.
pub fn new_slot(doctor: UserId, clinic: ClinicId, start: i64) -> CreateSlot {
    CreateSlot::new(doctor, clinic, at(start), SlotDuration::new(30).unwrap())
}
