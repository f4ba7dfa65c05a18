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
