//! Words and figures that this surface writes in its own way.

use serde::Deserialize;
use telemed_core::directory::ConsultationFee;
use telemed_core::scheduling::AppointmentStatus;
use telemed_core::value::ValueError;

use crate::extract::Figure;

/// What this surface calls a pending appointment.
const SCHEDULED: &str = "scheduled";

/// The word for a status.
pub(crate) fn status_word(status: AppointmentStatus) -> &'static str {
    match status {
        AppointmentStatus::Pending => SCHEDULED,
        other => other.as_str(),
    }
}

/// The status of a word.
///
/// # Errors
/// A sentence that lists the words.
pub(super) fn status_of(word: impl AsRef<str>) -> Result<AppointmentStatus, ValueError> {
    match word.as_ref().trim() {
        SCHEDULED => Ok(AppointmentStatus::Pending),
        other => AppointmentStatus::parse(other).map_err(|_| {
            "must be one of: scheduled confirmed rejected cancelled in_progress completed no_show"
                .into()
        }),
    }
}

/// A fee as clients write it: a number, or a text of one, with two decimals at most.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Fee(Figure);

impl Fee {
    /// The fee.
    ///
    /// # Errors
    /// A sentence about what was expected.
    pub(super) fn checked(self) -> Result<ConsultationFee, ValueError> {
        const WRONG: &str = "must be from 0 to 1000000, with two decimals at most";
        let fee = self.0.get();
        let hundredths = (fee * 100.0).round();
        // Not a number compares to nothing.
        if !(0.0..=100_000_000.0).contains(&hundredths) || (hundredths / 100.0 - fee).abs() > 1e-6 {
            return Err(WRONG.into());
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a whole number that was checked to be small"
        )]
        ConsultationFee::from_hundredths(hundredths as i64)
    }
}

/// A fee as clients read it.
pub(super) fn fee_shown(fee: ConsultationFee) -> f64 {
    let hundredths = i32::try_from(fee.hundredths()).unwrap_or(i32::MAX);
    f64::from(hundredths) / 100.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pending_is_called_scheduled() {
        for status in AppointmentStatus::ALL {
            assert_eq!(status_of(status_word(*status)).unwrap(), *status);
        }
        assert_eq!(status_of("pending").unwrap(), AppointmentStatus::Pending);
        assert_eq!(status_word(AppointmentStatus::Pending), "scheduled");
        assert!(
            status_of("gone")
                .unwrap_err()
                .to_string()
                .contains("scheduled")
        );
    }

    #[test]
    fn fees_keep_their_hundredths() {
        for (text, hundredths) in [
            ("150", Some(15_000)),
            ("150.5", Some(15_050)),
            ("0.1", Some(10)),
            ("\"19.99\"", Some(1_999)),
            ("0", Some(0)),
            ("1000000", Some(100_000_000)),
            ("1000000.01", None),
            ("-1", None),
            ("1.005", None),
            ("1e300", None),
            ("\"NaN\"", None),
        ] {
            let fee: Fee = serde_json::from_str(text).unwrap();
            let found = fee.checked().ok().map(ConsultationFee::hundredths);
            assert_eq!(found, hundredths, "{text}");
        }
        assert!(serde_json::from_str::<Fee>("\"a lot\"").is_err());
        let fee = ConsultationFee::from_row(1_999);
        assert_eq!(serde_json::to_string(&fee_shown(fee)).unwrap(), "19.99");
    }
}
