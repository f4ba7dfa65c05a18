//! The quality of a call, as its parties measure it.

use crate::id::{CallId, SampleId, UserId};
use crate::identity::FullName;
use crate::time::Timestamp;
use crate::value::{ValueError, words};

words! {
    /// How good a connection is, the best first.
    QualityGrade {
        /// One hears and sees as if in one room.
        Excellent = "excellent",
        /// Hardly anything is missing.
        Good = "good",
        /// One has to listen closely.
        Fair = "fair",
        /// One can hardly talk.
        Poor = "poor",
    }
}

words! {
    /// What a client may do about a bad connection.
    QualityHint {
        /// Send less of the picture, or none for now.
        DropVideo = "drop_video",
        /// Send sound alone.
        AudioOnly = "audio_only",
        /// Go on in writing.
        Text = "text",
    }
}

impl QualityGrade {
    /// The grade of a round trip in milliseconds and a loss in percent: excellent below 100 and
    /// 1, good below 200 and 3, fair below 400 and 8, else poor. What was not measured does not
    /// count; none when nothing was.
    #[must_use]
    pub fn of(round_trip: Option<f64>, loss: Option<f64>) -> Option<Self> {
        let by = |value: Option<f64>, bounds: [f64; 3]| {
            value.map(|value| {
                let at = bounds.iter().position(|bound| value < *bound);
                at.and_then(|at| Self::ALL.get(at))
                    .copied()
                    .unwrap_or(Self::Poor)
            })
        };
        let by_round_trip = by(round_trip, [100.0, 200.0, 400.0]);
        let by_loss = by(loss, [1.0, 3.0, 8.0]);
        // The worse of the two; what was not measured is less than any.
        by_round_trip.max(by_loss)
    }

    /// What a client may do at this grade, in a call with a picture or without.
    #[must_use]
    pub const fn hint(self, has_video: bool) -> Option<QualityHint> {
        match self {
            Self::Excellent | Self::Good => None,
            Self::Fair if has_video => Some(QualityHint::DropVideo),
            Self::Fair => None,
            Self::Poor if has_video => Some(QualityHint::AudioOnly),
            Self::Poor => Some(QualityHint::Text),
        }
    }
}

/// Width and height of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Pixels from left to right.
    pub width: u16,
    /// Pixels from top to bottom.
    pub height: u16,
}

impl Resolution {
    /// Reads `1280x720`.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let side = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|number| *number > 0);
            number.filter(|_| is_number)
        };
        text.split_once('x')
            .and_then(|(width, height)| {
                Some(Self {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| "must be WIDTHxHEIGHT, such as 1280x720".into())
    }
}

impl std::fmt::Display for Resolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// What a party has measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The round trip in milliseconds.
    pub round_trip: Option<f64>,
    /// The share of packets that were lost, in percent.
    pub loss: Option<f64>,
    /// The jitter in milliseconds.
    pub jitter: Option<f64>,
    /// Kilobits of sound a second.
    pub audio_bitrate: Option<f64>,
    /// Kilobits of the picture a second.
    pub video_bitrate: Option<f64>,
    /// The size of the picture.
    pub video_resolution: Option<Resolution>,
    /// Pictures a second.
    pub video_framerate: Option<f64>,
    /// The share of the processor that is used, in percent.
    pub processor: Option<f64>,
    /// Megabytes of memory that are used.
    pub memory: Option<f64>,
    /// How the client grades the sound.
    pub audio: Option<QualityGrade>,
    /// How the client grades the picture.
    pub video: Option<QualityGrade>,
}

/// A sample of a call's quality.
#[derive(Clone, Debug, PartialEq)]
pub struct QualitySample {
    /// The id.
    pub id: SampleId,
    /// The call.
    pub call: CallId,
    /// The party that has measured.
    pub user: UserId,
    /// When it came in.
    pub at: Timestamp,
    /// What was measured; the grades are there.
    pub measured: Measured,
}

