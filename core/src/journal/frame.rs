//! Frames: what is told to those who listen now, and kept nowhere.

use serde_json::{Map, Value};

use super::Audience;
use crate::calls::{DeviceId, SignalKind};
use crate::id::{CallId, EventId, UserId};
use crate::value::{JsonText, words};

words! {
    /// What passes.
    FrameKind {
        /// Somebody writes in a conversation, or stops.
        Typing = "typing",
        /// A party of a call hands the other one an offer, an answer or a candidate.
        Signal = "signal",
        /// A device asks for the signals that it has missed.
        SignalsWanted = "signals.wanted",
        /// A sample of a call's quality was taken.
        QualityRecorded = "quality.recorded",
        /// The quality of a party's connection has another grade.
        QualityChanged = "quality.changed",
        /// Somebody's presence has changed.
        PresenceChanged = "presence.changed",
    }
}

/// Something that passes: told to those who listen now. Its data are ids, states and names that
/// its audience may see.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The frame's id, by which a subscriber drops duplicates.
    pub id: EventId,
    /// What passes.
    pub kind: FrameKind,
    /// Who is told.
    pub audience: Vec<Audience>,
    /// What is told; nothing in a signal.
    pub data: Map<String, Value>,
    /// What a party of a call hands the other one, in a signal.
    pub signal: Option<Box<PassedSignal>>,
}

/// An offer, an answer or a candidate on its way from device to device.
#[derive(Clone, Debug, PartialEq)]
pub struct PassedSignal {
    /// The call.
    pub call: CallId,
    /// What it is.
    pub kind: SignalKind,
    /// Its number: rising for each sender, dense as long as the sender stays on one node.
    pub seq: u64,
    /// Who hands it over.
    pub sender: UserId,
    /// To whom.
    pub receiver: UserId,
    /// The device of his that is bound to the call.
    pub device: DeviceId,
    /// The description or the candidate, as the sender gave it.
    pub payload: JsonText,
}
