//! What it costs to look at a list, of a practice that has grown: each operation of the engine
//! runs two statements at most, and each of them reads by an index.

use telemed_core::actor::{Actor, UserActor};
use telemed_core::crypto::FixedKeyProvider;
use telemed_core::directory::DoctorFilter;
use telemed_core::env::{ManualClock, SeededEntropy};
use telemed_core::identity::{HmacTokenSigner, NewPassword, Pbkdf2Hasher, Register};
use telemed_core::journal::MemoryCheckpoints;
use telemed_core::notifications::MemoryNotifier;
use telemed_core::page::{PageLimit, PageRequest, PageSkip};
use telemed_core::scheduling::{AppointmentFilter, AppointmentStatus, Book, ReasonForVisit};
use telemed_core::time::LocalDay;
use telemed_core::{Code, Engine, EngineParts, Settings};

use super::plans::plan;
use super::*;
use crate::statement::Watch;

const DOCTORS: i64 = 1_000;
const SLOTS_OF_A_DOCTOR: i64 = 10;
const PATIENTS: usize = 100;
/// Noon of the day after [`NOW`]'s.
const NOON: i64 = 1_900_065_600_000_000;
const DAY: &str = "2030-03-18";

/// An engine that has opened no data key yet.
async fn engine(storage: Arc<SqliteStore>, bus: Arc<LocalBus>) -> Engine {
    let entropy = Arc::new(SeededEntropy::new(1));
    let parts = EngineParts {
        storage,
        bus,
        clock: Arc::new(ManualClock::at(NOW)),
        hasher: Arc::new(Pbkdf2Hasher::new(1, entropy.clone())),
        entropy,
        signer: Arc::new(HmacTokenSigner::new([8; 32])),
        notifier: Arc::new(MemoryNotifier::default()),
        checkpoints: Arc::new(MemoryCheckpoints::default()),
        settings: Settings::default(),
    };
    let keys = FixedKeyProvider::new([9; 32]);
    Engine::open(parts, &keys).await.unwrap()
}

fn actor(role: Role, user: UserId) -> Actor {
    Actor::User(UserActor {
        user,
        role,
        verified: true,
        session: fresh(),
        origin: Default::default(),
    })
}

/// Who is looked at.
struct Practised {
    folder: tempfile::TempDir,
    practice: Practice,
    patients: Vec<UserId>,
}

/// A database with a doctor at a clinic, and patients who have each booked with him.
async fn seed() -> Practised {
    let folder = tempfile::tempdir().unwrap();
    let bus = Arc::new(LocalBus::default());
    let path = folder.path().join("a.db");
    let store = SqliteStore::open(path, &quick(), bus.clone()).unwrap();
    let store = Arc::new(store);
    let practice = practice(&store).await;
    let capacity = i64::try_from(PATIENTS).unwrap();
    let slot = slot(&store, &practice, 1, capacity).await;
    let engine = engine(store, bus).await;
    let (identity, scheduling) = (engine.identity(), engine.scheduling());
    let anonymous = Actor::anonymous();
    let mut patients = Vec::with_capacity(PATIENTS);
    for number in 0..PATIENTS {
        let account = Register::new(
            Role::Patient,
            FullName::new(format!("Patient {number}")).unwrap(),
            Email::new(format!("p{number}@example.org")).unwrap(),
            NewPassword::new("long enough").unwrap(),
        );
        let registered = identity.register(&anonymous, account).await;
        let patient = registered.unwrap().user.id;
        let request = Book {
            reason_for_visit: Some(ReasonForVisit::new(format!("Reason {number}")).unwrap()),
            ..Book::new(patient, slot)
        };
        let himself = actor(Role::Patient, patient);
        scheduling.book(&himself, request).await.unwrap();
        patients.push(patient);
    }
    Practised {
        folder,
        practice,
        patients,
    }
}

