//! Samples of a call's quality, and what they come to.

use rusqlite::{Connection, params};
use telemed_core::calls::{
    AddSampleOutcome, NamedSample, PartyQuality, QualityGrade, QualitySample,
};
use telemed_core::id::{CallId, UserId};
use telemed_core::store::StoreResult;

use super::rows;
use crate::statement::{all, change, one, only};
use crate::writer::Verdict;

/// How many samples of a party measured what has a median.
struct Counts {
    round_trips: i64,
    losses: i64,
}

pub(super) fn add(
    connection: &Connection,
    sample: &QualitySample,
) -> StoreResult<Verdict<AddSampleOutcome>> {
    let Some(counts) = counts(connection, sample)? else {
        return Ok(Verdict::Undo(AddSampleOutcome::NotFound));
    };
    if let Some(before) = by_id(connection, sample)? {
        return Ok(Verdict::Undo(AddSampleOutcome::Repeated(before)));
    }
    let before = newest(connection, sample)?;
    insert(connection, sample)?;
    let is_newest = before
        .as_ref()
        .is_none_or(|before| (before.at, before.id) < (sample.at, sample.id));
    let newest = before.as_ref().filter(|_| !is_newest).unwrap_or(sample);
    sum_up(connection, sample, &counts, newest.measured.audio)?;
    Ok(Verdict::Keep(AddSampleOutcome::Added { before }))
}

/// What a party has measured so far; none for an outsider.
fn counts(connection: &Connection, sample: &QualitySample) -> StoreResult<Option<Counts>> {
    one(
        connection,
        "reading a party of a call",
        "SELECT round_trips, losses FROM call_parties WHERE call_id = ?1 AND user_id = ?2",
        (sample.call.get().as_bytes(), sample.user.get()),
        |columns| {
            Ok(Counts {
                round_trips: columns.next()?,
                losses: columns.next()?,
            })
        },
    )
}

/// What is there under a sample's id.
fn by_id(connection: &Connection, sample: &QualitySample) -> StoreResult<Option<QualitySample>> {
    let sql = format!("SELECT {} FROM quality_samples WHERE id = ?1", rows::SAMPLE);
    let action = "looking for a sample";
    let id = sample.id.get();
    one(connection, action, &sql, [id.as_bytes()], rows::sample)
}

/// The newest sample of the same party.
fn newest(connection: &Connection, sample: &QualitySample) -> StoreResult<Option<QualitySample>> {
    let sql = format!(
        "SELECT {} FROM quality_samples WHERE call_id = ?1 AND user_id = ?2
         ORDER BY at DESC, id DESC LIMIT 1",
        rows::SAMPLE
    );
    let place = (sample.call.get().into_bytes(), sample.user.get());
    let action = "reading the newest sample of a party";
    one(connection, action, &sql, place, rows::sample)
}

fn insert(connection: &Connection, sample: &QualitySample) -> StoreResult<()> {
    let measured = &sample.measured;
    change(
        connection,
        "adding a sample",
        "INSERT INTO quality_samples (call_id, user_id, at, id, round_trip, loss, jitter,
                                      audio_bitrate, video_bitrate, video_resolution,
                                      video_framerate, processor, memory, audio, video)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            sample.call.get().as_bytes(),
            sample.user.get(),
            sample.at.micros(),
            sample.id.get().as_bytes(),
            measured.round_trip,
            measured.loss,
            measured.jitter,
            measured.audio_bitrate,
            measured.video_bitrate,
            measured.video_resolution.map(|size| size.to_string()),
            measured.video_framerate,
            measured.processor,
            measured.memory,
            measured.audio.map(QualityGrade::as_str),
            measured.video.map(QualityGrade::as_str),
        ],
    )?;
    Ok(())
}

/// Keeps what the samples of a party come to, after one more.
fn sum_up(
    connection: &Connection,
    sample: &QualitySample,
    before: &Counts,
    audio: Option<QualityGrade>,
) -> StoreResult<()> {
    let measured = &sample.measured;
    let round_trips = before.round_trips + i64::from(measured.round_trip.is_some());
    let losses = before.losses + i64::from(measured.loss.is_some());
    change(
        connection,
        "summing up the samples of a party",
        "UPDATE call_parties
         SET samples = samples + 1, round_trips = ?3, losses = ?4, round_trip = ?5, loss = ?6,
             audio = ?7
         WHERE call_id = ?1 AND user_id = ?2",
        (
            sample.call.get().as_bytes(),
            sample.user.get(),
            round_trips,
            losses,
            median(connection, "round_trip", sample, round_trips)?,
            median(connection, "loss", sample, losses)?,
            audio.map(QualityGrade::as_str),
        ),
    )?;
    Ok(())
}

/// The median of a column over the samples of a party, of which so many have a value: the one in
/// the middle of its index, or the mean of the two.
fn median(
    connection: &Connection,
    column: &str,
    sample: &QualitySample,
    count: i64,
) -> StoreResult<Option<f64>> {
    let sql = format!(
        "SELECT {column} FROM quality_samples
         WHERE call_id = ?1 AND user_id = ?2 AND {column} IS NOT NULL
         ORDER BY {column} LIMIT ?3 OFFSET ?4"
    );
    let in_the_middle = 2 - count % 2;
    let skip = (count - 1) / 2;
    let place = (
        sample.call.get().into_bytes(),
        sample.user.get(),
        in_the_middle,
        skip,
    );
    let values: Vec<f64> = all(connection, "reading a median", &sql, place, only)?;
    Ok(match values[..] {
        [one] => Some(one),
        [one, other] => Some((one + other) / 2.0),
        _ => None,
    })
}

/// The newest samples of a call, in the order of their time and id.
pub(super) fn samples(
    connection: &Connection,
    call: CallId,
    limit: u32,
) -> StoreResult<Vec<NamedSample>> {
    let parties = all(
        connection,
        "reading the parties of a call",
        "SELECT user_id FROM call_parties WHERE call_id = ?1",
        [call.get().as_bytes()],
        |columns| columns.make(UserId::from_row),
    )?;
    let sql = format!(
        "SELECT {}, users.full_name
         FROM quality_samples CROSS JOIN users ON users.id = quality_samples.user_id
         WHERE call_id = ?1 AND user_id = ?2
         ORDER BY at DESC, quality_samples.id DESC LIMIT ?3",
        rows::SAMPLE
    );
    let mut samples = Vec::new();
    for party in parties {
        let place = (call.get().into_bytes(), party.get(), limit);
        let action = "reading the samples of a party";
        samples.extend(all(connection, action, &sql, place, rows::named_sample)?);
    }
    samples.sort_unstable_by_key(|named| (named.sample.at, named.sample.id));
    let skip = samples.len().saturating_sub(limit as usize);
    Ok(samples.split_off(skip))
}

/// The quality of the caller and of the callee.
pub(super) fn of_call(
    connection: &Connection,
    call: CallId,
) -> StoreResult<Option<[PartyQuality; 2]>> {
    let sql = format!(
        "SELECT {} FROM calls {} WHERE calls.id = ?1",
        rows::QUALITY,
        rows::PARTIES
    );
    let action = "reading the quality of a call";
    let id = call.get();
    one(connection, action, &sql, [id.as_bytes()], rows::quality)
}
