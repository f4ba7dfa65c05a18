//! Booking: one call of one function of the schema, in a transaction of its own.
//!
//! The function locks the patients, the slot and the doctor's day, and decides by what it then
//! sees; the constraints of the schema stand beneath it.

use telemed_core::crypto::Sealed;
use telemed_core::id::{AppointmentId, ClinicId, SlotId, UserId};
use telemed_core::journal::{Subject, Write};
use telemed_core::scheduling::{
    AppointmentStatus, BookCommand, BookOutcome, SlotFacts, StoredAppointment,
};
use telemed_core::store::{StoreError, StoreResult, Written};
use telemed_core::time::{LocalDay, Timestamp};

use super::slots;
use crate::PostgresStore;
use crate::connection::Connection;
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
        "SELECT doctor, clinic, begins, ends, day, daily_limit, auto_confirm, refusals[1]
         FROM weigh_bookings($1, ARRAY[$2::BIGINT], ARRAY[$3::BIGINT], $4)",
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

/// Bookings of one slot, ready to be sent.
struct Batch {
    slot: SlotId,
    /// What is known of the slot; `None` when there is none.
    facts: Option<SlotFacts>,
    commands: Vec<BookCommand>,
    /// The whole write of each.
    writes: Vec<Write>,
}

/// Books each command by itself, in order; no patient and no key comes twice.
pub(super) async fn book_many(
    store: &PostgresStore,
    slot: SlotId,
    commands: Vec<BookCommand>,
) -> StoreResult<Vec<Written<BookOutcome>>> {
    let facts = facts_of(store, slot).await?;
    let write = |command: &BookCommand| match &facts {
        Some(facts) => command.write_for(facts),
        None => command.write.clone(),
    };
    let are_keyed = commands
        .iter()
        .all(|command| command.write.idempotency.is_some());
    let repeat = if are_keyed {
        Repeat::Always
    } else {
        Repeat::IfUndone
    };
    let batch = Batch {
        slot,
        facts,
        writes: commands.iter().map(write).collect(),
        commands,
    };
    store
        .call(repeat, batch, |connection, batch| {
            Box::pin(send(connection, batch))
        })
        .await
}

/// The facts of a slot. They never change: few bookings have to ask for them.
async fn facts_of(store: &PostgresStore, slot: SlotId) -> StoreResult<Option<SlotFacts>> {
    if let Some(facts) = store.coalescer().facts(slot) {
        return Ok(Some(facts));
    }
    let found = store.read(slot, |connection, slot| {
        Box::pin(slots::by_id(connection, *slot))
    });
    let found = found.await?;
    store.coalescer().remember(&found);
    Ok(found.map(|slot| slot.facts))
}

async fn send(
    connection: &mut Connection,
    batch: &Batch,
) -> StoreResult<Vec<Written<BookOutcome>>> {
    let commands = &batch.commands;
    let entries = Entries::of(&batch.writes)?;
    connection.expect(entries.ids());
    let claims = || commands.iter().map(|it| it.write.idempotency.as_ref());
    let has_keys = claims().any(|claim| claim.is_some());
    let of_commands = |part: fn(&BookCommand) -> &Option<Sealed>| -> Vec<Option<&[u8]>> {
        let parts = commands.iter().map(part);
        parts.map(|it| it.as_ref().map(Sealed::as_bytes)).collect()
    };
    let answer = single(
        connection,
        "booking",
        "SELECT answers, made, known_resources, known_subjects, local_day, auto_confirm,
                first_event
         FROM book_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::JSONB)",
        (
            batch.slot.get(),
            commands
                .iter()
                .map(|it| it.patient.get())
                .collect::<Vec<_>>(),
            commands
                .iter()
                .map(|it| it.write.at.micros())
                .collect::<Vec<_>>(),
            commands
                .iter()
                .map(|it| batch.is_elsewhere(it))
                .collect::<Vec<_>>(),
            commands
                .iter()
                .map(|it| it.kind.as_str())
                .collect::<Vec<_>>(),
            commands
                .iter()
                .map(|it| it.seal_id.get())
                .collect::<Vec<_>>(),
            of_commands(|it| &it.reason_for_visit),
            of_commands(|it| &it.symptoms),
            of_commands(|it| &it.notes),
            has_keys.then(|| {
                let scopes = claims().map(|claim| claim.map(|claim| claim.scope.as_str()));
                scopes.collect::<Vec<_>>()
            }),
            has_keys.then(|| {
                let keys = claims().map(|claim| claim.map(|claim| claim.key.as_str()));
                keys.collect::<Vec<_>>()
            }),
            has_keys.then(|| {
                let prints = claims().map(|claim| claim.map(|claim| claim.fingerprint.0.to_vec()));
                prints.collect::<Vec<_>>()
            }),
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
    (0..commands.len())
        .map(|place| batch.outcome(place, &answer))
        .collect()
}

/// What the function of the schema returns.
struct Answer {
    words: Vec<Option<String>>,
    made: Option<Vec<Option<i64>>>,
    known_resources: Option<Vec<Option<String>>>,
    known_subjects: Option<Vec<Option<String>>>,
    local_day: Option<LocalDay>,
    auto_confirm: bool,
    first_event: Option<i64>,
}

impl Answer {
    fn read(columns: &mut Columns<'_>) -> StoreResult<Self> {
        Ok(Self {
            words: columns.next()?,
            made: columns.next()?,
            known_resources: columns.next()?,
            known_subjects: columns.next()?,
            local_day: columns.known(|day: Option<String>| match day {
                None => Some(None),
                Some(day) => LocalDay::parse(&day).map(Some),
            })?,
            auto_confirm: columns.next::<Option<bool>>()?.unwrap_or(false),
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

impl Batch {
    /// Whether the slot is of another doctor or clinic than the caller believes.
    fn is_elsewhere(&self, command: &BookCommand) -> bool {
        // A slot that has come meanwhile is none yet: nothing may be booked without its facts.
        self.facts.is_none_or(|facts| {
            let is_as_believed = command.expected_doctor.is_none_or(|it| it == facts.doctor)
                && command.expected_clinic.is_none_or(|it| it == facts.clinic);
            !is_as_believed
        })
    }

    /// What became of a booking.
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
        let command = self.commands.get(place)?;
        let id = (*answer.made.as_ref()?.get(place)?)?;
        let status = if answer.auto_confirm {
            AppointmentStatus::Confirmed
        } else {
            AppointmentStatus::Pending
        };
        Some(StoredAppointment {
            id: AppointmentId::from_row(id),
            patient: command.patient,
            slot: self.slot,
            facts: self.facts?,
            local_day: answer.local_day?,
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