/// Adds doctors with the first one's profile, slots of half an hour from noon on, and for each
/// patient thirty appointments like his first one, that are over.
fn grow(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS
             (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {DOCTORS})
         INSERT INTO users (role, full_name, seal_id, is_verified, is_active, created_at,
                            updated_at)
         SELECT 'doctor', 'Doctor ' || n, zeroblob(16), 1, 1, 1, 1 FROM numbers;

         INSERT INTO doctors (id, clinic_id, specialty, specialty_folded, licence_number,
                              licence_folded, experience_years, daily_limit, created_at,
                              updated_at, version)
         SELECT users.id, clinic_id, 'Field ' || (users.id % 20), 'field ' || (users.id % 20),
                'N-' || users.id, 'n-' || users.id, experience_years, daily_limit, 1, 1, 1
         FROM doctors AS model JOIN users ON users.role = 'doctor' AND users.id <> model.id;

         WITH RECURSIVE numbers (n) AS
             (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {SLOTS_OF_A_DOCTOR} - 1)
         INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity,
                            booked_count, is_active, created_at, updated_at)
         SELECT id, clinic_id, {NOON} + n * 1800000000, {NOON} + (n + 1) * 1800000000, '{DAY}',
                100, 0, 1, 1, 1
         FROM doctors JOIN numbers ORDER BY id, n;

         INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id, starts_at, ends_at,
                                   kind, status, seal_id, reason_for_visit, created_at,
                                   updated_at)
         SELECT model.patient_id, slots.id, slots.doctor_id, slots.clinic_id, slots.starts_at,
                slots.ends_at, model.kind, 'completed', model.seal_id, model.reason_for_visit,
                1, 1
         FROM slots JOIN appointments AS model ON model.id % {PATIENTS} = slots.id / 10 % {PATIENTS}
         WHERE slots.id > 1 AND slots.id % 10 < 3;

         UPDATE slots SET booked_count = 1
         WHERE booked_count = 0 AND id IN (SELECT slot_id FROM appointments);"
    );
    connection.execute_batch(&sql).unwrap();
    let count = |table| {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        count
    };
    assert_eq!(count("doctors"), DOCTORS);
    assert_eq!(count("slots"), DOCTORS * SLOTS_OF_A_DOCTOR + 1);
    assert_eq!(count("appointments"), 3_100);
}

/// Counts the statements of an operation and reads their plans.
struct Looks {
    watch: Watch,
    connection: rusqlite::Connection,
    bad: Vec<String>,
}

impl Looks {
    /// Runs an operation. `scans` are the steps of its plans that may go through a table or an
    /// index from one end towards the other.
    async fn at<T>(
        &mut self,
        what: &str,
        scans: &[&str],
        operation: impl Future<Output = Result<T, telemed_core::Error>>,
    ) -> T {
        self.watch.take();
        let answer = operation.await.unwrap();
        let statements = self.watch.take();
        assert!(!statements.is_empty(), "{what}: nothing was counted");
        let mut wrong = statements.len() > 2;
        let mut told = format!("{what}: {} statements", statements.len());
        for sql in statements {
            let plan = plan(&self.connection, &sql);
            wrong |= plan.iter().any(|step| {
                let is_scan = step.starts_with("SCAN") && !scans.contains(&step.as_str());
                is_scan || step.contains("TEMP B-TREE")
            });
            told.push_str(&format!("\n{sql}\n  {}", plan.join("\n  ")));
        }
        if wrong {
            self.bad.push(told);
        }
        answer
    }
}

