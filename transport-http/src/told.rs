//! What clients are told of what has happened: from a logged event, or from something that
//! passes, to names and payloads.
//!
//! There are two families of words for messages, [`Words`]; everything else has one name and goes
//! to everybody. What comes of a logged event carries `event_id`, by which a client drops what it
//! has heard already, and `feed_seq`, the cursor from which it goes on. Where one event becomes
//! several, only the last carries the cursor, so that nobody goes on from the middle; the others'
//! ids are those of the event and a number.

use serde_json::{Map, Value};
use telemed_core::Engine;
use telemed_core::error::Error;
use telemed_core::id::{EventId, MessageId};
use telemed_core::journal::{Event, EventKind, Frame, FrameKind, LoggedEvent};
use telemed_core::messaging::{Message, ReceiptKind};
use telemed_core::scheduling::AppointmentStatus;

use crate::calls::MessageLine;
use crate::chat::MessageCard;
use crate::platform::words::status_word;

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

/// Something that a client is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// Its name.
    pub name: &'static str,
    /// Its payload.
    pub data: Map<String, Value>,
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
        _ => appointment(event).into_iter().collect(),
    };
    if let Some((last, others)) = told.split_last_mut() {
        for (at, one) in (1_usize..).zip(others) {
            put(one, "event_id", format!("{}.{at}", event.id));
        }
        number(last, event.id);
        put(last, "feed_seq", logged.seq);
    }
    Ok(told)
}

/// What is told of a message that was sent, by the event that says so.
pub(crate) fn of_message(message: Message, logged: &LoggedEvent, words: Words) -> Told {
    let mut told = sent(message, words);
    number(&mut told, logged.event.id);
    put(&mut told, "feed_seq", logged.seq);
    told
}

/// What is told of something that passes.
pub(crate) fn of_frame(frame: &Frame, words: Words) -> Told {
    let name = match (frame.kind, words) {
        (FrameKind::Typing, Words::Chat) => "user_typing",
        (FrameKind::Typing, Words::Calls) => "chat:typing",
    };
    let mut told = Told {
        name,
        data: frame.data.clone(),
    };
    number(&mut told, frame.id);
    told
}

/// What stands in a feed for each of these events, with the event: one entry for one event, so
/// that every cursor is that of a whole. What no client listens to is left out. A mark of several
/// messages names the newest, and all of them in `message_ids`.
///
/// # Errors
/// As [`of_event`].
pub(crate) async fn in_feed<'e>(
    engine: &Engine,
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
            _ => appointment(event),
        };
        if let Some(mut told) = told {
            number(&mut told, event.id);
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
            let mut told = Told {
                name: "new_message",
                data: Map::new(),
            };
            put(&mut told, "message", object(&MessageCard::from(message)));
            put(&mut told, "conversation_id", conversation);
            told
        }
        Words::Calls => Told {
            name: "chat:message",
            data: object(&MessageLine::from(message)),
        },
    }
}

/// A mark in chat words: everything that was newly read, oldest first.
fn read(event: &Event, newest_first: &[MessageId]) -> Told {
    let mut told = Told {
        name: "messages_read",
        data: Map::new(),
    };
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
    let mut told = Told {
        name,
        data: Map::new(),
    };
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
    let mut told = Told { name, data };
    put(&mut told, "appointment_id", event.subject.as_number());
    Some(told)
}

fn number(told: &mut Told, event: EventId) {
    put(told, "event_id", event.to_string());
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
