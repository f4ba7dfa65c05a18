//! What clients are told of what has happened: from a logged event, or from something that
//! passes, to names and payloads.
//!
//! There are two families of words for messages, [`Words`]; everything else has one name, or two
//! that are twins, and goes to everybody. What comes of a logged event carries `event_id`, by which
//! a client drops what it has heard already, and `feed_seq`, the cursor from which it goes on. Where
//! one event becomes several for somebody, only the last carries the cursor, so that nobody goes on
//! from the middle; the others' ids are those of the event and a number. Twins carry the same of
//! both.

mod calls;
mod passing;

use serde_json::{Map, Value};
use telemed_core::Engine;
use telemed_core::calls::DeviceId;
use telemed_core::error::Error;
use telemed_core::id::{EventId, MessageId, UserId};
use telemed_core::journal::{Event, EventKind, LoggedEvent};
use telemed_core::messaging::{Message, ReceiptKind};
use telemed_core::scheduling::AppointmentStatus;

use crate::calls::MessageLine;
use crate::chat::MessageCard;
use crate::platform::words::status_word;

pub(crate) use calls::ringing;
pub(crate) use passing::{of_frame, of_signal};

/// How many messages of one mark are told one by one at most: the newest. One that is read or
/// delivered says so of all before it.
const MOST_TOLD: usize = 100;

/// In which words somebody is told of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Words {
    /// `new_message`, `messages_read`, `user_typing`.
    Chat,
    /// `chat:message`, `chat:read`, `chat:delivered`, `chat:typing`.
    Calls,
}

/// Who is told something, of those whom its event is for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum To {
    /// All of them.
    #[default]
    All,
    /// This user's sockets.
    User(UserId),
    /// Those of this user's device.
    Device(UserId, DeviceId),
    /// Those of this user's other devices.
    OtherDevices(UserId, DeviceId),
}

impl To {
    /// Whether a user's socket is among them; `is_of` says whether it is one of a device.
    pub(crate) fn reaches(&self, user: UserId, is_of: impl FnOnce(&DeviceId) -> bool) -> bool {
        match self {
            Self::All => true,
            Self::User(one) => *one == user,
            Self::Device(one, device) => *one == user && is_of(device),
            Self::OtherDevices(one, device) => *one == user && !is_of(device),
        }
    }
}

/// Something that a client is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Its name.
    pub name: &'static str,
    /// Another name under which the same is told, before.
    pub twin: Option<&'static str>,
    /// Its payload.
    pub data: Map<String, Value>,
    /// Who is told.
    pub to: To,
}

impl Told {
    /// Both names, or the one.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.twin.into_iter().chain([self.name])
    }
}

/// What is told of a logged event, in order. Nothing for what no client listens to.
///
/// # Errors
/// When the store fails or a message does not open.
pub(crate) async fn of_event(
    engine: &Engine,
    logged: &LoggedEvent,
    words: Words,
) -> Result<Vec<Told>, Error> {
    let event = &logged.event;
    let mut told = match (event.kind, words) {
        (EventKind::MessageSent, _) => {
            let message = engine.messaging().message_of_event(event).await?;
            let told = message.map(|message| of_message(message, logged, words));
            return Ok(told.into_iter().collect());
        }
        (EventKind::MessagesRead, Words::Chat) => {
            vec![read(
                event,
                &engine.messaging().marked_messages(event).await?,
            )]
        }
        (EventKind::MessagesDelivered, Words::Chat) => Vec::new(),
        (EventKind::MessagesRead | EventKind::MessagesDelivered, Words::Calls) => {
            let newest_first = engine.messaging().marked_messages(event).await?;
            let told = newest_first.iter().take(MOST_TOLD).rev();
            told.map(|message| marked(event, *message)).collect()
        }
        _ if calls::is_of_call(event.kind) => calls::of_event(engine, event).await?,
        _ => appointment(event).into_iter().collect(),
    };
    // Those are chunks of what is told to the same.
    for chunk in told.chunk_by_mut(|one, other| one.to == other.to) {
        number(chunk, event.id);
        if let Some(last) = chunk.last_mut() {
            put(last, "feed_seq", logged.seq);
        }
    }
    Ok(told)
}

/// Whether it is told alike in all words.
pub(crate) fn has_one_name(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::MessageSent | EventKind::MessagesRead | EventKind::MessagesDelivered
    )
}

/// What is told of a message that was sent, by the event that says so.
pub(crate) fn of_message(message: Message, logged: &LoggedEvent, words: Words) -> Told {
    let mut told = sent(message, words);
    number(std::slice::from_mut(&mut told), logged.event.id);
    put(&mut told, "feed_seq", logged.seq);
    told
}

