//! A doctor's weekly hours.

use std::time::Duration;

use jiff::civil::Weekday;

use crate::id::UserId;
use crate::scheduling::{Capacity, SlotDuration, SlotFacts};
use crate::time::{LocalDay, TimeZone, Timestamp};
use crate::value::ValueError;

/// How many days ahead slots are published.
pub const DAYS_AHEAD: u32 = 60;

/// A wall-clock time of a day, in minutes: 00:00 to 24:00, where 24:00 is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime(u16);

impl LocalTime {
    /// Reads `HH:MM`.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        const WRONG: &str = "must be a time such as 09:30, from 00:00 to 24:00";
        let wrong = || ValueError::from(WRONG);
        let text = text.trim();
        // Seconds are accepted where they say nothing.
        let text = text
            .strip_suffix(":00")
            .filter(|rest| rest.contains(':'))
            .unwrap_or(text);
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let number = |part: &str| {
            let digits = part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .then(|| part.parse::<u16>().ok())
                .flatten()
                .ok_or_else(wrong)
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        if minutes > 59 || hours > 24 || (hours == 24 && minutes > 0) {
            return Err(wrong());
        }
        Ok(Self(hours * 60 + minutes))
    }

    /// The time of a row that a store has read.
    #[must_use]
    pub const fn from_minutes(minutes: u16) -> Self {
        Self(if minutes > 1440 { 1440 } else { minutes })
    }

    /// Minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// This time on a day, by the wall clocks of a zone.
    ///
    /// # Errors
    /// As [`Timestamp::from_local`]: the time may not exist, or exist twice.
    pub fn on(self, day: LocalDay, zone: &TimeZone) -> Result<Timestamp, crate::time::TimeError> {
        let malformed = |_| crate::time::TimeError::Malformed;
        let (day, minutes) = if self.0 == 1440 {
            (day.date().tomorrow().map_err(malformed)?, 0)
        } else {
            (day.date(), self.0)
        };
        let hour = i8::try_from(minutes / 60).unwrap_or(0);
        let minute = i8::try_from(minutes % 60).unwrap_or(0);
        Timestamp::from_local(day.at(hour, minute, 0, 0), zone)
    }
}

impl std::fmt::Display for LocalTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A span of wall-clock time on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Its beginning.
    pub start: LocalTime,
    /// Its end, after the beginning.
    pub end: LocalTime,
}

/// A doctor's weekly hours: windows for each day, Monday first, and how slots are cut from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeeklyHours {
    days: [Vec<Window>; 7],
    /// How long a slot is.
    pub slot_duration: SlotDuration,
    /// How many patients a slot takes.
    pub capacity: Capacity,
    /// Whether a booking is confirmed without the doctor's word.
    pub auto_confirm: bool,
}

impl WeeklyHours {
    /// The hours, if each day has at most 12 windows that end after they begin and do not overlap.
    ///
    /// # Errors
    /// The day (0 is Monday) and a sentence about what was expected.
    pub fn new(
        mut days: [Vec<Window>; 7],
        slot_duration: SlotDuration,
        capacity: Capacity,
        auto_confirm: bool,
    ) -> Result<Self, (usize, ValueError)> {
        for (number, windows) in days.iter_mut().enumerate() {
            windows.sort_unstable();
            if windows.len() > 12 {
                return Err((number, "must have at most 12 windows".into()));
            }
            if windows.iter().any(|window| window.end <= window.start) {
                return Err((number, "must end after it starts".into()));
            }
            if windows.windows(2).any(|pair| pair[1].start < pair[0].end) {
                return Err((number, "must not overlap".into()));
            }
        }
        Ok(Self {
            days,
            slot_duration,
            capacity,
            auto_confirm,
        })
    }

    /// The windows of each day, Monday first.
    #[must_use]
    pub fn days(&self) -> &[Vec<Window>; 7] {
        &self.days
    }

