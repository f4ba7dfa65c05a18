//! How a command fails.

use std::io::Write;
use std::process::ExitCode;

/// One line for the operator that says what to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was called in a way that cannot work: exit code 2.
    Usage(String),
    /// It could not be done: exit code 1.
    Failed(String),
}

impl Failure {
    /// A wrong call.
    pub fn usage(line: impl Into<String>) -> Self {
        Self::Usage(line.into())
    }

    /// Anything else, with the error that says it.
    pub fn failed(line: impl ToString) -> Self {
        Self::Failed(line.to_string())
    }

    /// Writes the line to stderr and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let (line, code) = match self {
            Self::Usage(line) => (line, 2),
            Self::Failed(line) => (line, 1),
        };
        // Whoever calls still has the exit code when stderr is gone.
        let _ = writeln!(std::io::stderr(), "telemed-server: {line}");
        ExitCode::from(code)
    }
}

/// An operation of the engine that failed, with what lay beneath.
impl From<telemed_facade::core::Error> for Failure {
    fn from(error: telemed_facade::core::Error) -> Self {
        Self::Failed(match &error.source {
            Some(cause) => format!("{}: {cause}", error.message),
            None => error.message.into_owned(),
        })
    }
}

impl From<telemed_facade::OpenError> for Failure {
    fn from(error: telemed_facade::OpenError) -> Self {
        match &error {
            telemed_facade::OpenError::Database(_) => Self::usage(error.to_string()),
            _ => Self::failed(error),
        }
    }
}
