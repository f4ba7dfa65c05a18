//! What passes: typing, signals, quality and presence.

use serde_json::{Map, Value};
use telemed_core::calls::{DeviceId, SignalKind};
use telemed_core::journal::{Audience, Frame, FrameKind};
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
        (FrameKind::Signal, _) => signal(frame).into_iter().collect(),
        // What nodes tell each other.
        (FrameKind::SignalsWanted, _) => Vec::new(),
        (FrameKind::QualityRecorded, _) => vec![as_it_is("quality:recorded")],
        (FrameKind::QualityChanged, _) => vec![as_it_is("quality:changed")],
        (FrameKind::PresenceChanged, _) => presence(frame),
    };
    number(&mut told, frame.id);
    told
}

/// An offer, an answer or a candidate: for the device that is bound to the call, and for no other.
fn signal(frame: &Frame) -> Option<Told> {
    let word = |name: &str| frame.data.get(name).and_then(Value::as_str);
    let kind = SignalKind::parse(word("signal")?).ok()?;
    let device = DeviceId::new(word("device")?).ok()?;
    let Audience::User(receiver) = frame.audience.first()?;
    let name = match kind {
        SignalKind::Offer => "webrtc:offer",
        SignalKind::Answer => "webrtc:answer",
        SignalKind::Candidate => "webrtc:ice",
    };
    Some(Told {
        data: chosen(&frame.data, &["call_id", kind.as_str(), "sender_id", "seq"]),
        to: To::Device(*receiver, device),
        ..named(name)
    })
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
