//! Instants, local days and time zones.
//!
//! An instant is UTC with microseconds. A clinic carries an IANA time zone, from which the local
//! day of a slot is derived in core, once, when the slot is made or the zone changes.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// The last microsecond of the year 9998, so that adding a day never leaves the calendar.
const LATEST: i64 = 253_370_764_799_999_999;
/// The first microsecond of the year 1.
const EARLIEST: i64 = -62_135_596_800_000_000;

impl Timestamp {
    /// The instant at this many microseconds since the epoch, held to the years 1 to 9998.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros > LATEST {
            Self(LATEST)
        } else if micros < EARLIEST {
            Self(EARLIEST)
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: the unit of a token's claims (RFC 7519).
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(span))
    }

    /// This much earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(span))
    }

    /// How long it is from `earlier` to this; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar day of this instant in a zone.
    #[must_use]
    pub fn local_day(self, zone: &TimeZone) -> LocalDay {
        LocalDay(self.to_jiff().to_zoned(zone.0.clone()).date())
    }

    /// This instant by the wall clocks of a zone: RFC 3339 with the zone's offset, to the second.
    #[must_use]
    pub fn in_zone(self, zone: &TimeZone) -> String {
        self.to_jiff()
            .to_zoned(zone.0.clone())
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string()
    }

    fn to_jiff(self) -> jiff::Timestamp {
        // The constructors hold the value inside jiff's range.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// Reads a time as clients write it: RFC 3339 with `Z` or an offset, or a naive local time
    /// with or without seconds, which is taken in `zone`.
    ///
    /// # Errors
    /// [`TimeError::Malformed`] for anything else; [`TimeError::Missing`] or
    /// [`TimeError::Ambiguous`] for a local time that does not exist or exists twice in the zone.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, TimeError> {
        let text = text.trim();
        if text.len() > 64 || !text.contains(['T', 't', ' ']) {
            return Err(TimeError::Malformed);
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Self::within_calendar(instant);
        }
        if text.contains('[') {
            return Err(TimeError::Malformed);
        }
        let naive: jiff::civil::DateTime = text.parse().map_err(|_| TimeError::Malformed)?;
        Self::from_local(naive, zone)
    }

    /// An instant that somebody wrote: it is not moved into the calendar but refused outside.
    fn within_calendar(instant: jiff::Timestamp) -> Result<Self, TimeError> {
        let micros = instant.as_microsecond();
        // A year before the end, so that what is derived from it stays inside, too.
        if (EARLIEST..LATEST - 366 * 24 * 3_600_000_000).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimeError::Malformed)
        }
    }

    /// The instant of a wall-clock time in a zone.
    ///
    /// # Errors
    /// As [`Timestamp::parse`].
    pub fn from_local(local: jiff::civil::DateTime, zone: &TimeZone) -> Result<Self, TimeError> {
        use jiff::tz::AmbiguousOffset;
        let ambiguous = zone.0.to_ambiguous_timestamp(local);
        let candidates = |before: jiff::tz::Offset, after: jiff::tz::Offset| {
            let one = before
                .to_timestamp(local)
                .map_err(|_| TimeError::Malformed)?;
            let two = after
                .to_timestamp(local)
                .map_err(|_| TimeError::Malformed)?;
            Ok::<_, TimeError>([Self::within_calendar(one)?, Self::within_calendar(two)?])
        };
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset
                .to_timestamp(local)
                .map_err(|_| TimeError::Malformed)
                .and_then(Self::within_calendar),
            AmbiguousOffset::Gap { before, after } => {
                Err(TimeError::Missing(candidates(before, after)?))
            }
            AmbiguousOffset::Fold { before, after } => {
                Err(TimeError::Ambiguous(candidates(before, after)?))
            }
        }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with `Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

/// Why a text is not an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not a date and time of RFC 3339, with or without an offset.
    #[error("must be a date and time such as 2030-01-31T09:00:00Z")]
    Malformed,
    /// A local time that is skipped when clocks go forward; the instants it could stand for.
    #[error("this local time does not exist in the clinic's time zone; {} or {} was meant", .0[0], .0[1])]
    Missing([Timestamp; 2]),
    /// A local time that comes twice when clocks go back; the instants it could stand for.
    #[error("this local time exists twice in the clinic's time zone; {} or {} was meant", .0[0], .0[1])]
    Ambiguous([Timestamp; 2]),
}

/// A calendar day in some zone, or a date of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalDay(jiff::civil::Date);

impl LocalDay {
    /// Reads `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if shaped {
            text.parse().ok().map(Self)
        } else {
            None
        }
    }

    /// The day of a date in the calendar.
    #[must_use]
    pub const fn from_date(date: jiff::civil::Date) -> Self {
        Self(date)
    }

    /// The day's date in the calendar.
    #[must_use]
    pub fn date(self) -> jiff::civil::Date {
        self.0
    }
}

