//! Times as clients write them.

use std::time::Duration;

use telemed_core::Engine;
use telemed_core::actor::Actor;
use telemed_core::error::{Code, Error};
use telemed_core::id::{ClinicId, UserId};
use telemed_core::time::{LocalDay, TimeError, TimeZone, Timestamp};
use telemed_core::value::Checks;

/// Reads an instant, and notes what is not one. A naive time is taken in the zone.
///
/// # Errors
/// A broken rule for a local time that does not exist or exists twice in the zone.
pub(crate) fn instant(
    checks: &mut Checks,
    field: &'static str,
    text: &str,
    zone: &TimeZone,
) -> Result<Option<Timestamp>, Error> {
    match Timestamp::parse(text, zone) {
        Ok(instant) => Ok(Some(instant)),
        Err(error @ TimeError::Malformed) => {
            checks.note(field, error.to_string());
            Ok(None)
        }
        Err(error @ (TimeError::Missing(_) | TimeError::Ambiguous(_))) => {
            Err(Error::broken_rule(field, error.to_string()))
        }
    }
}

/// Which end of a day a date without a time stands for.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Start,
    Close,
}

/// A time in a query: as [`instant`] reads it, or a date, which is the whole day.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Time(String),
    FirstOf(LocalDay),
    LastOf(LocalDay),
}

impl Bound {
    pub(crate) fn new(text: &str, end: End) -> Self {
        let text = text.trim();
        match (LocalDay::parse(text), end) {
            (Some(day), End::Start) => Self::FirstOf(day),
            (Some(day), End::Close) => Self::LastOf(day),
            // A plus sign that was not escaped arrives as a space.
            (None, _) if text.contains(['T', 't']) => Self::Time(text.replacen(' ', "+", 1)),
            (None, _) => Self::Time(text.to_owned()),
        }
    }

    /// Whether it says nothing about its zone.
    pub(crate) fn is_naive(&self) -> bool {
        match self {
            Self::Time(text) => is_naive(text),
            Self::FirstOf(_) | Self::LastOf(_) => true,
        }
    }

    /// The instant in the zone, as [`instant`] answers it. A day always has its ends, whatever
    /// its clocks do.
    ///
    /// # Errors
    /// As [`instant`], for a time only.
    pub(crate) fn instant(
        &self,
        checks: &mut Checks,
        field: &'static str,
        zone: &TimeZone,
    ) -> Result<Option<Timestamp>, Error> {
        let day_end = match self {
            Self::Time(text) => return instant(checks, field, text, zone),
            Self::FirstOf(day) => first_instant(*day, zone),
            Self::LastOf(day) => last_instant(*day, zone),
        };
        if day_end.is_none() {
            checks.note(field, TimeError::Malformed.to_string());
        }
        Ok(day_end)
    }
}

/// The first instant of a day; `None` outside of the calendar.
fn first_instant(day: LocalDay, zone: &TimeZone) -> Option<Timestamp> {
    match Timestamp::parse(&format!("{day}T00:00:00"), zone) {
        Ok(first) | Err(TimeError::Ambiguous([first, _])) => Some(first),
        Err(TimeError::Missing([after, before])) => {
            Some(first_where(before, after, |at| at.local_day(zone) >= day))
        }
        Err(TimeError::Malformed) => None,
    }
}

/// The last instant of a day; `None` outside of the calendar.
fn last_instant(day: LocalDay, zone: &TimeZone) -> Option<Timestamp> {
    match Timestamp::parse(&format!("{day}T23:59:59.999999"), zone) {
        Ok(last) | Err(TimeError::Ambiguous([_, last])) => Some(last),
        Err(TimeError::Missing([after, before])) => {
            let next = first_where(before, after, |at| at.local_day(zone) > day);
            Some(next.minus(Duration::from_micros(1)))
        }
        Err(TimeError::Malformed) => None,
    }
}

/// The first instant between two where something holds that holds from then on: clocks jump over
/// a local time at one instant between the two that the time could stand for.
fn first_where(
    before: Timestamp,
    after: Timestamp,
    holds: impl Fn(Timestamp) -> bool,
) -> Timestamp {
    let (mut before, mut after) = (before.micros(), after.micros());
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if holds(Timestamp::from_micros(middle)) {
            after = middle;
        } else {
            before = middle;
        }
    }
    Timestamp::from_micros(after)
}

/// Whether a text says nothing about its zone.
fn is_naive(text: &str) -> bool {
    let time = text
        .split_once(['T', 't', ' '])
        .map_or("", |(_, time)| time);
    !time.contains(['Z', 'z', '+', '-'])
}

