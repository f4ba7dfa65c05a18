//! When patients are reminded.

use std::time::Duration;

use crate::value::ValueError;

/// Hours before the start at which reminders go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReminderHours(Vec<u32>);

impl ReminderHours {
    /// These hours: at most 10, each from 1 to 720.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub fn new(mut hours: Vec<u32>) -> Result<Self, ValueError> {
        hours.sort_unstable();
        hours.dedup();
        if hours.len() > 10 || hours.iter().any(|hour| !(1..=720).contains(hour)) {
            return Err("must be at most 10 numbers of hours from 1 to 720".into());
        }
        hours.reverse();
        Ok(Self(hours))
    }

    /// The spans before the start, longest first.
    pub fn spans(&self) -> impl Iterator<Item = Duration> + '_ {
        self.0
            .iter()
            .map(|hours| Duration::from_secs(u64::from(*hours) * 3600))
    }
}

impl Default for ReminderHours {
    /// 24 hours and 1 hour before.
    fn default() -> Self {
        Self(vec![24, 1])
    }
}
