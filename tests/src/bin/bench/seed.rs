//! A practice to be booked at: doctors, patients and slots, and an engine over them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use telemed_core::actor::{Actor, Origin, Role, UserActor};
use telemed_core::crypto::FixedKeyProvider;
use telemed_core::directory::{
    ClinicDetails, ClinicName, CreateDoctor, DailyLimit, DoctorDetails, ExperienceYears,
    LicenceNumber, Specialty,
};
use telemed_core::env::{ManualClock, SeededEntropy};
use telemed_core::id::{ClinicId, ConversationId, SessionId, SlotId, UserId};
use telemed_core::identity::{
    CreateAdministrator, Email, FullName, GuessingLimits, HmacTokenSigner, NewPassword,
    PasswordHasher, Pbkdf2Hasher, Register, Signed,
};
use telemed_core::journal::{EventBus, LocalBus, MemoryCheckpoints};
use telemed_core::messaging::OpenConversation;
use telemed_core::notifications::MemoryNotifier;
use telemed_core::scheduling::{Book, Capacity, CreateSlot, ReasonForVisit, SlotDuration};
use telemed_core::store::Storage;
use telemed_core::time::{TimeZone, Timestamp};
use telemed_core::{Engine, EngineParts, Settings};
use telemed_facade::ArgonHasher;
use telemed_storage_sqlite::{SqliteOptions, SqliteStore};

/// Doctors, patients, and bookings at one time.
pub const SIDE: usize = 64;
/// 2030-01-01T00:00:00Z.
pub const START: i64 = 1_893_456_000_000_000;

/// One booking: the same in every database that was made from one seed.
#[derive(Clone, Copy)]
pub struct Pair {
    pub slot: SlotId,
    pub doctor: UserId,
    pub starts_at: Timestamp,
    pub patient: UserId,
    pub token: usize,
}

/// A practice, as it stands in a seeded database.
pub struct Practice {
    pub pairs: Vec<Pair>,
    pub tokens: Vec<String>,
}

/// The password of everybody.
pub const PASSWORD: &str = "long enough";

/// An engine over a database, with keys and a clock that are the same each time.
pub async fn engine(path: &Path) -> Engine {
    let entropy = Arc::new(SeededEntropy::new(std::process::id().into()));
    engine_with(path, Arc::new(Pbkdf2Hasher::new(1, entropy)), clock()).await
}

/// The same, with a clock that can be moved.
pub async fn engine_at(path: &Path, clock: Arc<ManualClock>) -> Engine {
    let entropy = Arc::new(SeededEntropy::new(std::process::id().into()));
    engine_with(path, Arc::new(Pbkdf2Hasher::new(1, entropy)), clock).await
}

/// The same, to be filled: a commit does not wait for the disk, and pages that are written again
/// and again are copied once in a long while.
pub async fn engine_to_fill(path: &Path, clock: Arc<ManualClock>) -> Engine {
    let options = SqliteOptions {
        relaxed_durability: true,
        checkpoint_pages: 50_000,
        ..SqliteOptions::default()
    };
    let bus = Arc::new(LocalBus::default());
    let storage = SqliteStore::open(path, &options, bus.clone()).expect("a store");
    // Other ids than those of an engine that is opened on it later.
    let entropy = Arc::new(SeededEntropy::new(u64::MAX - u64::from(std::process::id())));
    let hasher = Arc::new(Pbkdf2Hasher::new(1, entropy.clone()));
    engine_over(Arc::new(storage), bus, hasher, clock, entropy).await
}

/// A clock that stands at the beginning.
pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_micros(START)))
}

/// The same with passwords as a real server keeps them, and no limit on guessing them.
pub async fn guarded_engine(path: &Path) -> Engine {
    let entropy = Arc::new(SeededEntropy::new(std::process::id().into()));
    engine_with(path, Arc::new(ArgonHasher::recommended(entropy)), clock()).await
}

async fn engine_with(
    path: &Path,
    hasher: Arc<dyn PasswordHasher>,
    clock: Arc<ManualClock>,
) -> Engine {
    let bus = Arc::new(LocalBus::default());
    let storage = SqliteStore::open(path, &SqliteOptions::default(), bus.clone()).expect("a store");
    let entropy = Arc::new(SeededEntropy::new(std::process::id().into()));
    engine_over(Arc::new(storage), bus, hasher, clock, entropy).await
}

/// The same over any store.
pub async fn engine_on(storage: Arc<dyn Storage>, bus: Arc<dyn EventBus>) -> Engine {
    let entropy = Arc::new(SeededEntropy::new(std::process::id().into()));
    let hasher = Arc::new(Pbkdf2Hasher::new(1, entropy.clone()));
    engine_over(storage, bus, hasher, clock(), entropy).await
}