/// What stands in a user's feed for each of these events, with the event: one entry for one event,
/// so that every cursor is that of a whole. What no client listens to is left out. A mark of several
/// messages names the newest, and all of them in `message_ids`.
///
/// # Errors
/// As [`of_event`].
pub(crate) async fn in_feed<'e>(
    engine: &Engine,
    reader: Option<UserId>,
    events: &'e [LoggedEvent],
) -> Result<Vec<(&'e LoggedEvent, Told)>, Error> {
    let about = events.iter().map(|logged| &logged.event);
    let mut messages = engine.messaging().messages_of_events(about).await?;
    let mut feed = Vec::new();
    for logged in events {
        let event = &logged.event;
        let told = match event.kind {
            EventKind::MessageSent => {
                let id = event.subject.as_uuid().map(MessageId::new);
                let at = messages.iter().position(|one| Some(one.id) == id);
                at.map(|at| sent(messages.swap_remove(at), Words::Calls))
            }
            EventKind::MessagesRead | EventKind::MessagesDelivered => {
                let newest_first = engine.messaging().marked_messages(event).await?;
                newest_first.first().map(|newest| {
                    let mut told = marked(event, *newest);
                    put(&mut told, "message_ids", ids(&newest_first));
                    told
                })
            }
            kind if calls::is_of_call(kind) => calls::in_feed(engine, event, reader).await?,
            _ => appointment(event),
        };
        if let Some(mut told) = told {
            number(std::slice::from_mut(&mut told), event.id);
            put(&mut told, "feed_seq", logged.seq);
            feed.push((logged, told));
        }
    }
    Ok(feed)
}

fn sent(message: Message, words: Words) -> Told {
    let conversation = message.conversation.to_string();
    match words {
        Words::Chat => {
            let mut told = named("new_message");
            put(&mut told, "message", object(&MessageCard::from(message)));
            put(&mut told, "conversation_id", conversation);
            told
        }
        Words::Calls => Told {
            data: object(&MessageLine::from(message)),
            ..named("chat:message")
        },
    }
}

/// A mark in chat words: everything that was newly read, oldest first.
fn read(event: &Event, newest_first: &[MessageId]) -> Told {
    let mut told = named("messages_read");
    put(&mut told, "conversation_id", event.subject.id_text());
    put(&mut told, "reader_id", field(event, "user_id"));
    put(&mut told, "message_ids", ids(newest_first));
    put(&mut told, "read_at", event.at.to_string());
    told
}

/// A mark in calls words, of one message.
fn marked(event: &Event, message: MessageId) -> Told {
    let (name, kind, dated) = match event.kind {
        EventKind::MessagesRead => ("chat:read", ReceiptKind::Read, "read_at"),
        _ => ("chat:delivered", ReceiptKind::Delivered, "delivered_at"),
    };
    let mut told = named(name);
    put(&mut told, "message_id", message.to_string());
    put(&mut told, "conversation_id", event.subject.id_text());
    put(&mut told, "user_id", field(event, "user_id"));
    put(&mut told, "status", kind.as_str());
    put(&mut told, dated, event.at.to_string());
    told
}

/// A change of an appointment: ids and its state.
fn appointment(event: &Event) -> Option<Told> {
    let name = match event.kind {
        EventKind::AppointmentBooked => "appointment:booked",
        EventKind::AppointmentRescheduled | EventKind::AppointmentUpdated => "appointment:updated",
        EventKind::AppointmentCancelled => "appointment:cancelled",
        _ => return None,
    };
    let mut data = event.data.clone();
    if let Some(Value::String(word)) = data.get_mut("status")
        && let Ok(status) = AppointmentStatus::parse(word.as_str())
    {
        *word = status_word(status).to_owned();
    }
    let mut told = Told {
        data,
        ..named(name)
    };
    put(&mut told, "appointment_id", event.subject.as_number());
    Some(told)
}

fn named(name: &'static str) -> Told {
    Told {
        name,
        ..Told::default()
    }
}

/// Numbers what is told of one event: the last has its id.
fn number(told: &mut [Told], event: EventId) {
    if let Some((last, others)) = told.split_last_mut() {
        for (at, one) in (1_usize..).zip(others) {
            put(one, "event_id", format!("{event}.{at}"));
        }
        put(last, "event_id", event.to_string());
    }
}

fn put(told: &mut Told, name: &str, value: impl Into<Value>) {
    told.data.insert(name.to_owned(), value.into());
}

fn field(event: &Event, name: &str) -> Value {
    event.data.get(name).cloned().unwrap_or_default()
}

/// The ids, oldest first.
fn ids(newest_first: &[MessageId]) -> Value {
    newest_first.iter().rev().map(ToString::to_string).collect()
}

/// A view as an object; our views are.
fn object(view: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(view) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
