//! What has happened, as the sockets of its audience are told.

use telemed_core::Engine;
use telemed_core::error::Error;
use telemed_core::id::{EventId, MessageId, UserId};
use telemed_core::journal::{Audience, EventKind, Frame, LoggedEvent};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;

use super::outbox::{Delivers, Packet};
use crate::rawchat::MessageFrame;
use crate::socketio::packet::event_text;
use crate::told::{self, Told, Words};

/// How a socket is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The raw chat: messages to its user, and nothing else.
    Raw,
    /// Socket.IO, in the words of one family.
    Events(Words),
}

impl Voice {
    /// Every voice, at the place of its number.
    const ALL: [Self; 3] = [
        Self::Raw,
        Self::Events(Words::Chat),
        Self::Events(Words::Calls),
    ];

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Events(Words::Chat) => 1,
            Self::Events(Words::Calls) => 2,
        }
    }

    pub(super) fn of_number(number: u8) -> Self {
        Self::ALL
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Raw)
    }
}

/// One thing that has happened, rendered once for each voice in which somebody is told of it.
#[derive(Debug)]
pub(crate) struct News {
    id: EventId,
    /// The place in the log of what is logged.
    cursor: Option<u64>,
    raw: Option<(UserId, MessageId, Packet)>,
    chat: Vec<Packet>,
    calls: Vec<Packet>,
}

impl News {
    /// A logged event for sockets with these voices.
    ///
    /// # Errors
    /// When the store fails or a message does not open.
    pub(crate) async fn of_event(
        engine: &Engine,
        logged: &LoggedEvent,
        voices: &[Voice],
    ) -> Result<Self, Error> {
        let mut news = Self::empty(logged.event.id);
        news.cursor = Some(logged.seq);
        if voices.contains(&Voice::Raw) && logged.event.kind == EventKind::MessageSent {
            let message = engine.messaging().message_of_event(&logged.event).await?;
            news.raw = message.and_then(|message| {
                let delivers = Delivers {
                    conversation: message.conversation,
                    place: message.seq,
                };
                let frame = MessageFrame::of(&message, Some(logged.seq))?;
                Some((frame.receiver(), message.id, frame.packet(delivers)))
            });
        }
        for words in [Words::Chat, Words::Calls] {
            if voices.contains(&Voice::Events(words)) {
                let told = told::of_event(engine, logged, words).await?;
                *news.packets_in(words) = told.iter().map(packet).collect();
            }
        }
        Ok(news)
    }

    /// Something that passes, for sockets with these voices.
    pub(crate) fn of_frame(frame: &Frame, voices: &[Voice]) -> Self {
        let mut news = Self::empty(frame.id);
        for words in [Words::Chat, Words::Calls] {
            if voices.contains(&Voice::Events(words)) {
                *news.packets_in(words) = vec![packet(&told::of_frame(frame, words))];
            }
        }
        news
    }

    fn empty(id: EventId) -> Self {
        Self {
            id,
            cursor: None,
            raw: None,
            chat: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn packets_in(&mut self, words: Words) -> &mut Vec<Packet> {
        match words {
            Words::Chat => &mut self.chat,
            Words::Calls => &mut self.calls,
        }
    }

    /// The place in the log, if it is logged.
    pub(crate) fn cursor(&self) -> Option<u64> {
        self.cursor
    }

    /// What a user's socket with this voice is sent, and by what it knows that it was told so
    /// already: on the raw chat the message, which it may have got without an event.
    pub(crate) fn packets(&self, user: UserId, voice: Voice) -> (Uuid, &[Packet]) {
        let event = self.id.get();
        match voice {
            Voice::Raw => match &self.raw {
                Some((receiver, message, packet)) if *receiver == user => {
                    (message.get(), std::slice::from_ref(packet))
                }
                _ => (event, &[]),
            },
            Voice::Events(Words::Chat) => (event, &self.chat),
            Voice::Events(Words::Calls) => (event, &self.calls),
        }
    }
}

fn packet(told: &Told) -> Packet {
    Utf8Bytes::from(event_text(told.name, &told.data)).into()
}

/// The users of an audience.
pub(crate) fn users(audience: &[Audience]) -> impl Iterator<Item = UserId> {
    audience.iter().map(|one| match one {
        Audience::User(user) => *user,
    })
}
