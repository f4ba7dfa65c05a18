//! The one table of events: their names, who sends them, and what they carry. Handlers are found
//! by it, and `socket-events.md` in this crate's documentation is printed from it.

use std::fmt::Write;

use crate::told::Words;

/// An event that clients send.
#[derive(Debug)]
pub(crate) struct ClientEvent {
    pub(crate) name: &'static str,
    pub(crate) command: Command,
    /// In which words who sends it wants to hear, unless it has said so.
    pub(crate) words: Option<Words>,
    /// The largest JSON of it, in bytes.
    pub(crate) most: usize,
    payload: &'static str,
    about: &'static str,
}

/// What an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Register,
    Join,
    Leave,
    Typing,
    TypingStart,
    TypingStop,
    Send,
    Delivered,
    Read,
}

/// An event that the server sends.
#[derive(Debug)]
struct ServerEvent {
    name: &'static str,
    /// The family of words that it belongs to; none if everybody hears it.
    words: Option<Words>,
    payload: &'static str,
    about: &'static str,
}

/// The largest JSON of an event.
const USUAL: usize = 16 * 1024;
/// The largest JSON of an event that carries a text.
const LARGE: usize = 64 * 1024;

/// What clients send.
const CLIENT_EVENTS: &[ClientEvent] = &[
    ClientEvent {
        name: "register_user",
        command: Command::Register,
        words: None,
        most: USUAL,
        payload: "user_id",
        about: "Says who one is, which must be the user of the credential.",
    },
    ClientEvent {
        name: "join_conversation",
        command: Command::Join,
        words: Some(Words::Chat),
        most: USUAL,
        payload: "conversation_id",
        about: "Opens a conversation on the screen. Its participants hear it in any case.",
    },
    ClientEvent {
        name: "leave_conversation",
        command: Command::Leave,
        words: Some(Words::Chat),
        most: USUAL,
        payload: "conversation_id",
        about: "Closes it on the screen.",
    },
    ClientEvent {
        name: "typing",
        command: Command::Typing,
        words: Some(Words::Chat),
        most: USUAL,
        payload: "conversation_id, is_typing",
        about: "Tells the others that one writes, or has stopped.",
    },
    ClientEvent {
        name: "typing_start",
        command: Command::TypingStart,
        words: Some(Words::Chat),
        most: USUAL,
        payload: "conversation_id",
        about: "The same: one writes.",
    },
    ClientEvent {
        name: "typing_stop",
        command: Command::TypingStop,
        words: Some(Words::Chat),
        most: USUAL,
        payload: "conversation_id",
        about: "The same: one has stopped.",
    },
    ClientEvent {
        name: "chat:typing",
        command: Command::Typing,
        words: Some(Words::Calls),
        most: USUAL,
        payload: "conversation_id, is_typing",
        about: "Tells the others that one writes, or has stopped.",
    },
    ClientEvent {
        name: "chat:message",
        command: Command::Send,
        words: Some(Words::Calls),
        most: LARGE,
        payload: "conversation_id, body, message_type?, call_id?, appointment_id?, client_msg_id?",
        about: "Sends a message. Under the same client_msg_id it is sent once.",
    },
    ClientEvent {
        name: "chat:delivered",
        command: Command::Delivered,
        words: Some(Words::Calls),
        most: USUAL,
        payload: "message_id",
        about: "Says that one has a message, and those before it.",
    },
    ClientEvent {
        name: "chat:read",
        command: Command::Read,
        words: Some(Words::Calls),
        most: USUAL,
        payload: "message_id",
        about: "Says that one has read a message, and those before it.",
    },
];

