//! What passes: typing, signals, quality and presence.

use std::fmt;

use serde_json::{Map, Value};
use telemed_core::calls::SignalKind;
use telemed_core::id::EventId;
use telemed_core::journal::{Frame, FrameKind, PassedSignal};
use telemed_core::presence::PresenceStatus;

use super::{To, Told, Words, named, number};

/// What is told of something that passes, in order.
pub(crate) fn of_frame(frame: &Frame, words: Words) -> Vec<Told> {
    let as_it_is = |name| Told {
        data: frame.data.clone(),
        ..named(name)
    };
    let mut told = match (frame.kind, words) {
        (FrameKind::Typing, Words::Chat) => vec![as_it_is("user_typing")],
        (FrameKind::Typing, Words::Calls) => vec![as_it_is("chat:typing")],
        // A signal is written as it came, and what nodes tell each other is for nobody else.
        (FrameKind::Signal | FrameKind::SignalsWanted, _) => Vec::new(),
        (FrameKind::QualityRecorded, _) => vec![as_it_is("quality:recorded")],
        (FrameKind::QualityChanged, _) => vec![as_it_is("quality:changed")],
        (FrameKind::PresenceChanged, _) => presence(frame),
    };
    number(&mut told, frame.id);
    told
}

/// What is told of an offer, an answer or a candidate: for the device that is bound to the call
/// and for no other, and by which name.
pub(crate) fn of_signal(id: EventId, signal: &PassedSignal) -> (To, &'static str, SignalTold<'_>) {
    let name = match signal.kind {
        SignalKind::Offer => "webrtc:offer",
        SignalKind::Answer => "webrtc:answer",
        SignalKind::Candidate => "webrtc:ice",
    };
    let to = To::Device(signal.receiver, signal.device.clone());
    (to, name, SignalTold { id, signal })
}

/// The payload of a signal, which shows itself as JSON: it is long, and goes out as it came in.
pub(crate) struct SignalTold<'f> {
    id: EventId,
    signal: &'f PassedSignal,
}

impl SignalTold<'_> {
    /// About how long the JSON is, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.signal.payload.as_str().len() + 256
    }
}

impl fmt::Display for SignalTold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PassedSignal {
            call,
            kind,
            seq,
            sender,
            payload,
            ..
        } = self.signal;
        let (id, kind, payload) = (self.id, kind.as_str(), payload.as_str());
        write!(
            f,
            r#"{{"call_id":"{call}","event_id":"{id}","sender_id":{sender},"seq":{seq},"{kind}":{payload}}}"#
        )
    }
}

/// A change of presence, and whether somebody came or went by it.
fn presence(frame: &Frame) -> Vec<Told> {
    let word = |name: &str| frame.data.get(name).and_then(Value::as_str);
    let is_online = |name| word(name) != Some(PresenceStatus::Offline.as_str());
    let known = chosen(&frame.data, &["user_id", "status", "last_seen"]);
    let mut told = vec![Told {
        twin: Some("presence:update"),
        data: known.clone(),
        ..named("presence:updated")
    }];
    let (now, before) = (is_online("status"), is_online("previous_status"));
    if now != before {
        let name = if now { "user:online" } else { "user:offline" };
        let mut short = chosen(&frame.data, &["user_id"]);
        short.insert("is_online".to_owned(), now.into());
        told.push(Told {
            data: known,
            ..named(name)
        });
        told.push(Told {
            data: short,
            ..named("user_status")
        });
    }
    told
}

/// These fields, those that are not there as null.
fn chosen(data: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let field = |name: &&str| {
        let value = data.get(*name).cloned().unwrap_or_default();
        ((*name).to_owned(), value)
    };
    names.iter().map(field).collect()
}
