//! A sample of a call's quality as clients send it: as a body, and as an event of a socket.

use serde::Deserialize;
use telemed_core::calls::{Measured, QualityGrade, Resolution};
use telemed_core::error::Error;
use telemed_core::value::Checks;
use utoipa::ToSchema;

use crate::extract::unless_blank;

/// The numbers that are believed of a field, from 0 on, and what is said of others.
type Believed = (f64, &'static str);

const MILLISECONDS: Believed = (600_000.0, "must be from 0 to 600000");
const PERCENT: Believed = (100.0, "must be from 0 to 100");
const KILOBITS: Believed = (10_000_000.0, "must be from 0 to 10000000");
const PICTURES: Believed = (1000.0, "must be from 0 to 1000");
const MEGABYTES: Believed = (100_000_000.0, "must be from 0 to 100000000");

/// What a party of a call has measured. All of it may be absent.
#[derive(Deserialize, ToSchema)]
pub(crate) struct MeasuredBody {
    /// The round trip in milliseconds.
    #[schema(minimum = 0, maximum = 600_000, example = 45)]
    rtt: Option<f64>,
    /// The share of packets that were lost, in percent.
    #[schema(minimum = 0, maximum = 100, example = 0.2)]
    packet_loss: Option<f64>,
    /// The jitter in milliseconds.
    #[schema(minimum = 0, maximum = 600_000, example = 8)]
    jitter: Option<f64>,
    /// Kilobits of sound a second.
    #[schema(minimum = 0, maximum = 10_000_000, example = 128)]
    audio_bitrate: Option<f64>,
    /// Kilobits of the picture a second.
    #[schema(minimum = 0, maximum = 10_000_000, example = 2500)]
    video_bitrate: Option<f64>,
    /// The size of the picture.
    #[schema(pattern = "^[0-9]+x[0-9]+$", example = "1280x720")]
    video_resolution: Option<String>,
    /// Pictures a second.
    #[schema(minimum = 0, maximum = 1000, example = 30)]
    video_framerate: Option<f64>,
    /// The share of the processor that is used, in percent.
    #[schema(minimum = 0, maximum = 100, example = 25.5)]
    cpu_usage: Option<f64>,
    /// Megabytes of memory that are used.
    #[schema(minimum = 0, maximum = 100_000_000, example = 512)]
    memory_usage: Option<f64>,
    /// `excellent`, `good`, `fair` or `poor`; computed if it is absent.
    #[schema(example = "good")]
    audio_quality: Option<String>,
    /// The same for the picture.
    #[schema(example = "excellent")]
    video_quality: Option<String>,
}

impl MeasuredBody {
    /// What was measured.
    ///
    /// # Errors
    /// A wrong shape that names every field that is one.
    pub(crate) fn read(self) -> Result<Measured, Error> {
        let mut checks = Checks::new();
        let mut number = |field, value, (most, wrong): Believed| {
            checks.optional(field, value, |value| {
                let is_believed = (0.0..=most).contains(&value);
                is_believed.then_some(value).ok_or_else(|| wrong.into())
            })
        };
        let measured = Measured {
            round_trip: number("rtt", self.rtt, MILLISECONDS),
            loss: number("packet_loss", self.packet_loss, PERCENT),
            jitter: number("jitter", self.jitter, MILLISECONDS),
            audio_bitrate: number("audio_bitrate", self.audio_bitrate, KILOBITS),
            video_bitrate: number("video_bitrate", self.video_bitrate, KILOBITS),
            video_framerate: number("video_framerate", self.video_framerate, PICTURES),
            processor: number("cpu_usage", self.cpu_usage, PERCENT),
            memory: number("memory_usage", self.memory_usage, MEGABYTES),
            ..Measured::default()
        };
        let size = unless_blank(self.video_resolution);
        let size = checks.optional("video_resolution", size, |text| Resolution::parse(&text));
        let audio = unless_blank(self.audio_quality);
        let audio = checks.optional("audio_quality", audio, QualityGrade::parse);
        let video = unless_blank(self.video_quality);
        let video = checks.optional("video_quality", video, QualityGrade::parse);
        checks.finish(Some(Measured {
            video_resolution: size,
            audio,
            video,
            ..measured
        }))
    }
}