/// The zone of a clinic; UTC if there is no such clinic, which the operation refuses by itself.
///
/// # Errors
/// When the store fails.
pub(crate) async fn zone_of_clinic(
    engine: &Engine,
    actor: &Actor,
    clinic: ClinicId,
) -> Result<TimeZone, Error> {
    match engine.directory().clinic(actor, clinic).await {
        Ok(clinic) => Ok(clinic.details.time_zone),
        Err(error) if error.code == Code::NotFound => Ok(TimeZone::utc()),
        Err(error) => Err(error),
    }
}

/// The zone of a doctor's clinic; UTC if there is no such doctor.
///
/// # Errors
/// When the store fails.
pub(crate) async fn zone_of_doctor(
    engine: &Engine,
    actor: &Actor,
    doctor: UserId,
) -> Result<TimeZone, Error> {
    match engine.directory().doctor(actor, doctor).await {
        Ok(doctor) => zone_of_clinic(engine, actor, doctor.details.clinic).await,
        Err(error) if error.code == Code::NotFound => Ok(TimeZone::utc()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_stays_a_time() {
        for (text, expected) in [
            ("2030-03-01T10:00:00 02:00", "2030-03-01T10:00:00+02:00"),
            ("2030-03-01 10:00", "2030-03-01 10:00"),
        ] {
            assert_eq!(Bound::new(text, End::Start), Bound::Time(expected.into()));
        }
    }

    #[test]
    fn a_date_is_a_whole_day_whatever_its_clocks_do() {
        for (zone, day, first, last) in [
            (
                "UTC",
                "2030-03-01",
                "2030-03-01T00:00:00Z",
                "2030-03-01T23:59:59.999999Z",
            ),
            // Clocks go from 00:00 to 01:00, and from 24:00 to 23:00.
            (
                "Africa/Cairo",
                "2027-04-29",
                "2027-04-28T22:00:00Z",
                "2027-04-29T21:59:59.999999Z",
            ),
            (
                "Africa/Cairo",
                "2027-04-30",
                "2027-04-29T22:00:00Z",
                "2027-04-30T20:59:59.999999Z",
            ),
            (
                "Africa/Cairo",
                "2027-10-28",
                "2027-10-27T21:00:00Z",
                "2027-10-28T21:59:59.999999Z",
            ),
            (
                "Africa/Cairo",
                "2027-10-29",
                "2027-10-28T22:00:00Z",
                "2027-10-29T21:59:59.999999Z",
            ),
            // From 23:00 to 24:00, and from 24:00 to 23:00.
            (
                "America/Nuuk",
                "2027-03-27",
                "2027-03-27T02:00:00Z",
                "2027-03-28T00:59:59.999999Z",
            ),
            (
                "America/Nuuk",
                "2027-03-28",
                "2027-03-28T01:00:00Z",
                "2027-03-29T00:59:59.999999Z",
            ),
            // From 01:00 to 00:00.
            (
                "America/Havana",
                "2027-11-07",
                "2027-11-07T04:00:00Z",
                "2027-11-08T04:59:59.999999Z",
            ),
            // From 23:30 to 00:30.
            (
                "America/Toronto",
                "1919-03-30",
                "1919-03-30T05:00:00Z",
                "1919-03-31T04:29:59.999999Z",
            ),
            (
                "America/Toronto",
                "1919-03-31",
                "1919-03-31T04:30:00Z",
                "1919-04-01T03:59:59.999999Z",
            ),
        ] {
            let zone = TimeZone::named(zone).unwrap();
            let mut checks = Checks::new();
            let mut at = |end| {
                let bound = Bound::new(day, end);
                assert!(bound.is_naive());
                let found = bound.instant(&mut checks, "day", &zone);
                found.unwrap().unwrap().to_string()
            };
            assert_eq!(
                (at(End::Start), at(End::Close)),
                (first.into(), last.into()),
                "{day}"
            );
        }
    }

    #[test]
    fn a_day_that_was_left_out_holds_nothing() {
        let apia = TimeZone::named("Pacific/Apia").unwrap();
        let day = LocalDay::parse("2011-12-30").unwrap();
        let first = first_instant(day, &apia).unwrap();
        assert_eq!(first.to_string(), "2011-12-30T10:00:00Z");
        assert!(last_instant(day, &apia).unwrap() < first);
    }

    #[test]
    fn zones_are_seen() {
        for text in ["2030-03-01T10:00", "2030-03-01 10:00:00", "2030-03-01"] {
            assert!(is_naive(text), "{text}");
        }
        for text in [
            "2030-03-01T10:00Z",
            "2030-03-01t10:00z",
            "2030-03-01 10:00+02:00",
            "2030-03-01T10:00-05:00",
        ] {
            assert!(!is_naive(text), "{text}");
        }
    }
}
