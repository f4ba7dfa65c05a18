//! From rows to calls and samples, and from a call to its row. Each list of columns stands beside
//! the function that reads them, in the same order.

use serde::Serialize;
use telemed_core::calls::{
    Call, CallKind, CallParty, CallProgress, CallRow, CallSide, CallState, ClientCallId, DeviceId,
    EndReason, Measured, PartyQuality, QualityGrade, QualitySample, Resolution,
};
use telemed_core::id::{AppointmentId, SampleId, UserId};
use telemed_core::identity::FullName;
use telemed_core::store::{StoreError, StoreErrorKind, StoreResult};
use telemed_core::time::Timestamp;
use uuid::Uuid;

use crate::rows::{instant, maybe_instant, number, word};
use crate::statement::Columns;

/// What of the row of a call changes, in the names of its columns.
#[derive(Serialize)]
pub(super) struct Progress<'p> {
    state: &'static str,
    end_reason: Option<&'static str>,
    ended_by: Option<i64>,
    caller_device: Option<&'p str>,
    callee_device: Option<&'p str>,
    ringing_at: Option<i64>,
    accepted_at: Option<i64>,
    connected_at: Option<i64>,
    ended_at: Option<i64>,
    reported_duration: Option<u32>,
}

impl<'p> Progress<'p> {
    pub(super) fn of(progress: &'p CallProgress) -> Self {
        Self {
            state: progress.state.as_str(),
            end_reason: progress.end_reason.map(EndReason::as_str),
            ended_by: progress.ended_by.map(UserId::get),
            caller_device: progress.caller_device.as_ref().map(DeviceId::as_str),
            callee_device: progress.callee_device.as_ref().map(DeviceId::as_str),
            ringing_at: progress.ringing_at.map(Timestamp::micros),
            accepted_at: progress.accepted_at.map(Timestamp::micros),
            connected_at: progress.connected_at.map(Timestamp::micros),
            ended_at: progress.ended_at.map(Timestamp::micros),
            reported_duration: progress.reported_duration,
        }
    }
}

/// The whole seconds for which the two heard each other.
pub(super) fn seconds(progress: &CallProgress) -> i64 {
    i64::try_from(progress.duration().as_secs()).unwrap_or(i64::MAX)
}

/// A row, or a part of one, as the functions of the schema take it.
pub(super) fn record(row: &impl Serialize) -> StoreResult<String> {
    serde_json::to_string(row)
        .map_err(|_| StoreError::new(StoreErrorKind::Internal, "writing a call as JSON"))
}

/// A call with the names of its parties.
pub(super) const CALL: &str = "calls.id, calls.caller_id, caller.full_name, calls.callee_id, \
     callee.full_name, calls.kind, calls.appointment_id, calls.client_id, calls.initiated_at, \
     calls.state, calls.end_reason, calls.ended_by, calls.caller_device, calls.callee_device, \
     calls.ringing_at, calls.accepted_at, calls.connected_at, calls.ended_at, \
     calls.reported_duration, calls.version";

/// What belongs to a call, for [`CALL`].
pub(super) const CALL_JOINS: &str = "JOIN users AS caller ON caller.id = calls.caller_id \
     JOIN users AS callee ON callee.id = calls.callee_id";

pub(super) fn call(columns: &mut Columns<'_>) -> StoreResult<Call> {
    let id = columns.uuid()?;
    call_with(id, columns)
}

/// A call, or NULLs where there is none.
pub(super) fn maybe_call(columns: &mut Columns<'_>) -> StoreResult<Option<Call>> {
    let id: Option<Uuid> = columns.next()?;
    id.map(|id| call_with(id, columns)).transpose()
}

/// The columns of [`CALL`] after the first.
fn call_with(id: Uuid, columns: &mut Columns<'_>) -> StoreResult<Call> {
    Ok(Call {
        id: id.into(),
        caller: party(columns)?,
        callee: party(columns)?,
        kind: word(columns, CallKind::parse)?,
        appointment: columns.maybe(AppointmentId::from_row)?,
        client_id: columns.maybe(ClientCallId::from_row)?,
        initiated_at: instant(columns)?,
        progress: progress(columns)?,
        version: number(columns)?,
    })
}

fn party(columns: &mut Columns<'_>) -> StoreResult<CallParty> {
    Ok(CallParty {
        user: columns.make(UserId::from_row)?,
        name: columns.make(FullName::from_row)?,
    })
}

