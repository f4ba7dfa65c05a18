//! From rows to calls and samples. Each list of columns stands beside the function that reads
//! them, in the same order.

use telemed_core::calls::{
    Call, CallKind, CallParty, CallProgress, CallRow, CallSide, CallState, CallStatus, CallTally,
    ClientCallId, DeviceId, EndReason, Measured, NamedSample, PartyQuality, QualityGrade,
    QualitySample, Resolution,
};
use telemed_core::id::{AppointmentId, UserId};
use telemed_core::identity::FullName;
use telemed_core::store::StoreResult;
use telemed_core::value::ValueError;

use crate::rows::{instant, maybe_instant, number, word};
use crate::statement::Columns;

pub(super) const CALL: &str = "calls.id, calls.caller_id, caller.full_name, calls.callee_id, \
     callee.full_name, calls.kind, calls.appointment_id, calls.client_id, calls.initiated_at, \
     calls.state, calls.end_reason, calls.ended_by, calls.caller_device, calls.callee_device, \
     calls.ringing_at, calls.accepted_at, calls.connected_at, calls.ended_at, \
     calls.reported_duration, calls.version";

/// The parties of calls, for [`CALL`].
pub(super) const NAMES: &str = "CROSS JOIN users AS caller ON caller.id = calls.caller_id \
     CROSS JOIN users AS callee ON callee.id = calls.callee_id";

pub(super) fn call(columns: &mut Columns<'_>) -> StoreResult<Call> {
    Ok(Call {
        id: columns.uuid()?,
        caller: party(columns)?,
        callee: party(columns)?,
        kind: word(columns, CallKind::parse)?,
        appointment: columns.maybe(AppointmentId::from_row)?,
        client_id: columns.maybe(ClientCallId::from_row)?,
        initiated_at: instant(columns)?,
        progress: CallProgress {
            state: word(columns, CallState::parse)?,
            end_reason: maybe_word(columns, EndReason::parse)?,
            ended_by: columns.maybe(UserId::from_row)?,
            caller_device: columns.maybe(DeviceId::from_row)?,
            callee_device: columns.maybe(DeviceId::from_row)?,
            ringing_at: maybe_instant(columns)?,
            accepted_at: maybe_instant(columns)?,
            connected_at: maybe_instant(columns)?,
            ended_at: maybe_instant(columns)?,
            reported_duration: columns.next()?,
        },
        version: number(columns)?,
    })
}

fn party(columns: &mut Columns<'_>) -> StoreResult<CallParty> {
    Ok(CallParty {
        user: columns.make(UserId::from_row)?,
        name: columns.make(FullName::from_row)?,
    })
}

/// A word of a closed list, or none.
fn maybe_word<T>(
    columns: &mut Columns<'_>,
    parse: impl Fn(String) -> Result<T, ValueError>,
) -> StoreResult<Option<T>> {
    columns.known(|word: Option<String>| word.map(parse).transpose().ok())
}

pub(super) const QUALITY: &str = "of_caller.user_id, of_caller.samples, of_caller.round_trip, \
     of_caller.loss, of_caller.audio, of_callee.user_id, of_callee.samples, \
     of_callee.round_trip, of_callee.loss, of_callee.audio";

/// What the samples of the parties of calls come to, for [`QUALITY`].
pub(super) const PARTIES: &str = "CROSS JOIN call_parties AS of_caller \
     ON of_caller.call_id = calls.id AND of_caller.user_id = calls.caller_id \
     CROSS JOIN call_parties AS of_callee \
     ON of_callee.call_id = calls.id AND of_callee.user_id = calls.callee_id";

pub(super) fn quality(columns: &mut Columns<'_>) -> StoreResult<[PartyQuality; 2]> {
    Ok([party_quality(columns)?, party_quality(columns)?])
}

fn party_quality(columns: &mut Columns<'_>) -> StoreResult<PartyQuality> {
    Ok(PartyQuality {
        user: columns.make(UserId::from_row)?,
        samples: number(columns)?,
        round_trip: columns.next()?,
        loss: columns.next()?,
        audio: maybe_word(columns, QualityGrade::parse)?,
    })
}

/// The columns of [`CALL`], then those of [`QUALITY`].
pub(super) fn call_row(columns: &mut Columns<'_>) -> StoreResult<CallRow> {
    Ok(CallRow {
        call: call(columns)?,
        quality: quality(columns)?,
    })
}

/// The columns of a tally: side, status, kind, how many, and their seconds.
pub(super) fn tally(columns: &mut Columns<'_>) -> StoreResult<CallTally> {
    Ok(CallTally {
        side: word(columns, CallSide::parse)?,
        status: word(columns, CallStatus::parse)?,
        kind: word(columns, CallKind::parse)?,
        calls: number(columns)?,
        seconds: number(columns)?,
    })
}

pub(super) const SAMPLE: &str = "quality_samples.id, quality_samples.call_id, \
     quality_samples.user_id, quality_samples.at, quality_samples.round_trip, \
     quality_samples.loss, quality_samples.jitter, quality_samples.audio_bitrate, \
     quality_samples.video_bitrate, quality_samples.video_resolution, \
     quality_samples.video_framerate, quality_samples.processor, quality_samples.memory, \
     quality_samples.audio, quality_samples.video";

pub(super) fn sample(columns: &mut Columns<'_>) -> StoreResult<QualitySample> {
    Ok(QualitySample {
        id: columns.uuid()?,
        call: columns.uuid()?,
        user: columns.make(UserId::from_row)?,
        at: instant(columns)?,
        measured: Measured {
            round_trip: columns.next()?,
            loss: columns.next()?,
            jitter: columns.next()?,
            audio_bitrate: columns.next()?,
            video_bitrate: columns.next()?,
            video_resolution: columns.known(|size: Option<String>| {
                size.map(|size| Resolution::parse(&size)).transpose().ok()
            })?,
            video_framerate: columns.next()?,
            processor: columns.next()?,
            memory: columns.next()?,
            audio: maybe_word(columns, QualityGrade::parse)?,
            video: maybe_word(columns, QualityGrade::parse)?,
        },
    })
}

/// The columns of [`SAMPLE`], then the name of the party.
pub(super) fn named_sample(columns: &mut Columns<'_>) -> StoreResult<NamedSample> {
    Ok(NamedSample {
        sample: sample(columns)?,
        name: columns.make(FullName::from_row)?,
    })
}
