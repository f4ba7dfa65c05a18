//! From rows to the types of the domain. Each list of columns stands beside the function that
//! reads them, in the same order.

use telemed_core::actor::{ActorReference, Role};
use telemed_core::crypto::{Fingerprint, Sealed, TenantKeyId, WrappedDataKey};
use telemed_core::directory::{
    Biography, City, Clinic, ClinicAddress, ClinicDetails, ClinicName, ClinicPhone,
    ConsultationFee, DailyLimit, Doctor, DoctorDetails, ExperienceYears, LicenceNumber,
    Qualifications, Region, Specialty, StoredPatient, ZipCode,
};
use telemed_core::id::{AppointmentId, BlockId, ClinicId, SlotId, UserId};
use telemed_core::identity::{
    Account, ContactNumber, Email, FullName, Language, PasswordHash, Phone, Session,
    SessionWithUser, StoredUser,
};
use telemed_core::journal::{
    Audience, AuditHead, AuditRow, Event, EventKind, Job, JobKind, KeyRecord, LoggedEvent,
    SealedAuditRow, Subject,
};
use telemed_core::scheduling::{
    AppointmentKind, AppointmentNames, AppointmentRow, AppointmentStatus, BlockDetails,
    BlockedTime, Capacity, LocalTime, Schedule, Slot, SlotDuration, SlotFacts, StoredAppointment,
    WeeklyHours, Window,
};
use telemed_core::store::{StoreError, StoreResult};
use telemed_core::time::{LocalDay, TimeZone, Timestamp};

use crate::statement::Columns;

pub(crate) fn instant(columns: &mut Columns<'_>) -> StoreResult<Timestamp> {
    columns.make(Timestamp::from_micros)
}

pub(crate) fn maybe_instant(columns: &mut Columns<'_>) -> StoreResult<Option<Timestamp>> {
    columns.maybe(Timestamp::from_micros)
}

/// A word of a closed list.
pub(crate) fn word<T, E>(
    columns: &mut Columns<'_>,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> StoreResult<T> {
    columns.known(|word: String| parse(word).ok())
}

pub(crate) const USER: &str = "users.id, users.role, users.email, users.phone, \
     users.language, users.full_name, users.contact_number, users.seal_id, users.address, \
     users.is_verified, users.is_active, users.last_login, users.created_at, users.updated_at";

pub(crate) fn user(columns: &mut Columns<'_>) -> StoreResult<StoredUser> {
    Ok(StoredUser {
        id: columns.make(UserId::from_row)?,
        role: word(columns, Role::parse)?,
        email: columns.maybe(Email::from_row)?,
        phone: columns.maybe(Phone::from_row)?,
        language: language(columns)?,
        full_name: columns.make(FullName::from_row)?,
        contact_number: columns.maybe(ContactNumber::from_row)?,
        seal_id: columns.uuid()?,
        address: columns.maybe(Sealed::from_row)?,
        is_verified: columns.next()?,
        is_active: columns.next()?,
        last_login: maybe_instant(columns)?,
        created_at: instant(columns)?,
        updated_at: instant(columns)?,
    })
}

fn language(columns: &mut Columns<'_>) -> StoreResult<Option<Language>> {
    columns.known(|word: Option<String>| word.map(Language::parse).transpose().ok())
}

/// The columns of [`USER`], then the hash of the password.
pub(crate) fn account(columns: &mut Columns<'_>) -> StoreResult<Account> {
    Ok(Account {
        user: user(columns)?,
        password: columns.make(PasswordHash::new)?,
    })
}

pub(crate) const SESSION: &str = "sessions.id, sessions.user_id, sessions.created_at, \
     sessions.expires_at, sessions.ended_at";

/// The columns of [`SESSION`], then those of [`USER`].
pub(crate) fn session_with_user(columns: &mut Columns<'_>) -> StoreResult<SessionWithUser> {
    let session = Session {
        id: columns.uuid()?,
        user: columns.make(UserId::from_row)?,
        created_at: instant(columns)?,
        expires_at: instant(columns)?,
        ended_at: maybe_instant(columns)?,
    };
    Ok(SessionWithUser {
        session,
        user: user(columns)?,
    })
}