async fn engine_over(
    storage: Arc<dyn Storage>,
    bus: Arc<dyn EventBus>,
    hasher: Arc<dyn PasswordHasher>,
    clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
) -> Engine {
    let parts = EngineParts {
        storage,
        bus,
        clock,
        entropy,
        hasher,
        signer: Arc::new(HmacTokenSigner::new([7; 32])),
        notifier: Arc::new(MemoryNotifier::default()),
        checkpoints: Arc::new(MemoryCheckpoints::default()),
        settings: Settings {
            guessing: GuessingLimits {
                per_account: 1_000_000,
                per_network: 1_000_000,
                ..GuessingLimits::default()
            },
            ..Settings::default()
        },
    };
    Engine::open(parts, &FixedKeyProvider::new([9; 32]))
        .await
        .expect("an engine")
}

fn at(role: Role, user: UserId) -> Actor {
    Actor::User(UserActor {
        user,
        role,
        verified: true,
        session: SessionId::new(uuid::Uuid::nil()),
        origin: Origin::default(),
    })
}

pub fn as_patient(patient: UserId) -> Actor {
    at(Role::Patient, patient)
}

/// Makes a database in which `bookings` can be booked, each by one patient on one slot of its
/// own.
pub async fn practice(path: &Path, bookings: usize) -> Practice {
    let engine = engine(path).await;
    let (admin, clinic) = staff(&engine).await;
    let (mut doctors, mut patients, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SIDE {
        doctors.push(doctor(&engine, &admin, clinic, number).await.user.id);
        let patient = patient(&engine, number).await;
        patients.push(patient.user.id);
        tokens.push(patient.token.as_str().to_owned());
    }
    let pairs = slots(&engine, &admin, clinic, &doctors, &patients, bookings).await;
    Practice { pairs, tokens }
}

/// A clinic with [`SIDE`] doctors and as many patients.
pub struct People {
    pub clinic: ClinicId,
    pub doctors: Vec<UserId>,
    pub patients: Vec<UserId>,
}

/// Makes them.
pub async fn people_of_a_clinic(engine: &Engine) -> People {
    let (admin, clinic) = staff(engine).await;
    let (mut doctors, mut patients) = (Vec::new(), Vec::new());
    for number in 0..SIDE {
        doctors.push(doctor(engine, &admin, clinic, number).await.user.id);
        patients.push(patient(engine, number).await.user.id);
    }
    People {
        clinic,
        doctors,
        patients,
    }
}

/// Makes a doctor, and so many patients.
pub async fn doctor_with_patients(engine: &Engine, count: usize) -> (Actor, Vec<UserId>) {
    let (admin, clinic) = staff(engine).await;
    let doctor = doctor(engine, &admin, clinic, 0).await.user.id;
    let mut patients = Vec::with_capacity(count);
    for number in 0..count {
        patients.push(patient(engine, number).await.user.id);
    }
    (at(Role::Doctor, doctor), patients)
}

/// Somebody who has signed in.
#[derive(Clone)]
pub struct Person {
    pub id: UserId,
    pub token: String,
}

impl From<Signed> for Person {
    fn from(signed: Signed) -> Self {
        Self {
            id: signed.user.id,
            token: signed.token.as_str().to_owned(),
        }
    }
}

/// Two people with a conversation and an appointment.
#[derive(Clone)]
pub struct Talk {
    pub conversation: ConversationId,
    pub patient: Person,
    pub doctor: Person,
}

/// Makes so many doctors, each with a patient who has opened a conversation and booked a slot.
pub async fn talks(engine: &Engine, count: usize) -> Vec<Talk> {
    let (admin, clinic) = staff(engine).await;
    let mut talks = Vec::with_capacity(count);
    for number in 0..count {
        let doctor: Person = doctor(engine, &admin, clinic, number).await.into();
        let patient: Person = patient(engine, number).await.into();
        let request = OpenConversation {
            with: doctor.id,
            with_administrators: false,
        };
        let opened = engine
            .messaging()
            .open_conversation(&as_patient(patient.id), request)
            .await;
        let tomorrow = engine.now().plus(Duration::from_secs(24 * 3600));
        let slot = slot(engine, &admin, clinic, doctor.id, tomorrow).await;
        let booked = engine
            .scheduling()
            .book(&as_patient(patient.id), Book::new(patient.id, slot))
            .await;
        booked.expect("an appointment");
        talks.push(Talk {
            conversation: opened.expect("a conversation").id,
            patient,
            doctor,
        });
    }
    talks
}

/// Makes so many patients, many at a time.
pub async fn crowd(engine: &Engine, count: usize) -> Vec<Person> {
    let each = count.div_ceil(SIDE);
    let tasks: Vec<_> = (0..SIDE)
        .map(|part| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let mut people = Vec::with_capacity(each);
                for number in part * each..((part + 1) * each).min(count) {
                    people.push(patient(&engine, 100_000 + number).await.into());
                }
                people
            })
        })
        .collect();
    let mut crowd: Vec<Person> = Vec::with_capacity(count);
    for task in tasks {
        crowd.extend(task.await.expect("people"));
    }
    crowd
}

