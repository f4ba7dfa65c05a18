//! Frames on their way: as JSON, inside the notification or, when they are long, beside it.

use serde_json::{Map, Value, json};
use telemed_core::journal::{Audience, Frame, FrameKind};
use telemed_core::store::StoreResult;
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

/// The frame as it is sent.
pub(super) fn letter(frame: &Frame) -> Option<Letter> {
    let audience: Vec<String> = frame.audience.iter().map(|one| one.as_row()).collect();
    let text = json!({
        "id": frame.id.get().to_string(),
        "kind": frame.kind.as_str(),
        "audience": audience,
        "data": frame.data,
    });
    Some(Letter {
        id: frame.id.get(),
        text: serde_json::to_string(&text).ok()?,
    })
}

/// The frame of a letter; `None` for one that only a newer version can read.
pub(super) fn open(text: &str) -> Option<Frame> {
    let Value::Object(mut letter) = serde_json::from_str(text).ok()? else {
        return None;
    };
    let word = |letter: &Map<String, Value>, name: &str| {
        letter.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let id: Uuid = word(&letter, "id")?.parse().ok()?;
    let audience = letter.get("audience").and_then(Value::as_array)?;
    let audience = audience
        .iter()
        .map(|one| one.as_str().and_then(Audience::from_row));
    let audience: Vec<Audience> = audience.collect::<Option<_>>()?;
    Some(Frame {
        id: id.into(),
        kind: FrameKind::parse(word(&letter, "kind")?).ok()?,
        audience,
        data: match letter.remove("data")? {
            Value::Object(data) => data,
            _ => return None,
        },
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
    use telemed_core::id::UserId;

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
        };
        let opened = letter(&frame).and_then(|letter| open(&letter.text));
        assert_eq!(opened, Some(frame));
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