pub(crate) const DATA_KEY: &str = "id, tenant_key, wrapped";

pub(crate) fn data_key(columns: &mut Columns<'_>) -> StoreResult<WrappedDataKey> {
    Ok(WrappedDataKey {
        id: columns.uuid()?,
        tenant_key: columns.make(TenantKeyId)?,
        wrapped: columns.next()?,
    })
}

/// The columns of [`DATA_KEY`] where one is joined that may be gone.
fn maybe_data_key(columns: &mut Columns<'_>) -> StoreResult<Option<WrappedDataKey>> {
    let id: Option<uuid::Uuid> = columns.next()?;
    let (tenant_key, wrapped) = (columns.maybe(TenantKeyId)?, columns.next()?);
    Ok(match (id, tenant_key, wrapped) {
        (Some(id), Some(tenant_key), Some(wrapped)) => Some(WrappedDataKey {
            id: id.into(),
            tenant_key,
            wrapped,
        }),
        _ => None,
    })
}

pub(crate) fn time_zone(columns: &mut Columns<'_>) -> StoreResult<TimeZone> {
    columns.known(|name: String| TimeZone::named(&name))
}

pub(crate) const CLINIC: &str = "id, name, address, phone, email, city, state, zip_code, \
     time_zone, is_active, created_at, updated_at, version";

pub(crate) fn clinic(columns: &mut Columns<'_>) -> StoreResult<Clinic> {
    Ok(Clinic {
        id: columns.make(ClinicId::from_row)?,
        details: ClinicDetails {
            name: columns.make(ClinicName::from_row)?,
            address: columns.maybe(ClinicAddress::from_row)?,
            phone: columns.maybe(ClinicPhone::from_row)?,
            email: columns.maybe(Email::from_row)?,
            city: columns.maybe(City::from_row)?,
            state: columns.maybe(Region::from_row)?,
            zip_code: columns.maybe(ZipCode::from_row)?,
            time_zone: time_zone(columns)?,
            is_active: columns.next()?,
        },
        created_at: instant(columns)?,
        updated_at: instant(columns)?,
        version: columns.next()?,
    })
}

pub(crate) const DOCTOR: &str = "doctors.id, users.full_name, doctors.clinic_id, \
     doctors.specialty, doctors.licence_number, doctors.qualifications, \
     doctors.experience_years, doctors.daily_limit, doctors.biography, \
     doctors.consultation_fee, clinics.name, users.is_active, users.is_verified, \
     doctors.created_at, doctors.updated_at, doctors.version";

/// Doctors with their accounts.
pub(crate) const DOCTORS: &str = "doctors JOIN users ON users.id = doctors.id";

/// Whom patients find, in the words of the index of them.
pub(crate) const LISTED: &str = "users.role = 'doctor' AND users.is_active AND users.is_verified";

/// The clinics of doctors, for [`DOCTOR`].
pub(crate) const CLINICS_OF_DOCTORS: &str = "JOIN clinics ON clinics.id = doctors.clinic_id";

pub(crate) fn doctor(columns: &mut Columns<'_>) -> StoreResult<Doctor> {
    Ok(Doctor {
        id: columns.make(UserId::from_row)?,
        full_name: columns.make(FullName::from_row)?,
        details: DoctorDetails {
            clinic: columns.make(ClinicId::from_row)?,
            specialty: columns.make(Specialty::from_row)?,
            licence_number: columns.make(LicenceNumber::from_row)?,
            qualifications: columns.maybe(Qualifications::from_row)?,
            experience_years: columns
                .known(|years: i32| ExperienceYears::new(years.into()).ok())?,
            daily_limit: columns.known(|limit: i32| DailyLimit::new(limit.into()).ok())?,
            biography: columns.maybe(Biography::from_row)?,
            consultation_fee: columns.maybe(ConsultationFee::from_row)?,
        },
        clinic_name: columns.make(ClinicName::from_row)?,
        is_active: columns.next()?,
        is_verified: columns.next()?,
        created_at: instant(columns)?,
        updated_at: instant(columns)?,
        version: columns.next()?,
    })
}

