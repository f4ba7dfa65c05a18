//! What has happened, as the sockets of its audience are told.

use telemed_core::Engine;
use telemed_core::actor::Actor;
use telemed_core::calls::Call;
use telemed_core::error::{Code, Error};
use telemed_core::id::{CallId, EventId, MessageId, UserId};
use telemed_core::journal::{Audience, EventKind, Frame, LoggedEvent};
use telemed_core::messaging::Message;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;

use super::member::Member;
use super::outbox::{Delivers, Packet};
use crate::rawchat::MessageFrame;
use crate::socketio::packet::{event_text, written_event_text};
use crate::told::{self, To, Told, Words};

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
    chat: Vec<(To, Packet)>,
    calls: Vec<(To, Packet)>,
    /// The call that begins by it.
    begins: Option<CallId>,
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
        if logged.event.kind == EventKind::MessageSent {
            // Read and opened once, whatever the voices.
            if let Some(message) = engine.messaging().message_of_event(&logged.event).await? {
                news.of_message(&message, logged, voices);
            }
            return Ok(news);
        }
        for words in [Words::Chat, Words::Calls] {
            if voices.contains(&Voice::Events(words)) && !news.is_said(logged.event.kind, words) {
                let told = told::of_event(engine, logged, words).await?;
                *news.packets_in(words) = packets(&told);
            }
        }
        if logged.event.kind == EventKind::CallInitiated {
            news.begins = logged.event.subject.as_uuid().map(CallId::new);
        }
        Ok(news)
    }

    fn of_message(&mut self, message: &Message, logged: &LoggedEvent, voices: &[Voice]) {
        for voice in voices {
            match voice {
                Voice::Raw => {
                    let delivers = Delivers {
                        conversation: message.conversation,
                        place: message.seq,
                    };
                    let frame = MessageFrame::of(message, Some(logged.seq));
                    self.raw =
                        frame.map(|frame| (frame.receiver(), message.id, frame.packet(delivers)));
                }
                Voice::Events(words) => {
                    let told = told::of_message(message.clone(), logged, *words);
                    *self.packets_in(*words) = packets(&[told]);
                }
            }
        }
    }

    /// Something that passes, for sockets with these voices.
    pub(crate) fn of_frame(frame: &Frame, voices: &[Voice]) -> Self {
        let mut news = Self::empty(frame.id);
        if let Some(signal) = &frame.signal {
            // The same in all words.
            let (to, name, told) = told::of_signal(frame.id, signal);
            let text = written_event_text(name, told.length(), &told);
            news.chat.push((to, text.into()));
            news.calls.clone_from(&news.chat);
            return news;
        }
        for words in [Words::Chat, Words::Calls] {
            if voices.contains(&Voice::Events(words)) {
                *news.packets_in(words) = packets(&told::of_frame(frame, words));
            }
        }
        news
    }

    /// A call that rings, for a device of the callee that comes in the middle of it. It is the
    /// same as the event of its beginning; nothing if it rings no longer.
    pub(crate) fn of_ringing(engine: &Engine, call: &Call) -> Option<Self> {
        let packets = packets(&[told::ringing(engine, call)?]);
        Some(Self {
            chat: packets.clone(),
            calls: packets,
            ..Self::empty(EventId::new(call.id.get()))
        })
    }

    /// Takes what was rendered for the other words already, if it is the same.
    fn is_said(&mut self, kind: EventKind, words: Words) -> bool {
        let is_same = words == Words::Calls && told::has_one_name(kind) && !self.chat.is_empty();
        if is_same {
            self.calls.clone_from(&self.chat);
        }
        is_same
    }

    /// The call that begins by it, if this socket was told that it rings.
    pub(crate) fn rings_for(&self, member: &Member) -> Option<CallId> {
        let voice = member.voice();
        let call = self.begins.filter(|_| voice != Voice::Raw)?;
        let (_, mut packets) = self.packets(member, voice);
        packets.next().map(|_| call)
    }

    fn empty(id: EventId) -> Self {
        Self {
            id,
            cursor: None,
            raw: None,
            chat: Vec::new(),
            calls: Vec::new(),
            begins: None,
        }
    }

    fn packets_in(&mut self, words: Words) -> &mut Vec<(To, Packet)> {
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
    pub(crate) fn packets<'n>(
        &'n self,
        member: &'n Member,
        voice: Voice,
    ) -> (Uuid, impl Iterator<Item = &'n Packet>) {
        let user = member.user();
        let raw = self.raw.as_ref().filter(|_| voice == Voice::Raw);
        let raw = raw.filter(|(receiver, ..)| *receiver == user);
        let events: &[(To, Packet)] = match voice {
            Voice::Raw => &[],
            Voice::Events(Words::Chat) => &self.chat,
            Voice::Events(Words::Calls) => &self.calls,
        };
        let events = events
            .iter()
            .filter(move |(to, _)| to.reaches(user, |device| member.is_of(device)))
            .map(|(_, packet)| packet);
        let id = raw.map_or(self.id.get(), |(_, message, _)| message.get());
        (id, raw.map(|(.., packet)| packet).into_iter().chain(events))
    }
}

fn packets(told: &[Told]) -> Vec<(To, Packet)> {
    let packets = told.iter().flat_map(|told| {
        told.names().map(|name| {
            let text = Utf8Bytes::from(event_text(name, &told.data));
            (told.to.clone(), text.into())
        })
    });
    packets.collect()
}

/// Notes that a device of the callee was told of a call: it rings. What fails is not noted.
pub(crate) async fn ring(engine: &Engine, callee: &Actor, call: CallId) {
    match engine.calls().ring(callee, &call.into()).await {
        Ok(()) => {}
        // It is not his, or over.
        Err(error) if matches!(error.code, Code::NotFound | Code::CallState) => {}
        Err(error) => {
            tracing::warn!(call = %call, code = error.code.as_str(), "a call rings and it was not noted");
        }
    }
}

/// The users of an audience.
pub(crate) fn users(audience: &[Audience]) -> impl Iterator<Item = UserId> {
    audience.iter().map(|one| match one {
        Audience::User(user) => *user,
    })
}
