//! Booking: one call of one function of the schema, in a transaction of its own.
//!
//! The function locks the patients, the slots and the doctors' days, and decides by what it then
//! sees; the constraints of the schema stand beneath it.

use std::sync::Arc;

use telemed_core::crypto::Sealed;
use telemed_core::id::{AppointmentId, ClinicId, SlotId, UserId};
use telemed_core::journal::{KeyClaim, Subject};
use telemed_core::scheduling::{
    AppointmentStatus, BookCommand, BookOutcome, SlotFacts, StoredAppointment,
};
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult, Written};
use telemed_core::time::{LocalDay, Timestamp};

use crate::PostgresStore;
use crate::connection::Connection;
use crate::failure::Fault;
use crate::journal::Entries;
use crate::rows;
use crate::statement::{Columns, one, single};
use crate::store::Repeat;

/// A slot as it decides over a patient's booking, but for the daily limit.
pub(super) struct Offer {
    /// What never changes about the slot.
    pub(super) facts: SlotFacts,
    /// The day of its start in the clinic's zone.
    pub(super) local_day: LocalDay,
    /// How many appointments the doctor has on a day at most.
    pub(super) daily_limit: i32,
    /// Whether the doctor's bookings are confirmed without his word.
    pub(super) auto_confirm: bool,
    /// Why the slot refuses the patient.
    pub(super) refusal: Option<BookOutcome>,
}

/// Weighs a slot for one patient, an appointment that is to be moved to it left aside. The patient
/// and the slot are locked.
pub(super) async fn offer(
    connection: &mut Connection,
    slot: SlotId,
    patient: UserId,
    at: Timestamp,
    aside: AppointmentId,
) -> StoreResult<Option<Offer>> {
    one(
        connection,
        "weighing a slot",
        "SELECT doctor, clinic, begins, ends, day, daily_limit, auto_confirm, refusal
         FROM weigh_bookings(ARRAY[$1::BIGINT], ARRAY[$2::BIGINT], ARRAY[$3::BIGINT], $4)
         WHERE doctor IS NOT NULL",
        (slot.get(), patient.get(), at.micros(), aside.get()),
        |columns| {
            Ok(Offer {
                facts: SlotFacts {
                    doctor: columns.make(UserId::from_row)?,
                    clinic: columns.make(ClinicId::from_row)?,
                    starts_at: columns.make(Timestamp::from_micros)?,
                    ends_at: columns.make(Timestamp::from_micros)?,
                },
                local_day: rows::local_day(columns)?,
                daily_limit: columns.next()?,
                auto_confirm: columns.next()?,
                refusal: columns.known(|word: Option<String>| match word {
                    None => Some(None),
                    Some(word) => refusal(&word).map(Some),
                })?,
            })
        },
    )
    .await
}

/// The outcome that a word of the schema's functions stands for.
fn refusal(word: &str) -> Option<BookOutcome> {
    Some(match word {
        "slot_not_found" => BookOutcome::SlotNotFound,
        "slot_mismatch" => BookOutcome::SlotMismatch,
        "patient_not_found" => BookOutcome::PatientNotFound,
        "patient_inactive" => BookOutcome::PatientInactive,
        "slot_inactive" => BookOutcome::SlotInactive,
        "slot_past" => BookOutcome::SlotPast,
        "already_booked" => BookOutcome::AlreadyBooked,
        "patient_overlap" => BookOutcome::PatientOverlap,
        "slot_full" => BookOutcome::SlotFull,
        "on_leave" => BookOutcome::OnLeave,
        "daily_limit" => BookOutcome::DailyLimit,
        _ => return None,
    })
}

/// A booking, ready to be sent.
#[derive(Clone)]
pub(super) struct Booking {
    slot: SlotId,
    /// What is known of the slot; `None` when there is none.
    facts: Option<SlotFacts>,
    /// With the whole write.
    command: BookCommand,
}

/// What became of a call.
pub(super) enum Sent {
    /// What each booking is answered, in their order.
    Answered(Vec<Written<BookOutcome>>),
    /// The database has refused it as a whole, because of any one of them; nothing was done.
    Refused,
}

impl Booking {
    pub(super) fn of(slot: SlotId, facts: Option<SlotFacts>, mut command: BookCommand) -> Self {
        if let Some(facts) = &facts {
            command.write = command.write_for(facts);
        }
        Self {
            slot,
            facts,
            command,
        }
    }

    /// Its idempotency key and the scope of that.
    pub(super) fn key(&self) -> Option<(String, String)> {
        let claim = self.command.write.idempotency.as_ref()?;
        Some((claim.scope.clone(), claim.key.as_str().to_owned()))
    }

    /// Whether the slot is of another doctor or clinic than the caller believes.
    fn is_elsewhere(&self) -> bool {
        // A slot that has come meanwhile is none yet: nothing may be booked without its facts.
        self.facts.is_none_or(|facts| {
            let command = &self.command;
            let is_as_believed = command.expected_doctor.is_none_or(|it| it == facts.doctor)
                && command.expected_clinic.is_none_or(|it| it == facts.clinic);
            !is_as_believed
        })
    }
}

/// Books each by itself, in order; no patient and no key comes twice, and all of them have a key or
/// none has.
pub(super) async fn book_many(
    store: &PostgresStore,
    bookings: Arc<[Booking]>,
) -> StoreResult<Sent> {
    let has_key = |booking: &Booking| booking.command.write.idempotency.is_some();
    let repeat = if bookings.iter().all(has_key) {
        Repeat::Always
    } else {
        Repeat::IfUndone
    };
    store
        .call(repeat, bookings, |connection, bookings| {
            Box::pin(async move {
                match send(connection, bookings).await {
                    Err(error) if bookings.len() > 1 && is_for_one(connection, &error) => {
                        Ok(Sent::Refused)
                    }
                    sent => sent.map(Sent::Answered),
                }
            })
        })
        .await
}