pub(crate) const PATIENT: &str = "patients.id, users.full_name, patients.seal_id, \
     patients.profile, users.is_active, users.created_at, patients.updated_at, patients.version";

pub(crate) fn patient(columns: &mut Columns<'_>) -> StoreResult<StoredPatient> {
    Ok(StoredPatient {
        id: columns.make(UserId::from_row)?,
        full_name: columns.make(FullName::from_row)?,
        seal_id: columns.uuid()?,
        profile: columns.maybe(Sealed::from_row)?,
        is_active: columns.next()?,
        created_at: instant(columns)?,
        updated_at: instant(columns)?,
        version: columns.next()?,
    })
}

pub(crate) const SLOT: &str = "slots.id, slots.doctor_id, slots.clinic_id, slots.starts_at, \
     slots.ends_at, slots.local_day, slots.capacity, slots.booked_count, \
     slots.is_published, slots.is_active, slots.created_at, slots.updated_at";

pub(crate) fn slot(columns: &mut Columns<'_>) -> StoreResult<Slot> {
    Ok(Slot {
        id: columns.make(SlotId::from_row)?,
        facts: facts(columns)?,
        local_day: local_day(columns)?,
        capacity: columns.known(|capacity: i32| Capacity::new(capacity.into()).ok())?,
        booked_count: columns.known(|count: i32| u16::try_from(count).ok())?,
        is_published: columns.next()?,
        is_active: columns.next()?,
        created_at: instant(columns)?,
        updated_at: instant(columns)?,
    })
}

fn facts(columns: &mut Columns<'_>) -> StoreResult<SlotFacts> {
    Ok(SlotFacts {
        doctor: columns.make(UserId::from_row)?,
        clinic: columns.make(ClinicId::from_row)?,
        starts_at: instant(columns)?,
        ends_at: instant(columns)?,
    })
}

pub(crate) fn local_day(columns: &mut Columns<'_>) -> StoreResult<LocalDay> {
    columns.known(|day: String| LocalDay::parse(&day))
}

pub(crate) const APPOINTMENT: &str = "appointments.id, appointments.patient_id, \
     appointments.slot_id, appointments.doctor_id, appointments.clinic_id, \
     appointments.starts_at, appointments.ends_at, slots.local_day, appointments.kind, \
     appointments.status, appointments.seal_id, appointments.reason_for_visit, \
     appointments.symptoms, appointments.notes, appointments.status_reason, \
     appointments.reschedule_reason, appointments.cancelled_at, appointments.created_at, appointments.updated_at";

/// Appointments with their slots, which know the local day.
pub(crate) const APPOINTMENTS: &str = "appointments JOIN slots ON slots.id = appointments.slot_id";

pub(crate) fn appointment(columns: &mut Columns<'_>) -> StoreResult<StoredAppointment> {
    Ok(StoredAppointment {
        id: columns.make(AppointmentId::from_row)?,
        patient: columns.make(UserId::from_row)?,
        slot: columns.make(SlotId::from_row)?,
        facts: facts(columns)?,
        local_day: local_day(columns)?,
        kind: word(columns, AppointmentKind::parse)?,
        status: word(columns, AppointmentStatus::parse)?,
        seal_id: columns.uuid()?,
        reason_for_visit: columns.maybe(Sealed::from_row)?,
        symptoms: columns.maybe(Sealed::from_row)?,
        notes: columns.maybe(Sealed::from_row)?,
        status_reason: columns.maybe(Sealed::from_row)?,
        reschedule_reason: columns.maybe(Sealed::from_row)?,
        cancelled_at: maybe_instant(columns)?,
        created_at: instant(columns)?,
        updated_at: instant(columns)?,
    })
}

/// What stands beside [`APPOINTMENT`] where names are shown and texts are opened.
pub(crate) const APPOINTMENT_NAMES: &str = "patient.full_name, doctor.full_name, doctors.specialty, clinics.time_zone, \
     data_keys.id, data_keys.tenant_key, data_keys.wrapped";