#[tokio::test]
async fn a_look_at_a_list_costs_two_statements_by_an_index() {
    let Practised {
        folder,
        practice,
        patients,
    } = seed().await;
    // Without links, as SQLite names it.
    let path = folder.path().canonicalize().unwrap().join("a.db");
    grow(&path);
    let bus = Arc::new(LocalBus::default());
    let store = Arc::new(open(&path, &quick()));
    // No data key is open yet.
    let engine = engine(store, bus).await;
    let (directory, scheduling) = (engine.directory(), engine.scheduling());
    let mut looks = Looks {
        watch: Watch::over(&path),
        connection: rusqlite::Connection::open(&path).unwrap(),
        bad: Vec::new(),
    };
    let page = |skip| PageRequest::new(PageSkip::new(skip).unwrap(), PageLimit::new(50).unwrap());
    let (anonymous, everything) = (Actor::anonymous(), AppointmentFilter::default());
    let admin = actor(Role::Admin, UserId::from_row(999_999));
    let (doctor, patient) = (practice.doctor, patients[7]);

    let day = LocalDay::parse(DAY).unwrap();
    let month = LocalDay::parse("2030-04-17").unwrap();
    for (what, to) in [("a day", day), ("a month", month)] {
        let free = scheduling.free_times(&anonymous, doctor, day, to);
        let free = looks.at(what, &[], free).await;
        assert_eq!(free.times.len(), 11, "{what}");
    }
    for (what, filter, total) in [
        ("doctors", DoctorFilter::default(), 1_000),
        (
            "doctors of a field",
            DoctorFilter {
                specialty: Some(Specialty::new("Field 7").unwrap()),
                clinic: None,
            },
            50,
        ),
        (
            "doctors of a clinic",
            DoctorFilter {
                specialty: None,
                clinic: Some(practice.clinic),
            },
            1_000,
        ),
    ] {
        for skip in [0, 40] {
            let doctors = directory.doctors(&anonymous, filter.clone(), page(skip));
            let doctors = looks.at(what, &[], doctors).await;
            assert_eq!(doctors.total, total, "{what}");
            assert!(!doctors.items.is_empty(), "{what}");
        }
    }
    // The administrator first: the keys of many patients are opened.
    let all = &[
        "SCAN appointments",
        "SCAN appointments USING COVERING INDEX appointments_doctor_end",
    ][..];
    let listed = scheduling.appointments(&admin, None, page(0));
    let listed = looks.at("everybody's appointments", all, listed).await;
    assert_eq!(listed.items.len(), 50);
    let told = |reason: &Option<String>| reason.as_ref().unwrap().starts_with("Reason ");
    assert!(listed.items.iter().all(|one| told(&one.reason_for_visit)));
    let keys: std::collections::BTreeSet<_> = listed.items.iter().map(|one| one.patient).collect();
    assert!(keys.len() > 10, "{}", keys.len());
    let pending = scheduling.appointments(&admin, Some(AppointmentStatus::Pending), page(0));
    let pending = looks.at("those in a state", &[], pending).await;
    assert_eq!(pending.total, 100);
    let his = scheduling.patient_appointments(&admin, patient, page(0));
    let his = looks
        .at("a patient's, for the administrator", &[], his)
        .await;
    assert!(his.total > 25, "{}", his.total);
    let since = AppointmentFilter {
        from: Some(Timestamp::from_micros(NOON)),
        status: Some(AppointmentStatus::Completed),
        ..everything
    };
    for (what, role, user, filter, total) in [
        (
            "a patient's own",
            Role::Patient,
            patient,
            everything,
            his.total,
        ),
        (
            "of a state and a time",
            Role::Patient,
            patient,
            since,
            his.total - 1,
        ),
        ("a doctor's own", Role::Doctor, doctor, everything, 103),
        ("his, of a state and a time", Role::Doctor, doctor, since, 3),
    ] {
        let actor = actor(role, user);
        let own = scheduling.own_appointments(&actor, filter, page(0));
        let own = looks.at(what, &[], own).await;
        assert_eq!(own.total, total, "{what}");
        let mut rows = own.items.iter().map(|one| &one.appointment);
        assert!(rows.all(|one| told(&one.reason_for_visit)), "{what}");
    }
    // Where there is nothing, the patient is looked for.
    let nobody = scheduling
        .patient_appointments(&admin, doctor, page(0))
        .await;
    assert_eq!(nobody.unwrap_err().code, Code::NotFound);
    assert!(looks.bad.is_empty(), "{}", looks.bad.join("\n\n"));
}