/// An administrator and a clinic.
async fn staff(engine: &Engine) -> (Actor, ClinicId) {
    let (full_name, email, password) = account("admin");
    let admin = CreateAdministrator {
        full_name,
        email,
        password,
    };
    let admin = engine
        .identity()
        .create_administrator(&Actor::operator(), admin)
        .await
        .expect("an admin");
    let admin = at(Role::Admin, admin.id);
    let name = ClinicName::new("Clinic").expect("a name");
    let clinic = ClinicDetails::new(name, TimeZone::utc());
    let clinic = engine
        .directory()
        .create_clinic(&admin, clinic)
        .await
        .expect("a clinic")
        .id;
    (admin, clinic)
}

fn account(name: &str) -> (FullName, Email, NewPassword) {
    (
        FullName::new(name).expect("a name"),
        Email::new(format!("{name}@mail.example")).expect("an address"),
        NewPassword::new(PASSWORD).expect("a password"),
    )
}

fn registration(role: Role, name: &str) -> Register {
    let (full_name, email, password) = account(name);
    Register::new(role, full_name, email, password)
}

async fn doctor(engine: &Engine, admin: &Actor, clinic: ClinicId, number: usize) -> Signed {
    let request = registration(Role::Doctor, &format!("doctor{number}"));
    let doctor = engine
        .identity()
        .register(admin, request)
        .await
        .expect("a doctor");
    let specialty = Specialty::new("Cardiology").expect("a specialty");
    let licence = LicenceNumber::new(format!("L{number}")).expect("a licence");
    let details = DoctorDetails {
        experience_years: ExperienceYears::new(5).expect("years"),
        daily_limit: DailyLimit::new(100).expect("a limit"),
        ..DoctorDetails::new(clinic, specialty, licence)
    };
    let request = CreateDoctor {
        user: doctor.user.id,
        details,
    };
    engine
        .directory()
        .create_doctor(admin, request)
        .await
        .expect("a doctor");
    doctor
}

async fn patient(engine: &Engine, number: usize) -> Signed {
    let request = registration(Role::Patient, &format!("patient{number}"));
    let patient = engine
        .identity()
        .register(&Actor::anonymous(), request)
        .await;
    patient.expect("a patient")
}

/// Makes a database of people who can sign in.
pub async fn people(path: &Path) {
    let engine = guarded_engine(path).await;
    for number in 0..8 {
        let request = registration(Role::Patient, &format!("person{number}"));
        let registered = engine
            .identity()
            .register(&Actor::anonymous(), request)
            .await;
        registered.expect("a person");
    }
}

/// At each time one slot a doctor, and another patient for each: nobody is in two places.
async fn slots(
    engine: &Engine,
    admin: &Actor,
    clinic: ClinicId,
    doctors: &[UserId],
    patients: &[UserId],
    bookings: usize,
) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(bookings);
    for time in 0..bookings.div_ceil(SIDE) {
        let span = Duration::from_secs(24 * 3600 + 1800 * time as u64);
        let starts_at = Timestamp::from_micros(START).plus(span);
        let mut tasks = Vec::new();
        for (number, &doctor) in doctors.iter().enumerate() {
            let (engine, admin) = (engine.clone(), admin.clone());
            let token = (number + time) % SIDE;
            let patient = patients[token];
            tasks.push(tokio::spawn(async move {
                Pair {
                    slot: slot(&engine, &admin, clinic, doctor, starts_at).await,
                    doctor,
                    starts_at,
                    patient,
                    token,
                }
            }));
        }
        for task in tasks {
            pairs.push(task.await.expect("a slot"));
        }
    }
    pairs.truncate(bookings);
    pairs
}

/// A slot with one seat.
async fn slot(
    engine: &Engine,
    admin: &Actor,
    clinic: ClinicId,
    doctor: UserId,
    starts_at: Timestamp,
) -> SlotId {
    let request = CreateSlot {
        doctor,
        clinic,
        starts_at,
        duration: SlotDuration::new(30).expect("a duration"),
        capacity: Capacity::new(1).expect("a capacity"),
    };
    let created = engine.scheduling().create_slot(admin, request).await;
    created.expect("a slot").id
}

/// The text that every booking carries.
pub const REASON: &str = "A sharp pain in the left knee since Tuesday, worse on stairs";

/// The request that books a pair.
pub fn booking(pair: Pair) -> Book {
    Book {
        reason_for_visit: Some(ReasonForVisit::new(REASON).expect("a reason")),
        ..Book::new(pair.patient, pair.slot)
    }
}