    /// The slots of some days, by the wall clocks of a zone, that begin after `now`.
    ///
    /// Hours are wall-clock hours: 09:00 stays 09:00 when clocks change. A slot whose beginning
    /// does not exist on a day, or exists twice, is left out on that day, and so is one that the
    /// change of clocks would make longer or shorter.
    pub fn slots(
        &self,
        first: LocalDay,
        days: u32,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Vec<(Timestamp, Timestamp)> {
        let span = self.slot_duration.span();
        let mut slots = Vec::new();
        let mut day = first;
        for _ in 0..days {
            for window in &self.days[weekday(day)] {
                let step = self.slot_duration.get();
                let mut start = window.start.minutes();
                while start + step <= window.end.minutes() {
                    let begins = LocalTime(start).on(day, zone);
                    let ends = LocalTime(start + step).on(day, zone);
                    if let (Ok(begins), Ok(ends)) = (begins, ends)
                        && begins > now
                        && ends.since(begins) == span
                    {
                        slots.push((begins, ends));
                    }
                    start += step;
                }
            }
            let Ok(next) = day.date().tomorrow() else {
                break;
            };
            day = LocalDay::from_date(next);
        }
        slots
    }
}

fn weekday(day: LocalDay) -> usize {
    match day.date().weekday() {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

/// A doctor's weekly hours as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The doctor.
    pub doctor: UserId,
    /// The hours.
    pub hours: WeeklyHours,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When they were set last.
    pub updated_at: Timestamp,
}

/// Slots to be published for a doctor in a span of time.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The zone in which the days were derived: the clinic's, or nothing is published.
    pub time_zone: TimeZone,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How many patients each slot takes.
    pub capacity: Capacity,
    /// The slots: whose, where and when, and the local day of each.
    pub slots: Vec<(SlotFacts, LocalDay)>,
}

/// How far ahead the day of publication looks.
#[must_use]
pub fn horizon(now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(u64::from(DAYS_AHEAD + 1) * 24 * 3600))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hours(day: usize, windows: &[(&str, &str)], minutes: i64) -> WeeklyHours {
        let mut days: [Vec<Window>; 7] = Default::default();
        days[day] = windows
            .iter()
            .map(|(start, end)| Window {
                start: LocalTime::parse(start).unwrap(),
                end: LocalTime::parse(end).unwrap(),
            })
            .collect();
        let duration = SlotDuration::new(minutes).unwrap();
        WeeklyHours::new(days, duration, Capacity::new(1).unwrap(), false).unwrap()
    }

    #[test]
    fn times_have_one_meaning() {
        for (text, minutes) in [
            ("09:30", 570),
            ("9:30", 570),
            ("24:00", 1440),
            ("00:00", 0),
            ("09:30:00", 570),
        ] {
            assert_eq!(
                LocalTime::parse(text).map(LocalTime::minutes),
                Ok(minutes),
                "{text}"
            );
        }
        for text in [
            "", "9", "24:01", "25:00", "09:60", "-1:00", "09:30:15", "0930", "a:b", "009:30",
        ] {
            assert!(LocalTime::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn wall_clock_hours_stay_wall_clock_hours() {
        // Clocks go forward in Berlin on Sunday, 31 March 2030.
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let hours = hours(6, &[("09:00", "12:00")], 60);
        let first = LocalDay::parse("2030-03-24").unwrap();
        let now = Timestamp::parse("2030-03-01T00:00:00Z", &berlin).unwrap();
        let starts: Vec<String> = hours
            .slots(first, 14, &berlin, now)
            .iter()
            .map(|slot| slot.0.to_string())
            .collect();
        assert_eq!(
            starts,
            [
                "2030-03-24T08:00:00Z",
                "2030-03-24T09:00:00Z",
                "2030-03-24T10:00:00Z",
                "2030-03-31T07:00:00Z",
                "2030-03-31T08:00:00Z",
                "2030-03-31T09:00:00Z",
            ]
        );
    }

    #[test]
    fn skipped_and_doubled_hours_have_no_slots() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let hours = hours(6, &[("01:00", "04:00")], 60);
        let now = Timestamp::parse("2030-01-01T00:00:00Z", &berlin).unwrap();
        let starts = |day: &str| -> Vec<String> {
            let day = LocalDay::parse(day).unwrap();
            hours
                .slots(day, 1, &berlin, now)
                .iter()
                .map(|slot| slot.0.to_string())
                .collect()
        };
        // Forward: 02:00 to 03:00 does not exist, so 01:00 has no end and 02:00 no beginning.
        assert_eq!(starts("2030-03-31"), ["2030-03-31T01:00:00Z"]);
        // Back: 02:00 to 03:00 comes twice.
        assert_eq!(starts("2030-10-27"), ["2030-10-27T02:00:00Z"]);
        assert_eq!(starts("2030-11-03").len(), 3);
    }

    #[test]
    fn windows_end_after_they_start_and_do_not_overlap() {
        let window = |start, end| Window {
            start: LocalTime::parse(start).unwrap(),
            end: LocalTime::parse(end).unwrap(),
        };
        let make = |windows: Vec<Window>| {
            let mut days: [Vec<Window>; 7] = Default::default();
            days[2] = windows;
            let (duration, capacity) = (SlotDuration::new(30).unwrap(), Capacity::new(1).unwrap());
            WeeklyHours::new(days, duration, capacity, false)
        };
        assert!(make(vec![window("13:00", "15:00"), window("09:00", "13:00")]).is_ok());
        assert_eq!(make(vec![window("09:00", "09:00")]).unwrap_err().0, 2);
        assert!(make(vec![window("09:00", "12:00"), window("11:00", "13:00")]).is_err());
    }
}
