//! Words and figures that calls, over HTTP and over sockets, are written in.

use telemed_core::calls::{Call, CallKind, CallSide, CallStatus, EndReason};
use telemed_core::id::UserId;
use telemed_core::value::ValueError;

use crate::extract::Figure;

/// The kind of a word: `audio` is another one for `voice`.
///
/// # Errors
/// A sentence that lists the words.
pub(crate) fn call_kind(word: impl AsRef<str>) -> Result<CallKind, ValueError> {
    match word.as_ref().trim() {
        "audio" => Ok(CallKind::Voice),
        other => CallKind::parse(other),
    }
}

/// Why somebody does not want a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeclineReason(pub(crate) EndReason);

impl Default for DeclineReason {
    fn default() -> Self {
        Self(EndReason::UserDeclined)
    }
}

impl DeclineReason {
    const ALL: [EndReason; 5] = [
        EndReason::UserDeclined,
        EndReason::Busy,
        EndReason::Rejected,
        EndReason::Unanswered,
        EndReason::ConnectionFailed,
    ];

    /// The reason of a word. Other ends of a call are nobody's to say.
    ///
    /// # Errors
    /// A sentence that lists the words.
    pub(crate) fn parse(word: impl AsRef<str>) -> Result<Self, ValueError> {
        let word = word.as_ref().trim();
        let mut all = Self::ALL.into_iter();
        all.find(|reason| reason.as_str() == word)
            .map(Self)
            .ok_or_else(|| {
                "must be one of: user_declined busy rejected unanswered connection_failed".into()
            })
    }
}

/// The status of a word in a query: `ended` is another one for `completed`.
///
/// # Errors
/// A sentence that lists the words.
pub(super) fn call_status(word: impl AsRef<str>) -> Result<CallStatus, ValueError> {
    match word.as_ref().trim() {
        "ended" => Ok(CallStatus::Completed),
        other => CallStatus::parse(other),
    }
}

/// How a call looks to a user; to somebody who takes no part in it, as to the caller.
pub(super) fn status_seen_by(call: &Call, user: Option<UserId>) -> CallStatus {
    let side = user.and_then(|user| call.side_of(user));
    call.progress.shown_to(side.unwrap_or(CallSide::Caller))
}

/// A figure in a range.
///
/// # Errors
/// A sentence about what was expected.
pub(super) fn within(figure: Figure, most: u32) -> Result<f64, ValueError> {
    let number = figure.get();
    // Not a number is in no range.
    if (0.0..=f64::from(most)).contains(&number) {
        Ok(number)
    } else {
        Err(ValueError(format!("must be from 0 to {most}").into()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn other_words_for_the_same() {
        assert_eq!(call_kind("audio").unwrap(), CallKind::Voice);
        assert_eq!(call_kind(" voice ").unwrap(), CallKind::Voice);
        assert_eq!(call_kind("video").unwrap(), CallKind::Video);
        assert!(call_kind("Video").is_err() && call_kind("").is_err());
        assert_eq!(call_status("ended").unwrap(), CallStatus::Completed);
        for status in CallStatus::ALL {
            assert_eq!(call_status(status.as_str()).unwrap(), *status);
        }
        assert!(call_status("over").is_err());
    }

    #[test]
    fn a_callee_declines_for_his_own_reasons_only() {
        let own = DeclineReason::ALL;
        for reason in EndReason::ALL {
            let parsed = DeclineReason::parse(reason.as_str());
            assert_eq!(parsed.is_ok(), own.contains(reason), "{reason}");
            if let Err(error) = parsed {
                let listed = own
                    .iter()
                    .all(|own| error.to_string().contains(own.as_str()));
                assert!(listed, "{error}");
            }
        }
    }

    #[test]
    fn figures_have_their_range() {
        let read = |text: &str| {
            let figure: Figure = serde_json::from_str(text).unwrap();
            within(figure, 100).ok()
        };
        assert_eq!(read("0"), Some(0.0));
        assert_eq!(read("0.25"), Some(0.25));
        assert_eq!(read("\"99.5\""), Some(99.5));
        assert_eq!(read("100"), Some(100.0));
        for text in ["-0.1", "100.1", "1e300", "\"NaN\"", "\"inf\"", "-1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
