//! Samples of a call's quality, and what they come to.

use telemed_core::calls::{
    AddSampleOutcome, NamedSample, PartyQuality, QualityGrade, QualitySample,
};
use telemed_core::id::CallId;
use telemed_core::identity::FullName;
use telemed_core::store::{StoreError, StoreResult};

use super::rows;
use crate::connection::Connection;
use crate::rows::there;
use crate::statement::{all, single};

/// Adds a sample: one call of the schema's function.
pub(super) async fn add(
    connection: &mut Connection,
    sample: &QualitySample,
) -> StoreResult<AddSampleOutcome> {
    let measured = &sample.measured;
    let size = measured.video_resolution;
    let sql = format!(
        "SELECT answer.outcome, {}
         FROM add_quality_sample($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             AS answer LEFT JOIN LATERAL (SELECT (answer.met).*) AS samples ON true",
        rows::SAMPLE
    );
    let (outcome, met): (String, _) = single(
        connection,
        "adding a sample",
        &sql,
        (
            sample.id.get(),
            sample.call.get(),
            sample.user.get(),
            sample.at.micros(),
            measured.round_trip,
            measured.loss,
            measured.jitter,
            measured.audio_bitrate,
            measured.video_bitrate,
            size.map(|size| vec![i32::from(size.width), i32::from(size.height)]),
            measured.video_framerate,
            measured.processor,
            measured.memory,
            measured.audio.map(QualityGrade::as_str),
            measured.video.map(QualityGrade::as_str),
        ),
        |columns| Ok((columns.next()?, rows::maybe_sample(columns)?)),
    )
    .await?;
    Ok(match outcome.as_str() {
        "not_found" => AddSampleOutcome::NotFound,
        "repeated" => AddSampleOutcome::Repeated(there(met)?),
        "added" => AddSampleOutcome::Added { before: met },
        _ => return Err(StoreError::corrupt("adding a sample: an unknown outcome")),
    })
}

/// The newest samples of a call, in the order of their time and id.
pub(super) async fn samples(
    connection: &mut Connection,
    call: CallId,
    limit: u32,
) -> StoreResult<Vec<NamedSample>> {
    let sql = format!(
        "SELECT {}, users.full_name
         FROM (SELECT * FROM quality_samples WHERE call_id = $1
               ORDER BY at DESC, id DESC LIMIT $2) AS samples
         JOIN users ON users.id = samples.user_id
         ORDER BY samples.at, samples.id",
        rows::SAMPLE
    );
    all(
        connection,
        "reading samples",
        &sql,
        (call.get(), i64::from(limit)),
        |columns| {
            Ok(NamedSample {
                sample: rows::sample(columns)?,
                name: columns.make(FullName::from_row)?,
            })
        },
    )
    .await
}

/// The quality of the caller and of the callee.
pub(super) async fn of_call(
    connection: &mut Connection,
    call: CallId,
) -> StoreResult<Option<[PartyQuality; 2]>> {
    let sql = format!(
        "SELECT {} FROM call_parties AS place WHERE place.call_id = $1
         ORDER BY place.side = 'incoming'",
        rows::QUALITY
    );
    let action = "reading the quality of a call";
    let parties = all(connection, action, &sql, (call.get(),), rows::quality).await?;
    if parties.is_empty() {
        return Ok(None);
    }
    <[PartyQuality; 2]>::try_from(parties)
        .map(Some)
        .map_err(|_| StoreError::corrupt("reading the quality of a call: it has not two parties"))
}
