//! The quality of a call, as its parties measure it.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use telemed_core::calls::{
    CallReference, Measured, NamedSample, QualityGrade, QualitySample, Resolution,
};
use telemed_core::error::Error;
use telemed_core::limits::LimitName;
use telemed_core::value::Checks;
use utoipa::ToSchema;

use super::cards::measured as shown;
use super::words::within;
use crate::auth::Caller;
use crate::extract::{Figure, Json, Order, PathId, unless_blank};
use crate::platform::Platform;
use crate::platform::envelope::Success;
use crate::platform::reply::{Answer, Done, Refusals, Reply};

/// Ten minutes, in milliseconds: longer no answer is waited for.
const MOST_MILLISECONDS: u32 = 600_000;
/// Ten gigabits a second, in kilobits.
const MOST_KILOBITS: u32 = 10_000_000;
const MOST_PICTURES: u32 = 1000;
/// A terabyte, in megabytes.
const MOST_MEGABYTES: u32 = 1_000_000;

/// What a party has measured: any of these.
#[derive(Deserialize, ToSchema)]
pub(crate) struct QualityBody {
    /// The round trip in milliseconds.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 600_000)]
    rtt: Option<Figure>,
    /// The share of packets that were lost, in percent.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100)]
    packet_loss: Option<Figure>,
    /// The jitter in milliseconds.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 600_000)]
    jitter: Option<Figure>,
    /// Kilobits of sound a second.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 10_000_000)]
    audio_bitrate: Option<Figure>,
    /// Kilobits of the picture a second.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 10_000_000)]
    video_bitrate: Option<Figure>,
    /// Width and height of the picture.
    #[schema(pattern = "^[0-9]+x[0-9]+$", example = "1280x720")]
    video_resolution: Option<String>,
    /// Pictures a second.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1000)]
    video_framerate: Option<Figure>,
    /// The share of the processor that is used, in percent.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100)]
    cpu_usage: Option<Figure>,
    /// Megabytes of memory that are used.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1_000_000)]
    memory_usage: Option<Figure>,
    /// How the client grades the sound; computed if absent.
    #[schema(pattern = "^(excellent|good|fair|poor)$")]
    audio_quality: Option<String>,
    /// How the client grades the picture; computed if absent.
    #[schema(pattern = "^(excellent|good|fair|poor)$")]
    video_quality: Option<String>,
}

impl QualityBody {
    /// # Errors
    /// A wrong shape that names the fields; `rtt` where nothing was measured.
    pub(crate) fn measured(self) -> Result<Measured, Error> {
        let mut checks = Checks::new();
        let mut figure = |field, figure: Option<Figure>, most| {
            checks.optional(field, figure, |figure| within(figure, most))
        };
        let round_trip = figure("rtt", self.rtt, MOST_MILLISECONDS);
        let loss = figure("packet_loss", self.packet_loss, 100);
        let jitter = figure("jitter", self.jitter, MOST_MILLISECONDS);
        let audio_bitrate = figure("audio_bitrate", self.audio_bitrate, MOST_KILOBITS);
        let video_bitrate = figure("video_bitrate", self.video_bitrate, MOST_KILOBITS);
        let video_framerate = figure("video_framerate", self.video_framerate, MOST_PICTURES);
        let processor = figure("cpu_usage", self.cpu_usage, 100);
        let memory = figure("memory_usage", self.memory_usage, MOST_MEGABYTES);
        let size = unless_blank(self.video_resolution);
        let video_resolution =
            checks.optional("video_resolution", size, |size| Resolution::parse(&size));
        let audio = unless_blank(self.audio_quality);
        let audio = checks.optional("audio_quality", audio, QualityGrade::parse);
        let video = unless_blank(self.video_quality);
        let video = checks.optional("video_quality", video, QualityGrade::parse);
        let measured = checks.finish(Some(Measured {
            round_trip,
            loss,
            jitter,
            audio_bitrate,
            video_bitrate,
            video_resolution,
            video_framerate,
            processor,
            memory,
            audio,
            video,
        }))?;
        if measured == Measured::default() {
            return Err(Error::broken_rule("rtt", "or another figure is required"));
        }
        Ok(measured)
    }
}

/// A sample that was taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecordedLine {
    /// The sample.
    #[schema(format = "uuid")]
    metric_id: String,
    /// The call.
    #[schema(format = "uuid")]
    call_id: String,
    /// Who has measured.
    user_id: i64,
    /// The round trip in milliseconds.
    #[schema(value_type = Option<f64>)]
    rtt: Value,
    /// The share of packets that were lost, in percent.
    #[schema(value_type = Option<f64>)]
    packet_loss: Value,
    /// `excellent`, `good`, `fair` or `poor`.
    #[schema(value_type = Option<String>, example = "good")]
    audio_quality: Option<&'static str>,
    /// `excellent`, `good`, `fair` or `poor`; none in a call without a picture.
    #[schema(value_type = Option<String>, example = "good")]
    video_quality: Option<&'static str>,
    /// When it came in.
    #[schema(format = DateTime)]
    timestamp: String,
}