/// A sample with the name of the party that has measured.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedSample {
    /// The sample.
    pub sample: QualitySample,
    /// The name.
    pub name: FullName,
}

/// What the samples of one party come to.
#[derive(Clone, Debug, PartialEq)]
pub struct PartyQuality {
    /// The party.
    pub user: UserId,
    /// How many samples there are.
    pub samples: u64,
    /// The median of the round trips, in milliseconds.
    pub round_trip: Option<f64>,
    /// The median of the losses, in percent.
    pub loss: Option<f64>,
    /// The grade of the sound in the newest sample.
    pub audio: Option<QualityGrade>,
}

impl PartyQuality {
    /// A party without samples.
    #[must_use]
    pub const fn none(user: UserId) -> Self {
        Self {
            user,
            samples: 0,
            round_trip: None,
            loss: None,
            audio: None,
        }
    }

    /// The grade of the medians.
    #[must_use]
    pub fn grade(&self) -> Option<QualityGrade> {
        QualityGrade::of(self.round_trip, self.loss)
    }
}

/// A figure as JSON has it: a whole one without a fraction.
#[must_use]
pub fn figure(value: f64) -> serde_json::Value {
    /// Below this every whole number is itself.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a whole number that was checked to fit"
        )]
        return (value as i64).into();
    }
    value.into()
}

/// The grade of a call: that of the worse party.
#[must_use]
pub fn assessment(parties: &[PartyQuality]) -> Option<QualityGrade> {
    parties.iter().filter_map(PartyQuality::grade).max()
}

#[cfg(test)]
mod tests {
    use super::QualityGrade::{Excellent, Fair, Good, Poor};
    use super::*;

    #[test]
    fn a_grade_is_the_worse_of_what_was_measured() {
        let of = |round_trip, loss| QualityGrade::of(Some(round_trip), Some(loss));
        assert_eq!(of(99.9, 0.9), Some(Excellent));
        assert_eq!(of(100.0, 0.0), Some(Good));
        assert_eq!(of(10.0, 1.0), Some(Good));
        assert_eq!(of(199.0, 2.9), Some(Good));
        assert_eq!(of(200.0, 0.0), Some(Fair));
        assert_eq!(of(399.0, 7.9), Some(Fair));
        assert_eq!(of(10.0, 8.0), Some(Poor));
        assert_eq!(of(400.0, 0.0), Some(Poor));
        assert_eq!(QualityGrade::of(None, Some(0.2)), Some(Excellent));
        assert_eq!(QualityGrade::of(Some(250.0), None), Some(Fair));
        assert_eq!(QualityGrade::of(None, None), None);
    }

    #[test]
    fn a_call_is_as_good_as_its_worse_party() {
        let party = |round_trip| PartyQuality {
            round_trip: Some(round_trip),
            samples: 1,
            ..PartyQuality::none(UserId::from_row(1))
        };
        assert_eq!(assessment(&[party(10.0), party(300.0)]), Some(Fair));
        let silent = PartyQuality::none(UserId::from_row(2));
        assert_eq!(assessment(&[party(10.0), silent.clone()]), Some(Excellent));
        assert_eq!(assessment(&[silent]), None);
    }

    #[test]
    fn whole_figures_stay_whole() {
        for (value, text) in [
            (45.0, "45"),
            (0.0, "0"),
            (-0.0, "0"),
            (0.2, "0.2"),
            (1e15, "1000000000000000"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(figure(value).to_string(), text);
        }
    }

    #[test]
    fn a_resolution_is_two_numbers() {
        assert_eq!(
            Resolution::parse("1280x720").map(|size| size.to_string()),
            Ok("1280x720".to_owned())
        );
        for wrong in [
            "", "x", "1280", "0x1", "1280x", "+1x2", "70000x1", "1x2x3", " 1x2",
        ] {
            assert!(Resolution::parse(wrong).is_err(), "{wrong}");
        }
    }
}
