//! Frames: what is told to those who listen now, and kept nowhere.

use serde_json::{Map, Value};

use super::Audience;
use crate::id::EventId;
use crate::value::words;

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
    /// What is told.
    pub data: Map<String, Value>,
}
