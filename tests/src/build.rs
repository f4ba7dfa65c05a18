//! Builders: what a case needs to be there before it begins.

mod booking;
mod calls;
mod hours;
mod messaging;
mod presence;

pub use calls::{about_call, accept, advancing, device, following, hangup};
pub use hours::{hours, published};
pub use messaging::{client_message, needle};
pub use presence::all_contacts;

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Map;
use telemed_core::actor::{ActorReference, Role};
use telemed_core::crypto::{Fingerprint, Sealed, TenantKeyId, WrappedDataKey};
use telemed_core::directory::{
    Clinic, ClinicDetails, ClinicName, CompleteDoctor, CompleteDoctorOutcome, DailyLimit,
    DoctorDetails, Edited, ExperienceYears, LicenceNumber, Specialty, UpdateDoctorOutcome,
};
use telemed_core::id::{AuditId, ClinicId, DataKeyId, EventId, JobId, SealId, SessionId, UserId};
use telemed_core::identity::{
    ConcludeLogin, ConcludeLoginOutcome, DoctorApplication, Email, FullName, GuessingLimits,
    LoginKeys, LoginStanding, NewSession, NewUser, PasswordHash, RegisterOutcome, StoredUser,
};
use telemed_core::journal::{
    Audience, AuditRow, Event, EventKind, IdempotencyKey, Job, JobKind, KeyClaim, Resource,
    Subject, Write,
};
use telemed_core::page::{PageLimit, PageRequest, PageSkip};
use telemed_core::store::Written;
use telemed_core::time::{LocalDay, TimeZone, Timestamp};
use uuid::Uuid;

use crate::Fixture;
use crate::dump::{Dump, dump};

/// 2030-01-01T00:00:00Z: the time of every write that does not say another.
pub const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

/// So many minutes after [`NOW`].
#[must_use]
pub fn at(minutes: i64) -> Timestamp {
    Timestamp::from_micros(NOW.micros() + minutes * 60_000_000)
}

/// A span of minutes.
#[must_use]
pub const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// A fingerprint that differs for each seed.
#[must_use]
pub fn fingerprint(seed: u8) -> Fingerprint {
    Fingerprint([seed; 32])
}

/// Bytes in the place of a sealed text.
#[must_use]
pub fn sealed(text: &str) -> Sealed {
    Sealed::from_row(text.as_bytes().to_vec())
}

/// A hash in the place of a password's.
#[must_use]
pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

/// A part of a list.
///
/// # Panics
/// When it is no part of a list.
#[must_use]
pub fn page(skip: i64, limit: i64) -> PageRequest {
    PageRequest::new(PageSkip::new(skip).unwrap(), PageLimit::new(limit).unwrap())
}

/// A user's number.
#[must_use]
pub fn user_id(number: i64) -> UserId {
    UserId::from_row(number)
}

/// The zone with this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn zone(name: &str) -> TimeZone {
    TimeZone::named(name).unwrap()
}

/// The day that is written so.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn local_day(text: &str) -> LocalDay {
    LocalDay::parse(text).unwrap()
}

/// The outcome of a write that was no repetition.
///
/// # Panics
/// When it was one.
pub fn applied<T: std::fmt::Debug>(written: Written<T>) -> T {
    match written {
        Written::Applied(outcome) => outcome,
        other => panic!("it was not applied but {other:?}"),
    }
}

/// A write with an idempotency key of the scope `test`; `request` stands for what was asked.
///
/// # Panics
/// When the key is no key.
#[must_use]
pub fn with_key(mut write: Write, key: &str, request: u8) -> Write {
    write.idempotency = Some(KeyClaim {
        scope: "test".to_owned(),
        key: IdempotencyKey::new(key).unwrap(),
        fingerprint: fingerprint(request),
    });
    write
}

/// A store with the counters from which everything in it gets its own ids and names.
pub struct World {
    /// The store.
    pub storage: std::sync::Arc<dyn telemed_core::store::Storage>,
    fixture: Fixture,
    counter: AtomicU64,
    sessions: Mutex<Vec<SessionId>>,
}

