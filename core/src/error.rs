//! The one error of the engine: a stable code from one table, a text that is safe to show, and
//! what a caller can act on.

mod code;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub use code::{Code, Kind};

use crate::value::Issue;

/// What every operation of the engine fails with.
///
/// It never holds patient data: the message is a fixed text or names a field, the details hold
/// ids and states, and input is never repeated.
#[derive(Debug)]
pub struct Error {
    /// The stable code; [`Code::kind`] and [`Code::status`] follow from it.
    pub code: Code,
    /// A text in English that may be shown to a person.
    pub message: Cow<'static, str>,
    /// What is wrong with which field, for [`Kind::Invalid`]; empty otherwise.
    pub issues: Vec<Issue>,
    /// How long to wait before the same call may succeed.
    pub retry_after: Option<Duration>,
    /// Ids and states that belong to the refusal, such as the id that was looked for.
    pub details: Vec<(&'static str, Detail)>,
    /// What lay beneath, for the log of the host; never shown to a client.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A value in [`Error::details`]: an id or a state word, never text of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// An integer id or a count.
    Number(i64),
    /// A UUID or a word of ours, such as a status.
    Word(String),
}

impl From<i64> for Detail {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Detail {
    fn from(value: &str) -> Self {
        Self::Word(value.to_owned())
    }
}

impl Error {
    /// An error with the code's own text.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            message: Cow::Borrowed(code.text()),
            issues: Vec::new(),
            retry_after: None,
            details: Vec::new(),
            source: None,
        }
    }

    /// The same error with another text.
    #[must_use]
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The same error with an id or a state beside it.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<Detail>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The same error with the time to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same error with its cause, for the host's log.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Fields of a wrong shape: a wrong type, a number or a length out of its range.
    #[must_use]
    pub fn wrong_shape(issues: Vec<Issue>) -> Self {
        Self::invalid(Code::WrongShape, issues)
    }

    /// A value of the right shape that breaks a rule, such as a start in the past.
    #[must_use]
    pub fn broken_rule(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::invalid(Code::BrokenRule, vec![Issue::new(field, message)])
    }

    fn invalid(code: Code, issues: Vec<Issue>) -> Self {
        let mut error = Self::new(code);
        if let Some(first) = issues.first() {
            error.message = Cow::Owned(first.to_string());
        }
        error.issues = issues;
        error
    }

    /// Something that is not there, or that must not be seen by this actor: both look the same.
    #[must_use]
    pub fn not_found(what: What, id: impl Into<Detail>) -> Self {
        Self::new(Code::NotFound)
            .message(what.not_found_text())
            .detail(what.id_name(), id)
    }

    /// The kind of the error's code.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.code.kind()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// What was looked for when an operation answers [`Code::NotFound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A user account.
    User,
    /// A patient.
    Patient,
    /// A doctor.
    Doctor,
    /// A clinic.
    Clinic,
    /// A slot.
    Slot,
    /// An appointment.
    Appointment,
    /// A time that a doctor has blocked.
    BlockedTime,
    /// A conversation.
    Conversation,
    /// A message.
    Message,
    /// A call.
    Call,
}

impl What {
    /// The name under which the id stands in [`Error::details`].
    #[must_use]
    pub fn id_name(self) -> &'static str {
        match self {
            Self::User => "user_id",
            Self::Patient => "patient_id",
            Self::Doctor => "doctor_id",
            Self::Clinic => "clinic_id",
            Self::Slot => "slot_id",
            Self::Appointment => "appointment_id",
            Self::BlockedTime => "block_id",
            Self::Conversation => "conversation_id",
            Self::Message => "message_id",
            Self::Call => "call_id",
        }
    }

    fn not_found_text(self) -> &'static str {
        match self {
            Self::User => "User not found",
            Self::Patient => "Patient not found",
            Self::Doctor => "Doctor not found",
            Self::Clinic => "Clinic not found",
            Self::Slot => "Slot not found",
            Self::Appointment => "Appointment not found",
            Self::BlockedTime => "Blocked time not found",
            Self::Conversation => "Conversation not found",
            Self::Message => "Message not found",
            Self::Call => "Call not found",
        }
    }
}
