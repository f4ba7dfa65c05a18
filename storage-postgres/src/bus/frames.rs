//! Frames on their way: as JSON, inside the notification or, when they are long, beside it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use telemed_core::calls::{DeviceId, SignalKind};
use telemed_core::id::UserId;
use telemed_core::journal::{Audience, Frame, FrameKind, PassedSignal};
use telemed_core::store::StoreResult;
use telemed_core::value::JsonText;
use uuid::Uuid;

use crate::connection::Connection;
use crate::statement::{all, change, only};

/// What fits into a notification beside its beginning: PostgreSQL takes 8,000 bytes.
const MOST_INLINE: usize = 7 * 1024;

/// A frame that is ready to be sent.
pub(super) struct Letter {
    pub(super) id: Uuid,
    pub(super) text: String,
}

impl Letter {
    /// Whether it does not fit into a notification.
    pub(super) fn is_long(&self) -> bool {
        self.text.len() > MOST_INLINE
    }
}

/// What stands in a letter.
#[derive(Serialize, Deserialize)]
struct Written<'t> {
    id: Uuid,
    #[serde(borrow)]
    kind: Cow<'t, str>,
    audience: Vec<String>,
    data: Map<String, Value>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    signal: Option<WrittenSignal<'t>>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignal<'t> {
    call: Uuid,
    #[serde(borrow)]
    kind: Cow<'t, str>,
    seq: u64,
    sender: i64,
    receiver: i64,
    device: String,
    #[serde(borrow)]
    payload: &'t RawValue,
}

impl<'t> WrittenSignal<'t> {
    fn of(signal: &'t PassedSignal) -> Option<Self> {
        Some(Self {
            call: signal.call.get(),
            kind: signal.kind.as_str().into(),
            seq: signal.seq,
            sender: signal.sender.get(),
            receiver: signal.receiver.get(),
            device: signal.device.as_str().to_owned(),
            payload: serde_json::from_str(signal.payload.as_str()).ok()?,
        })
    }

    fn open(self) -> Option<Box<PassedSignal>> {
        Some(Box::new(PassedSignal {
            call: self.call.into(),
            kind: SignalKind::parse(&*self.kind).ok()?,
            seq: self.seq,
            sender: UserId::new(self.sender)?,
            receiver: UserId::new(self.receiver)?,
            device: DeviceId::new(self.device).ok()?,
            payload: JsonText::new(self.payload).ok()?,
        }))
    }
}

/// The frame as it is sent.
pub(super) fn letter(frame: &Frame) -> Option<Letter> {
    let signal = match &frame.signal {
        Some(signal) => Some(WrittenSignal::of(signal)?),
        None => None,
    };
    let written = Written {
        id: frame.id.get(),
        kind: frame.kind.as_str().into(),
        audience: frame.audience.iter().map(|one| one.as_row()).collect(),
        data: frame.data.clone(),
        signal,
    };
    Some(Letter {
        id: frame.id.get(),
        text: serde_json::to_string(&written).ok()?,
    })
}

/// The frame of a letter; `None` for one that only a newer version can read.
pub(super) fn open(text: &str) -> Option<Frame> {
    let written: Written<'_> = serde_json::from_str(text).ok()?;
    let audience = written.audience.iter().map(|one| Audience::from_row(one));
    let signal = match written.signal {
        Some(signal) => Some(signal.open()?),
        None => None,
    };
    Some(Frame {
        id: written.id.into(),
        kind: FrameKind::parse(&*written.kind).ok()?,
        audience: audience.collect::<Option<_>>()?,
        data: written.data,
        signal,
    })
}

/// Lays long letters where other servers find them.
pub(super) async fn lay(connection: &mut Connection, long: &[&Letter]) -> StoreResult<()> {
    let ids: Vec<Uuid> = long.iter().map(|letter| letter.id).collect();
    let texts: Vec<&str> = long.iter().map(|letter| letter.text.as_str()).collect();
    change(
        connection,
        "laying long frames out",
        "INSERT INTO bus_frames (id, frame) SELECT * FROM unnest($1::UUID[], $2::TEXT[])
         ON CONFLICT (id) DO NOTHING",
        (ids, texts),
    )
    .await
    .map(drop)
}

/// Reads a long letter.
pub(super) async fn fetch(connection: &mut Connection, id: Uuid) -> StoreResult<Option<String>> {
    let found = all(
        connection,
        "fetching a long frame",
        "SELECT frame FROM bus_frames WHERE id = $1",
        (id,),
        only,
    )
    .await?;
    Ok(found.into_iter().next())
}

/// Drops long letters that everybody has had the time to fetch.
pub(super) async fn clear(connection: &mut Connection) -> StoreResult<()> {
    change(
        connection,
        "dropping long frames",
        "DELETE FROM bus_frames WHERE id IN (
             SELECT id FROM bus_frames WHERE passed_at < clock_timestamp() - INTERVAL '1 minute'
             LIMIT 1000 FOR UPDATE SKIP LOCKED)",
        (),
    )
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_letter_is_the_frame() {
        let frame = Frame {
            id: Uuid::from_u128(7).into(),
            kind: FrameKind::Typing,
            audience: vec![
                Audience::User(UserId::from_row(1)),
                Audience::User(UserId::from_row(2)),
            ],
            data: [("text".to_owned(), "a\u{0}\"é".into())]
                .into_iter()
                .collect(),
            signal: None,
        };
        let opened = letter(&frame).and_then(|letter| open(&letter.text));
        assert_eq!(opened.as_ref(), Some(&frame));
        let signal = Frame {
            kind: FrameKind::Signal,
            data: Map::new(),
            signal: Some(Box::new(PassedSignal {
                call: Uuid::from_u128(8).into(),
                kind: SignalKind::Offer,
                seq: 9,
                sender: UserId::from_row(1),
                receiver: UserId::from_row(2),
                device: DeviceId::new("desk \"1\"").unwrap(),
                payload: JsonText::parse(r#"{"sdp":"v=0\r\n", "n":1e400}"#).unwrap(),
            })),
            ..frame
        };
        let opened = letter(&signal).and_then(|letter| open(&letter.text));
        assert_eq!(opened, Some(signal));
        for odd in [
            "",
            "[]",
            "{}",
            r#"{"id":"x","kind":"typing","audience":[],"data":{}}"#,
        ] {
            assert_eq!(open(odd), None, "{odd}");
        }
    }
}