impl From<QualitySample> for RecordedLine {
    fn from(sample: QualitySample) -> Self {
        Self {
            metric_id: sample.id.to_string(),
            call_id: sample.call.to_string(),
            user_id: sample.user.get(),
            rtt: shown(sample.measured.round_trip),
            packet_loss: shown(sample.measured.loss),
            audio_quality: sample.measured.audio.map(QualityGrade::as_str),
            video_quality: sample.measured.video.map(QualityGrade::as_str),
            timestamp: sample.at.to_string(),
        }
    }
}

/// Takes a sample of the own connection in a call: one a second for each party.
#[utoipa::path(post, path = "/api/calls/{call_id}/quality-metrics", tag = "calls",
    operation_id = "record_quality",
    request_body = QualityBody,
    params(("call_id" = String, Path, description = "The call, or the id that the own client gave it"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Makes a repetition take effect once")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "The sample", body = Success<RecordedLine>),
        (status = 409, description = "The call was never answered; `details` has `call_id` and `status`: CONFLICT", body = crate::platform::envelope::Failure),
        Refusals))]
pub(super) async fn record(
    State(state): State<Platform>,
    reply: Reply,
    order: Order<CallReference>,
    Json(body): Json<QualityBody>,
) -> Answer {
    let measured = body.measured()?;
    let calls = state.engine.calls().keyed(order.key);
    // By its id: a call that goes by two names is counted once.
    let call = calls.own_call(&order.actor, &order.id).await?.id;
    let limits = state.shared.limits();
    let now = state.engine.now();
    limits
        .spend_on(LimitName::Quality, &order.actor, call, now)
        .await?;
    let call = CallReference::from(call);
    let sample = calls.record_quality(&order.actor, &call, measured).await?;
    Ok(reply.ok(Done::QualityRecorded, RecordedLine::from(sample)))
}

/// A sample, as the parties read it.
#[derive(Serialize, ToSchema)]
pub(super) struct SampleLine {
    /// The sample.
    #[schema(format = "uuid")]
    metric_id: String,
    /// Who has measured.
    user_id: i64,
    /// The name.
    user_name: String,
    /// The round trip in milliseconds.
    #[schema(value_type = Option<f64>)]
    rtt: Value,
    /// The share of packets that were lost, in percent.
    #[schema(value_type = Option<f64>)]
    packet_loss: Value,
    /// The jitter in milliseconds.
    #[schema(value_type = Option<f64>)]
    jitter: Value,
    /// Kilobits of sound a second.
    #[schema(value_type = Option<f64>)]
    audio_bitrate: Value,
    /// Kilobits of the picture a second.
    #[schema(value_type = Option<f64>)]
    video_bitrate: Value,
    /// Width and height of the picture.
    #[schema(example = "1280x720")]
    video_resolution: Option<String>,
    /// Pictures a second.
    #[schema(value_type = Option<f64>)]
    video_framerate: Value,
    /// The share of the processor that was used, in percent.
    #[schema(value_type = Option<f64>)]
    cpu_usage: Value,
    /// Megabytes of memory that were used.
    #[schema(value_type = Option<f64>)]
    memory_usage: Value,
    /// `excellent`, `good`, `fair` or `poor`.
    #[schema(value_type = Option<String>, example = "good")]
    audio_quality: Option<&'static str>,
    /// `excellent`, `good`, `fair` or `poor`; none in a call without a picture.
    #[schema(value_type = Option<String>, example = "good")]
    video_quality: Option<&'static str>,
    /// When it came in.
    #[schema(format = DateTime)]
    timestamp: String,
}

impl From<NamedSample> for SampleLine {
    fn from(named: NamedSample) -> Self {
        let NamedSample { sample, name } = named;
        let measured = sample.measured;
        Self {
            metric_id: sample.id.to_string(),
            user_id: sample.user.get(),
            user_name: name.as_str().to_owned(),
            rtt: shown(measured.round_trip),
            packet_loss: shown(measured.loss),
            jitter: shown(measured.jitter),
            audio_bitrate: shown(measured.audio_bitrate),
            video_bitrate: shown(measured.video_bitrate),
            video_resolution: measured.video_resolution.map(|size| size.to_string()),
            video_framerate: shown(measured.video_framerate),
            cpu_usage: shown(measured.processor),
            memory_usage: shown(measured.memory),
            audio_quality: measured.audio.map(QualityGrade::as_str),
            video_quality: measured.video.map(QualityGrade::as_str),
            timestamp: sample.at.to_string(),
        }
    }
}

/// The samples of a call, oldest first: for its parties and for administrators.
#[utoipa::path(get, path = "/api/calls/{call_id}/quality-metrics", tag = "calls",
    operation_id = "list_quality",
    params(("call_id" = String, Path, description = "The call, or the id that the own client gave it")),
    security(("bearer" = []), ("cookie" = [])),
    responses((status = 200, description = "Samples", body = Success<Vec<SampleLine>>), Refusals))]
pub(super) async fn list(
    State(state): State<Platform>,
    Caller(actor): Caller,
    reply: Reply,
    PathId(call): PathId<CallReference>,
) -> Answer {
    let calls = state.engine.calls();
    let samples = calls.quality_samples(&actor, &call).await?;
    let data: Vec<_> = samples.into_iter().map(SampleLine::from).collect();
    Ok(reply.ok(Done::Quality, data))
}
