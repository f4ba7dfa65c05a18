//! The packets of Engine.IO 4 and Socket.IO 5 as text, and back. Nothing here does anything, and
//! nothing here fails but by saying so.
//!
//! An Engine.IO packet is a digit and what it carries; several of them in one HTTP body stand
//! between record separators. A Socket.IO packet is what an Engine.IO message carries: a digit, a
//! count of binary attachments, a namespace, the number of an acknowledgement, and JSON, each of
//! them only where it is needed. There is one namespace here, and no binary.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use telemed_core::error::Error;

use super::events::is_server_event;
use super::signal::{SignalBody, Signalled};
use crate::extract::from_text;

/// What stands between the packets of one HTTP body.
pub(crate) const SEPARATOR: char = '\u{1e}';

/// An Engine.IO packet of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EnginePacket<'t> {
    /// The connection ends.
    Close,
    /// A question whether we live, as the first one on a transport to upgrade to.
    Ping(&'t str),
    /// It lives.
    Pong,
    /// A Socket.IO packet.
    Message(&'t str),
    /// The transport is upgraded.
    Upgrade,
    /// Nothing.
    Noop,
    /// Bytes, in base64.
    Binary,
}

/// What is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'t> EnginePacket<'t> {
    /// Reads a packet.
    pub(crate) fn read(text: &'t str) -> Result<Self, Malformed> {
        let mut rest = text.chars();
        let kind = rest.next().ok_or(Malformed)?;
        let data = rest.as_str();
        match (kind, data) {
            ('1', _) => Ok(Self::Close),
            ('2', _) => Ok(Self::Ping(data)),
            ('3', _) => Ok(Self::Pong),
            ('4', _) => Ok(Self::Message(data)),
            ('5', "") => Ok(Self::Upgrade),
            ('6', _) => Ok(Self::Noop),
            ('b', _) => Ok(Self::Binary),
            // To open is the server's.
            _ => Err(Malformed),
        }
    }

    /// Reads the packets of an HTTP body.
    pub(crate) fn read_all(body: &'t str) -> Result<Vec<Self>, Malformed> {
        body.split(SEPARATOR).map(Self::read).collect()
    }
}

/// A Socket.IO packet of a client.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct SocketPacket<'t> {
    /// The namespace; `/` if it is not named.
    pub(crate) namespace: &'t str,
    /// What it is.
    pub(crate) kind: SocketKind<'t>,
}

/// What an event of a client carries: the first thing after its name.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) enum Payload<'t> {
    /// Nothing.
    Nothing,
    /// A JSON text.
    Json(&'t str),
    /// Something for the other device of a call.
    Signal(SignalBody<'t>),
}

impl<'t> Payload<'t> {
    /// What it says; nothing is an object without fields.
    ///
    /// # Errors
    /// A wrong shape that names the field.
    pub(crate) fn read<T: Deserialize<'t>>(&self) -> Result<T, Error> {
        match self {
            Self::Json(json) => from_text(json),
            // What is a signal is read already, and nothing else reads one.
            Self::Nothing | Self::Signal(_) => from_text("{}"),
        }
    }
}

/// What a Socket.IO packet of a client is.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) enum SocketKind<'t> {
    /// It wants to connect, with what it authenticates with.
    Connect(Value),
    /// It disconnects.
    Disconnect,
    /// An event, and the number under which it wants to be acknowledged.
    Event {
        /// The name.
        name: Cow<'t, str>,
        /// What stands after the name.
        payload: Payload<'t>,
        /// The number.
        id: Option<u64>,
        /// The JSON as it came: its length is limited by event.
        json: &'t str,
    },
    /// It acknowledges an event. We ask for none.
    Ack,
    /// An event with bytes, which is refused.
    BinaryEvent {
        /// The number under which it wants to be acknowledged.
        id: Option<u64>,
        /// How many frames of bytes follow.
        attachments: usize,
    },
}

/// The most frames of bytes that are skipped after an event with bytes.
const MOST_ATTACHMENTS: usize = 16;

