//! What reads the bytes of strangers, as programs that make them up call it: the targets of
//! `tests/fuzz`, and the tests beside this file.
//!
//! Each function takes anything. What it checks beside that nothing panics, it asserts.

use std::borrow::Cow;

use serde_json::{Value, json};
use telemed_core::calls::SignalKind;

use crate::rawchat::reads_frame;
use crate::socketio::packet::{
    EnginePacket, Payload, SEPARATOR, SocketKind, SocketPacket, refused_text,
};

/// A body of Engine.IO packets, and the Socket.IO packets in it.
///
/// # Panics
/// When what is read is not what was written.
pub fn engine_body(bytes: &[u8]) {
    let Ok(body) = std::str::from_utf8(bytes) else {
        return;
    };
    let parts: Vec<_> = body.split(SEPARATOR).map(EnginePacket::read).collect();
    match EnginePacket::read_all(body) {
        Ok(packets) => assert_eq!(parts.len(), packets.len()),
        Err(_) => assert!(parts.iter().any(Result::is_err)),
    }
    for packet in parts.into_iter().flatten() {
        match packet {
            EnginePacket::Message(text) => socket_packet(text),
            EnginePacket::Ping(data) => assert!(body.contains(data)),
            _ => {}
        }
    }
}

fn socket_packet(text: &str) {
    let Ok(SocketPacket { namespace, kind }) = SocketPacket::read(text) else {
        return;
    };
    // It goes back to the client, in a packet that has to stay one.
    assert!(namespace.starts_with('/') && !namespace.contains([',', '?']));
    let refusal = refused_text(namespace, &json!({"message": "no"}));
    let rest = refusal.strip_prefix("44").unwrap_or_default();
    let json = match namespace {
        "/" => Some(rest),
        other => rest
            .strip_prefix(other)
            .and_then(|rest| rest.strip_prefix(',')),
    };
    assert_eq!(json, Some("{\"message\":\"no\"}"));
    match kind {
        SocketKind::Connect(auth) => assert!(auth.is_object() || auth.is_null()),
        SocketKind::Event {
            name,
            payload,
            id,
            json,
        } => {
            assert!(text.ends_with(json));
            let items: Vec<Value> = match serde_json::from_str(json) {
                Ok(items) => items,
                // There is JSON that is handed on and that not everybody reads.
                Err(_) => return,
            };
            carries(&name, &payload, &items);
            // Written again, it is the same.
            let number = id.map_or(Cow::Borrowed(""), |id| id.to_string().into());
            let again = format!("2{number}{}", Value::from(items));
            let Ok(SocketPacket {
                kind:
                    SocketKind::Event {
                        name,
                        payload,
                        id: number,
                        json,
                    },
                ..
            }) = SocketPacket::read(&again)
            else {
                unreadable(&again)
            };
            // Written again, a number may be another one in its last digit.
            let items: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
            carries(&name, &payload, &items);
            assert_eq!(number, id);
        }
        SocketKind::Disconnect | SocketKind::Ack | SocketKind::BinaryEvent { .. } => {}
    }
}

/// What was read of an event is what its list says.
fn carries(name: &str, payload: &Payload<'_>, items: &[Value]) {
    match items.first() {
        // Names may be numbers, which are written in more than one way.
        Some(number @ Value::Number(_)) => {
            assert_eq!(
                serde_json::from_str::<Value>(name).ok().as_ref(),
                Some(number)
            );
        }
        text => assert_eq!(text.and_then(Value::as_str), Some(name)),
    }
    let said = items.get(1).unwrap_or(&Value::Null);
    match payload {
        Payload::Nothing => assert!(said.is_null()),
        Payload::Json(json) => assert_eq!(
            serde_json::from_str::<Value>(json).ok().as_ref(),
            Some(said)
        ),
        Payload::Signal(body) => {
            assert_eq!(body.call_id.as_deref(), said["call_id"].as_str());
            assert_eq!(body.device_id.as_deref(), said["device_id"].as_str());
            for kind in [SignalKind::Offer, SignalKind::Answer, SignalKind::Candidate] {
                let handed = body.payload(kind).flatten();
                let handed = handed.map(|raw| serde_json::from_str::<Value>(raw.get()).ok());
                let handed = handed.map_or(Some(Value::Null), |handed| handed);
                assert_eq!(handed.as_ref(), Some(&said[kind.as_str()]));
            }
        }
    }
}

#[allow(clippy::panic)]
fn unreadable(text: &str) -> ! {
    panic!("it cannot be read again: {text}")
}

/// A frame of the raw chat.
pub fn raw_frame(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        reads_frame(text);
    }
}

#[cfg(test)]
mod tests;