/// What the server sends.
const SERVER_EVENTS: &[ServerEvent] = &[
    ServerEvent {
        name: "connection_status",
        words: None,
        payload: "status: connected, user_id, feed_seq",
        about: "The socket is open.",
    },
    ServerEvent {
        name: "connection_response",
        words: None,
        payload: "status: connected, success, user_id, feed_seq",
        about: "The same.",
    },
    ServerEvent {
        name: "registered",
        words: None,
        payload: "status: success, user_id",
        about: "Answers register_user.",
    },
    ServerEvent {
        name: "conversation_joined",
        words: None,
        payload: "conversation_id, status: success",
        about: "Answers join_conversation.",
    },
    ServerEvent {
        name: "conversation_left",
        words: None,
        payload: "conversation_id, status: success",
        about: "Answers leave_conversation.",
    },
    ServerEvent {
        name: "error",
        words: None,
        payload: "message, error_code, event?, field?, retry_after?, newest?",
        about: "Something that was asked for without an acknowledgement is refused, or the log is \
                kept no longer from the cursor that was given.",
    },
    ServerEvent {
        name: "new_message",
        words: Some(Words::Chat),
        payload: "message, conversation_id",
        about: "A message was sent: to every participant, its sender too.",
    },
    ServerEvent {
        name: "chat:message",
        words: Some(Words::Calls),
        payload: "message_id, conversation_id, sender_id, sender_name, body, message_type, status, \
                  created_at, delivered_at, read_at, call_id, client_msg_id, seq",
        about: "The same.",
    },
    ServerEvent {
        name: "messages_read",
        words: Some(Words::Chat),
        payload: "conversation_id, reader_id, message_ids, read_at",
        about: "A participant has read messages.",
    },
    ServerEvent {
        name: "chat:read",
        words: Some(Words::Calls),
        payload: "message_id, conversation_id, user_id, status, read_at",
        about: "The same, for each message.",
    },
    ServerEvent {
        name: "chat:delivered",
        words: Some(Words::Calls),
        payload: "message_id, conversation_id, user_id, status, delivered_at",
        about: "A participant's device has a message.",
    },
    ServerEvent {
        name: "user_typing",
        words: Some(Words::Chat),
        payload: "conversation_id, user_id, user_name, is_typing",
        about: "A participant writes, or has stopped: to the others.",
    },
    ServerEvent {
        name: "chat:typing",
        words: Some(Words::Calls),
        payload: "conversation_id, user_id, user_name, is_typing",
        about: "The same.",
    },
    ServerEvent {
        name: "appointment:booked",
        words: None,
        payload: "appointment_id, ids and the state",
        about: "An appointment was booked: to its patient and its doctor.",
    },
    ServerEvent {
        name: "appointment:updated",
        words: None,
        payload: "appointment_id, ids and the state",
        about: "An appointment was moved, or its state has changed.",
    },
    ServerEvent {
        name: "appointment:cancelled",
        words: None,
        payload: "appointment_id, ids and the state",
        about: "An appointment was cancelled.",
    },
];

/// The event of a client with this name.
pub(crate) fn client_event(name: &str) -> Option<&'static ClientEvent> {
    CLIENT_EVENTS.iter().find(|event| event.name == name)
}

/// Whether the server sends an event of this name.
pub(crate) fn is_server_event(name: &str) -> bool {
    SERVER_EVENTS.iter().any(|event| event.name == name)
}

/// The table as Markdown, as it stands in the documentation.
#[must_use]
pub fn event_table() -> String {
    let family = |words: Option<Words>| match words {
        None => "any",
        Some(Words::Chat) => "chat",
        Some(Words::Calls) => "calls",
    };
    let mut text = String::from(INTRODUCTION);
    text.push_str("| event | words | most | payload | |\n|---|---|---|---|---|\n");
    for event in CLIENT_EVENTS {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} KiB | {} | {} |",
            event.name,
            family(event.words),
            event.most / 1024,
            event.payload,
            event.about
        );
    }
    text.push_str("\n## From the server\n\n");
    text.push_str("| event | words | payload | |\n|---|---|---|---|\n");
    for event in SERVER_EVENTS {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            event.name,
            family(event.words),
            event.payload,
            event.about
        );
    }
    text
}

const INTRODUCTION: &str = "\
# Events of the sockets

Socket.IO at `/socket.io/`, default namespace, over websocket and polling. The credential is
`auth.token`, else the `Authorization` header, else the session cookie on a page that may call.
`auth.after` is the cursor (`feed_seq`) after which one wants to be told what one missed.

Messages are told in one of two families of words: `auth.words` (`chat` or `calls`) if it is given,
else that of the last event that was sent, else chat with `auth.token` and calls without. What
was logged carries `event_id`, by which it is told once, and `feed_seq`.

An event that asks for an acknowledgement is answered `{success: true, data}` or
`{success: false, error_code, message}`. Without one, a refusal is an `error` event.

## From clients

";

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;

    #[test]
    fn the_printed_table_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/socket-events.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, event_table()).expect("the table can be written");
        }
        let printed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            printed,
            event_table(),
            "the events have changed: look at the difference, then run the tests with UPDATE_DOCS=1"
        );
    }

    #[test]
    fn names_stand_once() {
        for (at, event) in CLIENT_EVENTS.iter().enumerate() {
            let others = &CLIENT_EVENTS[at + 1..];
            assert!(others.iter().all(|other| other.name != event.name));
        }
        for (at, event) in SERVER_EVENTS.iter().enumerate() {
            let others = &SERVER_EVENTS[at + 1..];
            assert!(others.iter().all(|other| other.name != event.name));
        }
    }
}