/// Whether the database has refused a call, and may take some of its bookings without the others.
fn is_for_one(connection: &Connection, error: &StoreError) -> bool {
    connection.fault() == Some(Fault::Refused) && error.kind != StoreErrorKind::StorageFull
}

async fn send(
    connection: &mut Connection,
    bookings: &[Booking],
) -> StoreResult<Vec<Written<BookOutcome>>> {
    let commands = || bookings.iter().map(|booking| &booking.command);
    let entries = Entries::of(commands().map(|command| &command.write))?;
    connection.expect(entries.ids());
    let texts = |part: fn(&BookCommand) -> &Option<Sealed>| -> Vec<Option<&[u8]>> {
        let parts = commands().map(part);
        parts.map(|it| it.as_ref().map(Sealed::as_bytes)).collect()
    };
    let claims: Option<Vec<&KeyClaim>> = commands()
        .map(|command| command.write.idempotency.as_ref())
        .collect();
    let claims = claims.as_ref();
    let answer = single(
        connection,
        "booking",
        "SELECT answers, made, known_resources, known_subjects, local_days, are_confirmed,
                first_event
         FROM book_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::JSONB)",
        (
            each(bookings, |it| it.slot.get()),
            each(bookings, |it| it.command.patient.get()),
            each(bookings, |it| it.command.write.at.micros()),
            each(bookings, Booking::is_elsewhere),
            each(bookings, |it| it.command.kind.as_str()),
            each(bookings, |it| it.command.seal_id.get()),
            texts(|it| &it.reason_for_visit),
            texts(|it| &it.symptoms),
            texts(|it| &it.notes),
            claims.map(|claims| each(claims, |claim| claim.scope.as_str())),
            claims.map(|claims| each(claims, |claim| claim.key.as_str())),
            claims.map(|claims| each(claims, |claim| claim.fingerprint.0.as_slice())),
            connection.node(),
            entries.text(),
        ),
        Answer::read,
    )
    .await?;
    if let (Some(first), Some(made)) = (answer.first_event, &answer.made) {
        let events = entries.logged(first, Some(made))?;
        connection.announce(events);
    }
    let places = bookings.iter().enumerate();
    places
        .map(|(place, booking)| booking.outcome(place, &answer))
        .collect()
}

fn each<'b, B, T>(all: &'b [B], part: impl Fn(&'b B) -> T) -> Vec<T> {
    all.iter().map(part).collect()
}

/// What the function of the schema returns: of each booking, in their order.
struct Answer {
    words: Vec<Option<String>>,
    made: Option<Vec<Option<i64>>>,
    known_resources: Option<Vec<Option<String>>>,
    known_subjects: Option<Vec<Option<String>>>,
    local_days: Vec<Option<String>>,
    are_confirmed: Vec<Option<bool>>,
    first_event: Option<i64>,
}

impl Answer {
    fn read(columns: &mut Columns<'_>) -> StoreResult<Self> {
        Ok(Self {
            words: columns.next()?,
            made: columns.next()?,
            known_resources: columns.next()?,
            known_subjects: columns.next()?,
            local_days: columns.next()?,
            are_confirmed: columns.next()?,
            first_event: columns.next()?,
        })
    }

    /// What the key of a booking was used for.
    fn known(&self, place: usize) -> Option<Subject> {
        let resource = self.known_resources.as_ref()?.get(place)?.as_ref()?;
        let subject = self.known_subjects.as_ref()?.get(place)?.as_ref()?;
        Subject::from_row(resource, subject)
    }
}

impl Booking {
    /// What became of the booking.
    fn outcome(&self, place: usize, answer: &Answer) -> StoreResult<Written<BookOutcome>> {
        let odd = || StoreError::corrupt("booking: an answer that is not known");
        let word = answer.words.get(place).ok_or_else(odd)?;
        Ok(match word.as_deref() {
            None => {
                let appointment = self.appointment(place, answer).ok_or_else(odd)?;
                Written::Applied(BookOutcome::Booked(appointment))
            }
            Some("replayed") => Written::Replayed(answer.known(place).ok_or_else(odd)?),
            Some("key_mismatch") => Written::KeyMismatch,
            Some("slot_mismatch") if self.facts.is_none() => {
                Written::Applied(BookOutcome::SlotNotFound)
            }
            Some(word) => Written::Applied(refusal(word).ok_or_else(odd)?),
        })
    }

    /// The appointment that was made.
    fn appointment(&self, place: usize, answer: &Answer) -> Option<StoredAppointment> {
        let command = &self.command;
        let id = (*answer.made.as_ref()?.get(place)?)?;
        let local_day = answer.local_days.get(place)?.as_ref()?;
        let status = if (*answer.are_confirmed.get(place)?)? {
            AppointmentStatus::Confirmed
        } else {
            AppointmentStatus::Pending
        };
        Some(StoredAppointment {
            id: AppointmentId::from_row(id),
            patient: command.patient,
            slot: self.slot,
            facts: self.facts?,
            local_day: LocalDay::parse(local_day)?,
            kind: command.kind,
            status,
            seal_id: command.seal_id,
            reason_for_visit: command.reason_for_visit.clone(),
            symptoms: command.symptoms.clone(),
            notes: command.notes.clone(),
            status_reason: None,
            reschedule_reason: None,
            cancelled_at: None,
            created_at: command.write.at,
            updated_at: command.write.at,
        })
    }
}
