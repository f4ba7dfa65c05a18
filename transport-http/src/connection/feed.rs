//! Tells one socket what the log has after a cursor: what it missed while it was away, or while
//! the bus was faster than it was told.

use telemed_core::Engine;
use telemed_core::error::{Code, Detail, Error};

use super::hub::Joined;
use super::news::{News, ring};
use super::person::Person;

/// Events that are read at once.
const PAGE: u32 = 50;

/// Where the reading stands.
#[derive(Debug)]
pub(crate) struct Feed {
    cursor: u64,
    has_begun: bool,
}

impl Feed {
    pub(crate) fn after(cursor: u64) -> Self {
        Self {
            cursor,
            has_begun: false,
        }
    }

    /// Tells the next events, as many as there is room for. Whether those were the last is the
    /// answer.
    ///
    /// # Errors
    /// [`Code::Gone`] when the cursor is older than what is kept; otherwise when the store fails,
    /// and the same may be tried again.
    pub(crate) async fn step(
        &mut self,
        engine: &Engine,
        person: &Person,
        socket: &Joined,
    ) -> Result<bool, Error> {
        if !self.has_begun {
            // A cursor beyond the log is of another one, as before a backup was brought back.
            self.cursor = self.cursor.min(engine.event_cursor().await?);
            socket.hears_since(self.cursor);
            self.has_begun = true;
        }
        let page = engine
            .events(person.actor(), Some(self.cursor), PAGE)
            .await?;
        let is_last = page.events.len() < PAGE as usize;
        let voices = [socket.voice()];
        for logged in &page.events {
            let news = News::of_event(engine, logged, &voices).await?;
            socket.tell_first(&news);
            self.cursor = logged.seq;
            if let Some(call) = news.rings_for(socket) {
                // Only a callee's does, and only one that rings.
                ring(engine, person.actor(), call).await;
            }
            if !socket.outbox().has_room() {
                // The others are read again when there is.
                socket.hears_since(self.cursor);
                return Ok(false);
            }
        }
        self.cursor = page.next;
        socket.hears_since(page.next);
        Ok(is_last)
    }
}

/// The newest cursor, which a refusal of an old one names.
pub(crate) fn newest_of(error: &Error) -> Option<i64> {
    let newest = error.details.iter().find(|(name, _)| *name == "newest");
    match newest {
        Some((_, Detail::Number(newest))) if error.code == Code::Gone => Some(*newest),
        _ => None,
    }
}
