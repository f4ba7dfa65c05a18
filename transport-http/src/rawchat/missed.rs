//! What a receiver missed while it was away: the messages after its mark of delivery.

use std::collections::VecDeque;

use telemed_core::Engine;
use telemed_core::error::{Code, Error};
use telemed_core::id::ConversationId;
use telemed_core::page::{PageLimit, PageRequest, PageSkip};

use super::frames::MessageFrame;
use crate::connection::{Delivers, Joined, Person};

/// Messages that are read at once.
const PAGE: u32 = 50;
/// How many of the most recently active conversations are looked through.
const CONVERSATIONS: i64 = 1000;

/// Where the reading stands.
pub(super) struct Missed {
    /// How many conversations were looked at; `None` when it is done.
    listed: Option<i64>,
    /// Conversations with messages that were not delivered, each with the place after which they
    /// come.
    waiting: VecDeque<(ConversationId, u64)>,
}

impl Missed {
    pub(super) fn new() -> Self {
        Self {
            listed: Some(0),
            waiting: VecDeque::new(),
        }
    }

    /// Sends the next messages, as many as there is room for. Whether those were the last is the
    /// answer.
    ///
    /// # Errors
    /// When the store fails; the same may be tried again.
    pub(super) async fn step(
        &mut self,
        engine: &Engine,
        person: &Person,
        socket: &Joined,
    ) -> Result<bool, Error> {
        let Some((conversation, after)) = self.waiting.front().copied() else {
            return match self.listed {
                Some(0) => {
                    // What was logged up to now is in the store, and comes from there if it comes.
                    socket.hears_since(engine.event_cursor().await?);
                    self.list(engine, person, 0).await
                }
                Some(listed) => self.list(engine, person, listed).await,
                None => Ok(true),
            };
        };
        let messaging = engine.messaging();
        let found = match messaging
            .messages_to_deliver(person.actor(), conversation, after, PAGE)
            .await
        {
            Err(error) if error.code == Code::NotFound => Vec::new(),
            found => found?,
        };
        let mut is_all = found.len() < PAGE as usize;
        let mut told_up_to = after;
        for message in &found {
            if !socket.outbox().has_room() {
                // This one and those after it are read again when there is.
                is_all = false;
                break;
            }
            told_up_to = message.seq;
            let frame = MessageFrame::of(message, None);
            if let Some(frame) = frame.filter(|frame| frame.receiver() == person.user()) {
                let delivers = Delivers {
                    conversation,
                    place: message.seq,
                };
                socket.tell_message(message.id, frame.packet(delivers));
            }
        }
        match self.waiting.front_mut() {
            Some(place) if !is_all => place.1 = told_up_to,
            _ => drop(self.waiting.pop_front()),
        }
        Ok(self.listed.is_none() && self.waiting.is_empty())
    }

    async fn list(&mut self, engine: &Engine, person: &Person, listed: i64) -> Result<bool, Error> {
        let beyond = |_| Error::new(Code::Internal);
        let page = PageRequest::new(
            PageSkip::new(listed).map_err(beyond)?,
            PageLimit::new(i64::from(telemed_core::page::MOST)).map_err(beyond)?,
        );
        let messaging = engine.messaging();
        let found = messaging.conversations(person.actor(), true, page).await?;
        let rows = i64::try_from(found.items.len()).unwrap_or(CONVERSATIONS);
        for row in found.items {
            let place = row.conversation.participant(person.user());
            // What was read was delivered, too.
            if let Some(place) = place.filter(|place| place.unread > 0) {
                let after = place.delivered_up_to;
                if after < row.conversation.last_seq {
                    self.waiting.push_back((row.conversation.id, after));
                }
            }
        }
        let listed = listed.saturating_add(rows);
        let is_all = rows < i64::from(telemed_core::page::MOST) || listed >= CONVERSATIONS;
        self.listed = (!is_all).then_some(listed);
        Ok(is_all && self.waiting.is_empty())
    }
}