/// What belongs to an appointment and its names. A data key may be gone.
pub(crate) const APPOINTMENT_JOINS: &str = "JOIN slots ON slots.id = appointments.slot_id \
     JOIN users AS patient ON patient.id = appointments.patient_id \
     JOIN users AS doctor ON doctor.id = appointments.doctor_id \
     JOIN doctors ON doctors.id = appointments.doctor_id \
     JOIN clinics ON clinics.id = appointments.clinic_id \
     LEFT JOIN data_keys ON data_keys.user_id = appointments.patient_id";

/// The columns of [`APPOINTMENT`], then [`APPOINTMENT_NAMES`].
pub(crate) fn appointment_row(columns: &mut Columns<'_>) -> StoreResult<AppointmentRow> {
    Ok(AppointmentRow {
        appointment: appointment(columns)?,
        names: AppointmentNames {
            patient: columns.make(FullName::from_row)?,
            doctor: columns.make(FullName::from_row)?,
            specialty: columns.make(Specialty::from_row)?,
            time_zone: time_zone(columns)?,
        },
        patient_key: maybe_data_key(columns)?,
    })
}

pub(crate) const SCHEDULE: &str =
    "doctor_id, hours, slot_minutes, capacity, auto_confirm, version, updated_at";

pub(crate) fn schedule(columns: &mut Columns<'_>) -> StoreResult<Schedule> {
    let doctor = columns.make(UserId::from_row)?;
    let days = columns.known(|text: String| days(&text))?;
    let slot_duration = columns.known(|minutes: i32| SlotDuration::new(minutes.into()).ok())?;
    let capacity = columns.known(|capacity: i32| Capacity::new(capacity.into()).ok())?;
    Ok(Schedule {
        doctor,
        hours: columns.known(|auto_confirm| {
            WeeklyHours::new(days, slot_duration, capacity, auto_confirm).ok()
        })?,
        version: columns.next()?,
        updated_at: instant(columns)?,
    })
}

/// The windows of the days of a week as a row keeps them: see [`days_text`].
fn days(text: &str) -> Option<[Vec<Window>; 7]> {
    let days: [Vec<[u16; 2]>; 7] = serde_json::from_str(text).ok()?;
    let window = |[start, end]: [u16; 2]| Window {
        start: LocalTime::from_minutes(start),
        end: LocalTime::from_minutes(end),
    };
    Some(days.map(|windows| windows.into_iter().map(window).collect()))
}

/// Weekly windows in one column: an array of days of arrays of windows, each the minutes of its
/// start and its end.
pub(crate) fn days_text(hours: &WeeklyHours) -> String {
    let window = |window: &Window| vec![window.start.minutes(), window.end.minutes()];
    let day = |windows: &Vec<Window>| windows.iter().map(window).collect::<Vec<_>>();
    let days: Vec<_> = hours.days().iter().map(day).collect();
    serde_json::Value::from(days).to_string()
}

fn local_time(columns: &mut Columns<'_>) -> StoreResult<LocalTime> {
    columns.known(|minutes: i32| u16::try_from(minutes).ok().map(LocalTime::from_minutes))
}

pub(crate) const BLOCKED_TIME: &str = "id, doctor_id, starts_at, ends_at, local_day, \
     start_minute, end_minute, time_zone, seal_id, reason, created_at";

pub(crate) fn blocked_time(columns: &mut Columns<'_>) -> StoreResult<BlockedTime> {
    Ok(BlockedTime {
        id: columns.make(BlockId::from_row)?,
        details: BlockDetails {
            doctor: columns.make(UserId::from_row)?,
            starts_at: instant(columns)?,
            ends_at: instant(columns)?,
            day: local_day(columns)?,
            start: local_time(columns)?,
            end: local_time(columns)?,
            time_zone: columns.next()?,
            seal_id: columns.uuid()?,
            reason: columns.maybe(Sealed::from_row)?,
        },
        created_at: instant(columns)?,
    })
}

/// The resource's word and the id.
pub(crate) fn subject(columns: &mut Columns<'_>) -> StoreResult<Subject> {
    let resource: String = columns.next()?;
    columns.known(|id: String| {
        // One spelling only: `07` must not pass for 7 under the hash of an audit row.
        Subject::from_row(&resource, &id).filter(|subject| subject.id_text() == id)
    })
}