impl World {
    /// An empty world on this store.
    #[must_use]
    pub fn new(fixture: Fixture) -> Self {
        Self {
            storage: fixture.storage.clone(),
            fixture,
            counter: AtomicU64::new(0),
            sessions: Mutex::new(Vec::new()),
        }
    }

    /// The bus of the store.
    #[must_use]
    pub fn bus(&self) -> &dyn telemed_core::journal::EventBus {
        &*self.fixture.bus
    }

    /// A number that was not given before.
    pub fn number(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A UUID that was not given before; later ones are greater.
    pub fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.number()))
    }

    /// Everything in the store.
    pub async fn dump(&self) -> Dump {
        let sessions = self.sessions.lock().unwrap().clone();
        dump(&*self.storage, &sessions).await
    }

    /// Does something that must leave the store as it was.
    ///
    /// # Panics
    /// When it does not.
    pub async fn unchanged<T>(&self, work: impl Future<Output = T>) -> T {
        let before = self.dump().await;
        let answer = work.await;
        assert_eq!(self.dump().await, before, "the store was changed");
        answer
    }

    // What a write leaves behind.

    /// A write of the operator at [`NOW`].
    pub fn write(&self, subject: Subject) -> Write {
        self.write_at(NOW, subject)
    }

    /// A write of the operator: an audit row and nothing else.
    pub fn write_at(&self, at: Timestamp, subject: Subject) -> Write {
        let actor = ActorReference::Operator;
        let audit = AuditRow {
            id: AuditId::new(self.uuid()),
            at,
            actor,
            session: None,
            action: "test".to_owned(),
            subject,
            data: Map::new(),
        };
        Write {
            at,
            actor,
            audit,
            events: vec![],
            drop_jobs: vec![],
            jobs: vec![],
            idempotency: None,
        }
    }

    /// A write about a new row.
    pub fn makes(&self, resource: Resource) -> Write {
        self.write(Subject::new_row(resource))
    }

    /// A write about a row with a number.
    pub fn changes(&self, resource: Resource, number: i64) -> Write {
        self.write(Subject::number(resource, number))
    }

    /// A write about the whole installation.
    pub fn whole(&self) -> Write {
        self.write_at(NOW, whole())
    }

    /// An event for these users about this subject.
    pub fn event(&self, users: &[UserId], subject: Subject) -> Event {
        let data = data([("status", "pending".into()), ("slot_id", 7.into())]);
        Event {
            id: EventId::new(self.uuid()),
            kind: EventKind::AppointmentBooked,
            audience: users.iter().map(|user| Audience::User(*user)).collect(),
            subject,
            at: NOW,
            actor: ActorReference::Operator,
            data,
        }
    }

    /// A job about this subject.
    pub fn job(&self, kind: JobKind, subject: Subject, due_at: Timestamp) -> Job {
        let data = data([("hours", 24.into())]);
        Job {
            id: JobId::new(self.uuid()),
            kind,
            subject,
            due_at,
            data,
        }
    }

    // Identity.

    /// A user to be made, with a name and an address of his own and without a session.
    pub fn new_user(&self, role: Role) -> NewUser {
        let number = self.number();
        NewUser {
            role,
            email: Some(Email::new(format!("user{number}@example.org")).unwrap()),
            phone: None,
            language: None,
            full_name: FullName::new(format!("User {number}")).unwrap(),
            contact_number: None,
            seal_id: SealId::new(self.uuid()),
            profile_seal_id: SealId::new(self.uuid()),
            profile: None,
            doctor: None,
            address: None,
            is_verified: role == Role::Admin,
            password: hash(&format!("hash {number}")),
            data_key: self.data_key(),
            session: None,
        }
    }

    /// A data key in a wrapping that nobody opens.
    pub fn data_key(&self) -> WrappedDataKey {
        let id = self.uuid();
        let wrapped = id.as_bytes().repeat(4);
        WrappedDataKey {
            id: DataKeyId::new(id),
            tenant_key: TenantKeyId(-7),
            wrapped,
        }
    }

    /// A session of a day to be opened from a network.
    pub fn new_session(&self, network: Option<u8>) -> NewSession {
        let id = SessionId::new(self.uuid());
        self.sessions.lock().unwrap().push(id);
        NewSession {
            id,
            expires_at: at(24 * 60),
            refresh: None,
            network: network.map(fingerprint),
        }
    }

    /// As [`World::new_session`], with a refresh token of its own, which is returned.
    pub fn refreshing_session(&self) -> (NewSession, Fingerprint) {
        let token = self.token();
        let session = NewSession {
            refresh: Some(token),
            ..self.new_session(None)
        };
        (session, token)
    }

    /// The fingerprint of a token that was not given before.
    pub fn token(&self) -> Fingerprint {
        let mut bytes = [0xee; 32];
        bytes[..16].copy_from_slice(self.uuid().as_bytes());
        Fingerprint(bytes)
    }

    /// Makes this user.
    pub async fn register(&self, user: &NewUser) -> StoredUser {
        let write = self.makes(Resource::User);
        match applied(self.storage.register_user(&write, user).await.unwrap()) {
            RegisterOutcome::Registered(user) => user,
            refused => panic!("the account was refused: {refused:?}"),
        }
    }

    /// Makes a user of a role.
    pub async fn user(&self, role: Role) -> StoredUser {
        self.register(&self.new_user(role)).await
    }

    /// Makes a patient.
    pub async fn patient(&self) -> UserId {
        self.user(Role::Patient).await.id
    }

    /// Makes several patients.
    pub async fn patients(&self, count: usize) -> Vec<UserId> {
        let mut patients = Vec::with_capacity(count);
        for _ in 0..count {
            patients.push(self.patient().await);
        }
        patients
    }

    /// Activates or deactivates an account.
    pub async fn set_active(&self, user: UserId, active: bool) {
        let write = self.changes(Resource::User, user.get());
        self.storage
            .set_user_active(&write, user, active)
            .await
            .unwrap();
    }

    /// Concludes a login at a time: opened for this user, or failed.
    pub async fn conclude(
        &self,
        at: Timestamp,
        keys: LoginKeys,
        limits: GuessingLimits,
        account: Option<UserId>,
        opened: bool,
    ) -> ConcludeLoginOutcome {
        let subject =
            account.map_or_else(whole, |user| Subject::number(Resource::User, user.get()));
        let opened = account.filter(|_| opened).map(|user| {
            let id = SessionId::new(self.uuid());
            self.sessions.lock().unwrap().push(id);
            (
                user,
                NewSession {
                    id,
                    expires_at: at.plus(minutes(600)),
                    refresh: None,
                    network: keys.network,
                },
            )
        });
        let login = ConcludeLogin {
            keys,
            limits,
            opened,
            account,
        };
        self.storage
            .conclude_login(&self.write_at(at, subject), &login)
            .await
            .unwrap()
    }

    /// Where a login stands.
    pub async fn standing(
        &self,
        at: Timestamp,
        keys: LoginKeys,
        limits: GuessingLimits,
        account: Option<UserId>,
    ) -> LoginStanding {
        self.storage
            .login_standing(&keys, account, &limits, at)
            .await
            .unwrap()
    }

    // The directory.

    /// What is to be decided about a clinic in this zone.
    pub fn clinic_details(&self, time_zone: &str) -> ClinicDetails {
        let name = ClinicName::new(format!("Clinic {}", self.number())).unwrap();
        ClinicDetails::new(name, zone(time_zone))
    }

    /// Makes this clinic.
    pub async fn make_clinic(&self, details: &ClinicDetails) -> Clinic {
        let write = self.makes(Resource::Clinic);
        applied(self.storage.create_clinic(&write, details).await.unwrap())
    }

    /// Makes a clinic in UTC.
    pub async fn clinic(&self) -> ClinicId {
        self.make_clinic(&self.clinic_details("UTC")).await.id
    }

    /// Changes what was decided about a clinic.
    pub async fn change_clinic(&self, clinic: ClinicId, change: impl FnOnce(&mut ClinicDetails)) {
        let now = self.storage.clinic_by_id(clinic).await.unwrap().unwrap();
        let mut details = now.details;
        change(&mut details);
        let write = self.changes(Resource::Clinic, clinic.get());
        let update = self
            .storage
            .update_clinic(&write, clinic, now.version, &details);
        let updated = applied(update.await.unwrap());
        assert!(matches!(updated, Edited::Updated(_)), "{updated:?}");
    }

    /// Changes what was decided about a doctor.
    pub async fn change_doctor(&self, doctor: UserId, change: impl FnOnce(&mut DoctorDetails)) {
        let now = self.storage.doctor_by_id(doctor).await.unwrap().unwrap();
        let mut details = now.details;
        change(&mut details);
        let write = self.changes(Resource::Doctor, doctor.get());
        let update = self
            .storage
            .update_doctor(&write, doctor, now.version, &details);
        let updated = applied(update.await.unwrap());
        let is_updated = matches!(updated, UpdateDoctorOutcome::Updated(_));
        assert!(is_updated, "{updated:?}");
    }

    /// What is to be decided about a doctor of this clinic who sees at most 100 patients a day.
    pub fn doctor_details(&self, clinic: ClinicId) -> DoctorDetails {
        let specialty = Specialty::new("Cardiology").unwrap();
        let licence = LicenceNumber::new(format!("L-{}", self.number())).unwrap();
        DoctorDetails {
            experience_years: ExperienceYears::new(7).unwrap(),
            daily_limit: DailyLimit::new(100).unwrap(),
            ..DoctorDetails::new(clinic, specialty, licence)
        }
    }

    /// Makes a doctor with this profile.
    pub async fn make_doctor(&self, details: DoctorDetails) -> UserId {
        let user = self.user(Role::Doctor).await.id;
        let write = self.changes(Resource::Doctor, user.get());
        let doctor = CompleteDoctor { user, details };
        match applied(self.storage.complete_doctor(&write, &doctor).await.unwrap()) {
            CompleteDoctorOutcome::Completed(doctor) => doctor.id,
            other => panic!("the doctor was refused: {other:?}"),
        }
    }

    /// Makes a listed doctor.
    pub async fn doctor(&self, clinic: ClinicId) -> UserId {
        self.make_doctor(self.doctor_details(clinic)).await
    }

    /// An application of a doctor with this licence.
    pub fn application(&self, licence: &str, clinic: Option<ClinicId>) -> NewUser {
        let doctor = DoctorApplication {
            clinic,
            first_clinic: self.clinic_details("Africa/Cairo"),
            licence_number: LicenceNumber::new(licence).unwrap(),
            specialty: Specialty::new("Neurology").unwrap(),
            experience_years: ExperienceYears::new(4).unwrap(),
            daily_limit: DailyLimit::new(12).unwrap(),
        };
        NewUser {
            doctor: Some(doctor),
            ..self.new_user(Role::Doctor)
        }
    }

    /// Makes a listed doctor with a limit for each day.
    pub async fn doctor_with_limit(&self, clinic: ClinicId, limit: i64) -> UserId {
        let daily_limit = DailyLimit::new(limit).unwrap();
        self.make_doctor(DoctorDetails {
            daily_limit,
            ..self.doctor_details(clinic)
        })
        .await
    }
}

/// The installation as a whole.
#[must_use]
pub fn whole() -> Subject {
    let id = telemed_core::journal::SubjectId::Whole;
    Subject {
        resource: Resource::Installation,
        id,
    }
}

fn data<const N: usize>(pairs: [(&str, serde_json::Value); N]) -> Map<String, serde_json::Value> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
