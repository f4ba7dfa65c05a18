//! The one table of events: their names, who sends them, and what they carry. Handlers are found
//! by it, and `socket-events.md` in this crate's documentation is printed from it.

use std::fmt::Write;

use telemed_core::calls::SignalKind;

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
    Initiate,
    Accept,
    Decline,
    End,
    Connected,
    Resume,
    Signal(SignalKind),
    Presence,
    Quality,
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

/// The largest JSON of an event that carries a candidate.
const SMALL: usize = 4 * 1024;

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
    ClientEvent {
        name: "call:initiate",
        command: Command::Initiate,
        words: None,
        most: USUAL,
        payload: "callee_id, call_type, appointment_id?, client_call_id?, device_id?",
        about: "Begins a call; under the same client_call_id it is begun once. Acknowledged with \
                call_id, status, room_id, ice_servers, client_call_id and glare.",
    },
    ClientEvent {
        name: "call:accept",
        command: Command::Accept,
        words: None,
        most: USUAL,
        payload: "call_id, device_id?",
        about: "Accepts a call on this device. Acknowledged with call_id, status, room_id and \
                ice_servers.",
    },
    ClientEvent {
        name: "call:decline",
        command: Command::Decline,
        words: None,
        most: USUAL,
        payload: "call_id, reason?",
        about: "Declines a call.",
    },
    ClientEvent {
        name: "call:end",
        command: Command::End,
        words: None,
        most: USUAL,
        payload: "call_id, reason?, duration?",
        about: "Ends a call, whatever its state. The reason and the duration are the server's.",
    },
    ClientEvent {
        name: "call:connected",
        command: Command::Connected,
        words: None,
        most: USUAL,
        payload: "call_id",
        about: "Says that the two devices hear each other.",
    },
    ClientEvent {
        name: "call:resume",
        command: Command::Resume,
        words: None,
        most: USUAL,
        payload: "call_id, last_seq?, device_id?",
        about: "The device is back: it is sent the signals after last_seq again, in order. \
                Acknowledged with call_id, status, room_id and ice_servers.",
    },
    ClientEvent {
        name: "webrtc:offer",
        command: Command::Signal(SignalKind::Offer),
        words: None,
        most: LARGE,
        payload: "call_id, offer, device_id?",
        about: "Hands the other device an offer, once that device is there.",
    },
    ClientEvent {
        name: "webrtc:answer",
        command: Command::Signal(SignalKind::Answer),
        words: None,
        most: LARGE,
        payload: "call_id, answer, device_id?",
        about: "Hands the other device an answer.",
    },
    ClientEvent {
        name: "webrtc:ice",
        command: Command::Signal(SignalKind::Candidate),
        words: None,
        most: SMALL,
        payload: "call_id, candidate, device_id?",
        about: "Hands the other device a candidate, or a null after the last one.",
    },
    ClientEvent {
        name: "presence:update",
        command: Command::Presence,
        words: None,
        most: USUAL,
        payload: "status, current_call_id?, current_appointment_id?, device_id?, device_type?",
        about: "Says whether one can be reached, as long as the socket is open.",
    },
    ClientEvent {
        name: "quality:metrics",
        command: Command::Quality,
        words: None,
        most: USUAL,
        payload: "call_id, rtt, packet_loss, and what else POST \
                  /api/calls/{call_id}/quality-metrics takes",
        about: "Takes a sample of the quality of a call. Acknowledged as that is answered.",
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
    ServerEvent {
        name: "call_initiated",
        words: None,
        payload: "call_id, caller_id, callee_id, appointment_id, call_type, room_id, ice_servers, \
                  status; to the callee caller_name, to the caller client_call_id",
        about: "A call was begun: to its parties. To the callee only while it rings.",
    },
    ServerEvent {
        name: "call:ringing",
        words: None,
        payload: "to the callee as call_initiated; to the caller call_id, status and the ids",
        about: "To the callee: the twin of call_initiated. To the caller: a device of the callee \
                rings.",
    },
    ServerEvent {
        name: "call_accepted",
        words: None,
        payload: "call_id, status, caller_id, callee_id, call_type, appointment_id, seq",
        about: "The callee has answered: to the caller and to the device that answered.",
    },
    ServerEvent {
        name: "call:accepted",
        words: None,
        payload: "as call_accepted",
        about: "The twin of call_accepted.",
    },
    ServerEvent {
        name: "call_connected",
        words: None,
        payload: "as call_accepted",
        about: "The two hear each other: to the caller and to the device that answered.",
    },
    ServerEvent {
        name: "call:connected",
        words: None,
        payload: "as call_accepted",
        about: "The twin of call_connected.",
    },
    ServerEvent {
        name: "call_declined",
        words: None,
        payload: "as call_ended",
        about: "The callee does not want the call: to all devices of both.",
    },
    ServerEvent {
        name: "call:declined",
        words: None,
        payload: "as call_ended",
        about: "The twin of call_declined.",
    },
    ServerEvent {
        name: "call:missed",
        words: None,
        payload: "as call_ended",
        about: "Nobody answered, or the caller gave up, or the callee was busy (to him): all \
                devices stop ringing.",
    },
    ServerEvent {
        name: "call:busy",
        words: None,
        payload: "as call_ended",
        about: "The callee is in another call, or does not want to be disturbed: to the caller.",
    },
    ServerEvent {
        name: "call:error",
        words: None,
        payload: "as call_ended",
        about: "The two devices did not find to each other.",
    },
    ServerEvent {
        name: "call_ended",
        words: None,
        payload: "call_id, status, reason, ended_by, duration, caller_id, callee_id, call_type, \
                  appointment_id, seq",
        about: "The call is over. To the callee's other devices it is so with the reason \
                answered_elsewhere once it is answered.",
    },
    ServerEvent {
        name: "call:ended",
        words: None,
        payload: "as call_ended",
        about: "The twin of call_ended.",
    },
    ServerEvent {
        name: "webrtc:offer",
        words: None,
        payload: "call_id, offer, sender_id, seq",
        about: "The other party's offer: to the device that takes part in the call.",
    },
    ServerEvent {
        name: "webrtc:answer",
        words: None,
        payload: "call_id, answer, sender_id, seq",
        about: "The other party's answer.",
    },
    ServerEvent {
        name: "webrtc:ice",
        words: None,
        payload: "call_id, candidate, sender_id, seq",
        about: "A candidate of the other party.",
    },
    ServerEvent {
        name: "quality:recorded",
        words: None,
        payload: "metric_id, call_id, user_id, rtt, packet_loss, audio_quality, video_quality, \
                  grade, timestamp",
        about: "A sample of a call's quality was taken: to its parties.",
    },
    ServerEvent {
        name: "quality:changed",
        words: None,
        payload: "as quality:recorded, previous_grade, hint",
        about: "The connection of a party has another grade; the hint says what may help.",
    },
    ServerEvent {
        name: "presence:updated",
        words: None,
        payload: "user_id, status, last_seen",
        about: "Whether somebody can be reached has changed: to his contacts.",
    },
    ServerEvent {
        name: "presence:update",
        words: None,
        payload: "as presence:updated",
        about: "The twin of presence:updated.",
    },
    ServerEvent {
        name: "user:online",
        words: None,
        payload: "user_id, status, last_seen",
        about: "Somebody has come.",
    },
    ServerEvent {
        name: "user:offline",
        words: None,
        payload: "user_id, status, last_seen",
        about: "Somebody has gone.",
    },
    ServerEvent {
        name: "user_status",
        words: None,
        payload: "user_id, is_online",
        about: "Either of the two.",
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

A socket is one of the device `auth.device_id` (of the kind `auth.device_type`), else of its
session; an event that carries `device_id` names it anew. `call_id` may be the id that the client
gave the call itself. Twins, such as call_accepted and call:accepted, are the same under two names
and carry the same `event_id`; a client listens to one of them, or drops the second.

An event that asks for an acknowledgement is answered `{success: true, data}` or
`{success: false, error_code, message, details?}`; where the state of a call refuses it, the
details have `call_id` and `status`. Without one, a refusal is an `error` event.

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