impl fmt::Display for LocalDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bundled database only: what a machine has under its own name for a zone must not change
/// what a stored name means.
static ZONES: LazyLock<jiff::tz::TimeZoneDatabase> =
    LazyLock::new(jiff::tz::TimeZoneDatabase::bundled);

/// An IANA time zone, such as `Africa/Cairo`.
#[derive(Clone, PartialEq, Eq)]
pub struct TimeZone(jiff::tz::TimeZone);

impl TimeZone {
    /// The zone of Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// The zone with this name in the IANA database, without regard to case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Self::utc());
        }
        ZONES.get(name).ok().map(Self)
    }

    /// The zone's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_utc_offset_and_naive_times() {
        let cairo = TimeZone::named("Africa/Cairo").unwrap();
        let utc = Timestamp::parse("2030-01-31T09:00:00Z", &cairo).unwrap();
        assert_eq!(
            utc,
            Timestamp::parse("2030-01-31T11:00:00+02:00", &cairo).unwrap()
        );
        assert_eq!(utc, Timestamp::parse("2030-01-31T11:00", &cairo).unwrap());
        assert_eq!(
            utc,
            Timestamp::parse("2030-01-31 11:00:00", &cairo).unwrap()
        );
        assert_eq!(utc.to_string(), "2030-01-31T09:00:00Z");
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        let utc = TimeZone::utc();
        for text in [
            "",
            "2030-01-31",
            "tomorrow",
            "2030-13-01T00:00:00Z",
            "2030-01-31T25:00:00Z",
            "9999-06-01T00:00:00Z",
            "9998-12-31T23:50:00Z",
            "T",
        ] {
            assert_eq!(
                Timestamp::parse(text, &utc),
                Err(TimeError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn names_both_candidates_of_a_skipped_or_doubled_hour() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let Err(TimeError::Missing(both)) = Timestamp::parse("2030-03-31T02:30:00", &berlin) else {
            panic!("the hour is skipped")
        };
        assert_eq!(
            both.map(|at| at.to_string()),
            ["2030-03-31T01:30:00Z", "2030-03-31T00:30:00Z"]
        );
        assert!(matches!(
            Timestamp::parse("2030-10-27T02:30:00", &berlin),
            Err(TimeError::Ambiguous(_))
        ));
    }

    #[test]
    fn the_local_day_follows_the_zone() {
        let at = Timestamp::parse("2030-01-31T23:30:00Z", &TimeZone::utc()).unwrap();
        assert_eq!(at.local_day(&TimeZone::utc()).to_string(), "2030-01-31");
        assert_eq!(
            at.local_day(&TimeZone::named("Asia/Tokyo").unwrap())
                .to_string(),
            "2030-02-01"
        );
    }

    #[test]
    fn the_far_ends_of_time_do_not_panic() {
        for micros in [i64::MIN, i64::MAX, 0] {
            let at = Timestamp::from_micros(micros);
            let _ = at.plus(Duration::MAX).local_day(&TimeZone::utc());
            let _ = at.minus(Duration::MAX).to_string();
        }
    }

    #[test]
    fn days_have_one_spelling() {
        assert!(LocalDay::parse("2030-02-28").is_some());
        for text in [
            "2030-2-28",
            "2030-02-30",
            "20300228",
            "2030-02-28T00:00",
            "+002030-02-28",
        ] {
            assert!(LocalDay::parse(text).is_none(), "{text}");
        }
    }
}