impl<'t> SocketPacket<'t> {
    /// Reads a packet.
    pub(crate) fn read(text: &'t str) -> Result<Self, Malformed> {
        let mut characters = text.chars();
        let kind = characters.next().ok_or(Malformed)?;
        let mut rest = characters.as_str();
        let is_binary = matches!(kind, '5' | '6');
        let attachments = if is_binary {
            let (count, after) = rest.split_once('-').ok_or(Malformed)?;
            rest = after;
            let count = number(count).ok_or(Malformed)?;
            usize::try_from(count)
                .ok()
                .filter(|count| *count <= MOST_ATTACHMENTS)
                .ok_or(Malformed)?
        } else {
            0
        };
        let namespace = if rest.starts_with('/') {
            let (namespace, after) = rest.split_once(',').unwrap_or((rest, ""));
            rest = after;
            // A namespace may carry a query, as addresses do.
            namespace.split('?').next().unwrap_or_default()
        } else {
            "/"
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, json) = rest.split_at(digits);
        let id = match id {
            "" => None,
            id => Some(number(id).ok_or(Malformed)?),
        };
        let kind = match kind {
            '0' if id.is_none() => SocketKind::Connect(auth(json)?),
            '1' if rest.is_empty() => SocketKind::Disconnect,
            '2' => event(id, json)?,
            '3' | '6' if id.is_some() => {
                list(json)?;
                SocketKind::Ack
            }
            '5' => {
                list(json)?;
                SocketKind::BinaryEvent { id, attachments }
            }
            // To refuse a connection is the server's.
            _ => return Err(Malformed),
        };
        Ok(Self { namespace, kind })
    }
}

/// At most fifteen digits, so that every client can hold it.
fn number(digits: &str) -> Option<u64> {
    let is_number = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

fn auth(json: &str) -> Result<Value, Malformed> {
    if json.is_empty() {
        return Ok(Value::Null);
    }
    match serde_json::from_str(json) {
        Ok(auth @ (Value::Object(_) | Value::Null)) => Ok(auth),
        _ => Err(Malformed),
    }
}

/// The items of a list, each as it came.
fn list(json: &str) -> Result<Vec<&str>, Malformed> {
    let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Malformed)?;
    Ok(items.into_iter().map(RawValue::get).collect())
}

fn event(id: Option<u64>, json: &str) -> Result<SocketKind<'_>, Malformed> {
    if let Some(Signalled { name, body }) = Signalled::read(json) {
        return Ok(SocketKind::Event {
            name: Cow::Borrowed(name),
            payload: Payload::Signal(body),
            id,
            json,
        });
    }
    let items = list(json)?;
    let name = match items.first().copied() {
        Some(text) if text.starts_with('"') => {
            Cow::Owned(serde_json::from_str(text).map_err(|_| Malformed)?)
        }
        // Names may be numbers.
        Some(number) if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            Cow::Borrowed(number)
        }
        _ => return Err(Malformed),
    };
    let payload = match items.get(1).copied() {
        None | Some("null") => Payload::Nothing,
        Some(json) => Payload::Json(json),
    };
    Ok(SocketKind::Event {
        name,
        payload,
        id,
        json,
    })
}

/// An event of the server, as the message that carries it.
pub(crate) fn event_text(name: &'static str, data: &impl Serialize) -> String {
    debug_assert!(
        is_server_event(name),
        "{name} is not in the table of events"
    );
    encoded(name, data)
}

/// An event of the server whose payload shows itself as JSON, in about so many bytes.
pub(crate) fn written_event_text(
    name: &'static str,
    length: usize,
    json: &impl fmt::Display,
) -> String {
    debug_assert!(
        is_server_event(name),
        "{name} is not in the table of events"
    );
    let mut text = String::with_capacity(length);
    // It is written into memory.
    let _ = write!(text, r#"42["{name}",{json}]"#);
    text
}

fn encoded(name: &str, data: &impl Serialize) -> String {
    format!("42{}", json(&(name, data)))
}

/// An acknowledgement.
pub(crate) fn ack_text(id: u64, data: &impl Serialize) -> String {
    format!("43{id}{}", json(&[data]))
}

/// The answer to a client that has connected.
pub(crate) fn connected_text(sid: &str) -> String {
    format!("40{}", json(&serde_json::json!({ "sid": sid })))
}

/// A refused connection.
pub(crate) fn refused_text(namespace: &str, data: &impl Serialize) -> String {
    let prefix = match namespace {
        "/" => String::new(),
        // It comes from a client; a comma would end it.
        other => format!("{},", other.split(',').next().unwrap_or_default()),
    };
    format!("44{prefix}{}", json(data))
}

/// The end of the namespace.
pub(crate) const DISCONNECTED: &str = "41";
/// The question whether the client lives.
pub(crate) const PING: &str = "2";
/// The answer on a transport to upgrade to.
pub(crate) const PROBED: &str = "3probe";
/// What the first question on it carries.
pub(crate) const PROBE: &str = "probe";
/// The end of the connection.
pub(crate) const CLOSE: &str = "1";
/// Nothing, which ends a poll.
pub(crate) const NOOP: &str = "6";

/// What is ours is JSON in any case.
fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

#[cfg(test)]
mod tests;
