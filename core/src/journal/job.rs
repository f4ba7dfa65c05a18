//! Jobs: rows with a due time. Core has no timers; the host asks for what is due.

use std::fmt;

use serde_json::{Map, Value};

use super::Subject;
use crate::id::JobId;
use crate::time::Timestamp;
use crate::value::words;

words! {
    /// What a job does.
    JobKind {
        /// Tells somebody what became of an appointment.
        AppointmentNotice = "appointment.notice",
        /// Publishes a doctor's slots one more day ahead.
        PublishSlots = "schedule.publish",
        /// Reminds a patient of an appointment.
        AppointmentReminder = "appointment.reminder",
        /// Ends the ringing of a call that nobody has answered.
        CallRingDeadline = "call.ring_deadline",
        /// Takes a call for connected some time after the answer was handed on.
        CallAssumeConnected = "call.assume_connected",
        /// Gives up a call whose devices did not find to each other.
        CallConnectDeadline = "call.connect_deadline",
        /// Ends a call that has lasted as long as a call may.
        CallMaximum = "call.maximum",
        /// Looks whether a party of a call has come back.
        CallGrace = "call.grace",
        /// Tells a callee by a notification that he has missed a call.
        CallMissedNotice = "call.missed_notice",
    }
}

/// A job to be done at or after a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The job's id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// What it is about.
    pub subject: Subject,
    /// When it is due.
    pub due_at: Timestamp,
    /// Ids and words that the job needs, never text of a person.
    pub data: Map<String, Value>,
}

/// Which open jobs to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSelector {
    /// The kind.
    pub kind: JobKind,
    /// What they are about.
    pub subject: Subject,
}

/// A job that this caller may run until the lease ends.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedJob {
    /// The job.
    pub job: Job,
    /// How many times it was claimed, this time included.
    pub attempt: u32,
    /// When another may claim it; it also names this claim.
    pub lease_until: Timestamp,
}

/// How a run of a job ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done; the row goes.
    Done,
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It is given up; the row stays, marked, until it is purged.
    Dead,
}

impl fmt::Debug for JobEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("Done"),
            Self::Retry(at) => write!(f, "Retry({at})"),
            Self::Dead => f.write_str("Dead"),
        }
    }
}