fn progress(columns: &mut Columns<'_>) -> StoreResult<CallProgress> {
    Ok(CallProgress {
        state: word(columns, CallState::parse)?,
        end_reason: maybe_word(columns, EndReason::parse)?,
        ended_by: columns.maybe(UserId::from_row)?,
        caller_device: columns.maybe(DeviceId::from_row)?,
        callee_device: columns.maybe(DeviceId::from_row)?,
        ringing_at: maybe_instant(columns)?,
        accepted_at: maybe_instant(columns)?,
        connected_at: maybe_instant(columns)?,
        ended_at: maybe_instant(columns)?,
        reported_duration: columns
            .known(|seconds: Option<i64>| seconds.map(u32::try_from).transpose().ok())?,
    })
}

/// A word of a closed list, or none.
fn maybe_word<T, E>(
    columns: &mut Columns<'_>,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> StoreResult<Option<T>> {
    columns.known(|word: Option<String>| word.map(parse).transpose().ok())
}

/// What the samples of a party come to.
pub(super) const QUALITY: &str =
    "place.user_id, place.samples, place.round_trip, place.loss, place.audio";

pub(super) fn quality(columns: &mut Columns<'_>) -> StoreResult<PartyQuality> {
    Ok(PartyQuality {
        user: columns.make(UserId::from_row)?,
        samples: number(columns)?,
        round_trip: columns.next()?,
        loss: columns.next()?,
        audio: maybe_word(columns, QualityGrade::parse)?,
    })
}

/// The columns of [`CALL`], then those of [`QUALITY`], of both parties: a call comes in two rows,
/// which follow one another. What is not there yet is as if without samples.
pub(super) fn together(rows: Vec<(Call, PartyQuality)>) -> Vec<CallRow> {
    let mut whole: Vec<CallRow> = Vec::with_capacity(rows.len() / 2);
    for (call, quality) in rows {
        let is_other = |last: &&mut CallRow| last.call.id == call.id;
        let side = call.side_of(quality.user);
        let row = match whole.last_mut().filter(is_other) {
            Some(last) => last,
            None => {
                let quality = call.users().map(PartyQuality::none);
                whole.push(CallRow { call, quality });
                let Some(last) = whole.last_mut() else {
                    continue;
                };
                last
            }
        };
        let [caller, callee] = &mut row.quality;
        match side {
            Some(CallSide::Caller) => *caller = quality,
            Some(CallSide::Callee) => *callee = quality,
            None => {}
        }
    }
    whole
}

/// A sample.
pub(super) const SAMPLE: &str = "samples.id, samples.call_id, samples.user_id, samples.at, \
     samples.round_trip, samples.loss, samples.jitter, samples.audio_bitrate, \
     samples.video_bitrate, samples.video_width, samples.video_height, samples.video_framerate, \
     samples.processor, samples.memory, samples.audio, samples.video";

pub(super) fn sample(columns: &mut Columns<'_>) -> StoreResult<QualitySample> {
    let id = columns.uuid()?;
    sample_with(id, columns)
}

/// A sample, or NULLs where there is none.
pub(super) fn maybe_sample(columns: &mut Columns<'_>) -> StoreResult<Option<QualitySample>> {
    let id: Option<Uuid> = columns.next()?;
    id.map(|id| sample_with(id.into(), columns)).transpose()
}

/// The columns of [`SAMPLE`] after the first.
fn sample_with(id: SampleId, columns: &mut Columns<'_>) -> StoreResult<QualitySample> {
    Ok(QualitySample {
        id,
        call: columns.uuid()?,
        user: columns.make(UserId::from_row)?,
        at: instant(columns)?,
        measured: Measured {
            round_trip: columns.next()?,
            loss: columns.next()?,
            jitter: columns.next()?,
            audio_bitrate: columns.next()?,
            video_bitrate: columns.next()?,
            video_resolution: resolution(columns)?,
            video_framerate: columns.next()?,
            processor: columns.next()?,
            memory: columns.next()?,
            audio: maybe_word(columns, QualityGrade::parse)?,
            video: maybe_word(columns, QualityGrade::parse)?,
        },
    })
}

fn resolution(columns: &mut Columns<'_>) -> StoreResult<Option<Resolution>> {
    let side = |columns: &mut Columns<'_>| {
        columns.known(|pixels: Option<i32>| pixels.map(u16::try_from).transpose().ok())
    };
    let (width, height) = (side(columns)?, side(columns)?);
    let both = width.zip(height);
    Ok(both.map(|(width, height)| Resolution { width, height }))
}