/// The fingerprint of the request and its effect.
pub(crate) fn key_record(columns: &mut Columns<'_>) -> StoreResult<KeyRecord> {
    Ok(KeyRecord {
        fingerprint: columns.make(Fingerprint)?,
        subject: subject(columns)?,
    })
}

/// The kind's word and the user.
fn actor(columns: &mut Columns<'_>) -> StoreResult<ActorReference> {
    let kind: String = columns.next()?;
    columns.known(|user: Option<i64>| ActorReference::from_row(&kind, user))
}

fn data(columns: &mut Columns<'_>) -> StoreResult<serde_json::Map<String, serde_json::Value>> {
    columns.known(|text: String| serde_json::from_str(&text).ok())
}

pub(crate) fn number(columns: &mut Columns<'_>) -> StoreResult<u64> {
    columns.known(|number: i64| u64::try_from(number).ok())
}

pub(crate) const EVENT: &str = "events.seq, events.id, events.kind, events.audience, \
     events.resource, events.subject, events.at, events.actor_kind, events.actor_id, \
     events.data";

pub(crate) fn event(columns: &mut Columns<'_>) -> StoreResult<LoggedEvent> {
    Ok(LoggedEvent {
        seq: number(columns)?,
        event: Event {
            id: columns.uuid()?,
            kind: word(columns, EventKind::parse)?,
            audience: columns.known(|text: String| audiences(&text))?,
            subject: subject(columns)?,
            at: instant(columns)?,
            actor: actor(columns)?,
            data: data(columns)?,
        },
    })
}

/// The audiences of an event in one column: each as its row, with a space between.
pub(crate) fn audiences(text: &str) -> Option<Vec<Audience>> {
    text.split_ascii_whitespace()
        .map(Audience::from_row)
        .collect()
}

pub(crate) const JOB: &str = "id, kind, resource, subject, due_at, data";

pub(crate) fn job(columns: &mut Columns<'_>) -> StoreResult<Job> {
    Ok(Job {
        id: columns.uuid()?,
        kind: word(columns, JobKind::parse)?,
        subject: subject(columns)?,
        due_at: instant(columns)?,
        data: data(columns)?,
    })
}

/// A number and a hash.
pub(crate) fn audit_head(columns: &mut Columns<'_>) -> StoreResult<AuditHead> {
    Ok(AuditHead {
        count: number(columns)?,
        hash: columns.next()?,
    })
}

/// The data of an audit row. The hash is over the text as it was written, so that another
/// spelling of the same data is an edit like any other.
fn sealed_data(
    columns: &mut Columns<'_>,
) -> StoreResult<serde_json::Map<String, serde_json::Value>> {
    columns.known(|text: String| {
        let data = serde_json::from_str(&text).ok()?;
        let written = serde_json::to_string(&data).ok()?;
        (written == text).then_some(data)
    })
}

/// An audit row without its place in the trail.
pub(crate) const AUDIT_OPEN_ROW: &str =
    "id, at, actor_kind, actor_id, session, action, resource, subject, data";

pub(crate) fn audit_open_row(columns: &mut Columns<'_>) -> StoreResult<AuditRow> {
    Ok(AuditRow {
        id: columns.uuid()?,
        at: instant(columns)?,
        actor: actor(columns)?,
        session: columns.maybe(|id: uuid::Uuid| id.into())?,
        action: columns.next()?,
        subject: subject(columns)?,
        data: sealed_data(columns)?,
    })
}

/// The number and the hash, then the columns of [`AUDIT_OPEN_ROW`].
pub(crate) const AUDIT_ROW: &str =
    "number, hash, id, at, actor_kind, actor_id, session, action, resource, subject, data";

pub(crate) fn audit_row(columns: &mut Columns<'_>) -> StoreResult<SealedAuditRow> {
    Ok(SealedAuditRow {
        head: audit_head(columns)?,
        row: audit_open_row(columns)?,
    })
}

/// What a write needs of a value that is to be there, since it was just written.
pub(crate) fn there<T>(row: Option<T>) -> StoreResult<T> {
    row.ok_or_else(|| StoreError::corrupt("a row that was just written is not there"))
}
