//! What clients ask for by their events: each reads its payload, calls one operation and says
//! what it answers.

use serde::Deserialize;
use serde_json::{Value, json};
use telemed_core::Engine;
use telemed_core::calls::CallReference;
use telemed_core::error::{Code, Error};
use telemed_core::id::{ConversationId, MessageId, UserId};
use telemed_core::limits::LimitName;
use telemed_core::messaging::{
    ClientMessageId, MessageBody, MessageContext, MessageKind, ReceiptKind, SendMessage,
};
use telemed_core::value::Checks;

use super::calling::{self, Asker};
use super::events::Command;
use super::packet::Payload;
use crate::auth::HasEngine;
use crate::calls::MessageLine;
use crate::connection::{Person, Sockets};
use crate::extract::{Flag, Id, UuidId, unless_blank};

/// What a command has done.
pub(super) struct Done {
    /// What it is acknowledged with.
    pub(super) data: Value,
    /// The event that answers it on its socket.
    pub(super) event: Option<(&'static str, Value)>,
    /// Whether the user writes in a conversation now.
    pub(super) typing: Option<(ConversationId, bool)>,
}

impl Done {
    pub(super) fn with(data: Value) -> Self {
        Self {
            data,
            event: None,
            typing: None,
        }
    }

    fn answered(name: &'static str, data: Value) -> Self {
        Self {
            event: Some((name, data.clone())),
            ..Self::with(data)
        }
    }
}

/// Does what an event asks for.
///
/// # Errors
/// What the operation refuses.
pub(super) async fn run(
    command: Command,
    asker: Asker<'_>,
    payload: Payload<'_>,
) -> Result<Done, Error> {
    let Asker {
        sockets, person, ..
    } = asker;
    sockets.spend(LimitName::Writes, person).await?;
    let engine = sockets.engine();
    // What waits for the store is apart: signals are many, and most of them wait for nothing.
    match command {
        Command::Register => register(person, payload),
        Command::Join => Box::pin(join(engine, person, payload)).await,
        Command::Leave => {
            let conversation = conversation_of(payload)?;
            let data = json!({"conversation_id": conversation.to_string(), "status": "success"});
            Ok(Done::answered("conversation_left", data))
        }
        Command::Typing => Box::pin(typing(engine, person, payload, None)).await,
        Command::TypingStart => Box::pin(typing(engine, person, payload, Some(true))).await,
        Command::TypingStop => Box::pin(typing(engine, person, payload, Some(false))).await,
        Command::Send => Box::pin(send(sockets, person, payload)).await,
        Command::Delivered => Box::pin(mark(engine, person, payload, ReceiptKind::Delivered)).await,
        Command::Read => Box::pin(mark(engine, person, payload, ReceiptKind::Read)).await,
        Command::Initiate => Box::pin(calling::initiate(asker, payload)).await,
        Command::Accept => Box::pin(calling::accept(asker, payload)).await,
        Command::Decline => Box::pin(calling::decline(asker, payload)).await,
        Command::End => Box::pin(calling::end(asker, payload)).await,
        Command::Connected => Box::pin(calling::connected(asker, payload)).await,
        Command::Resume => Box::pin(calling::resume(asker, payload)).await,
        Command::Signal(kind) => calling::signal(asker, payload, kind).await,
        Command::Presence => Box::pin(calling::presence(asker, payload)).await,
        Command::Quality => Box::pin(calling::quality(asker, payload)).await,
    }
}

#[derive(Deserialize)]
struct WhoBody {
    user_id: Option<Id>,
}

fn register(person: &Person, payload: Payload<'_>) -> Result<Done, Error> {
    let body: WhoBody = payload.read()?;
    let mut checks = Checks::new();
    let user = checks.required("user_id", body.user_id, Id::typed::<UserId>);
    if checks.finish(user)? != person.user() {
        return Err(Error::new(Code::Forbidden));
    }
    let data = json!({"status": "success", "user_id": person.user().get()});
    Ok(Done::answered("registered", data))
}

#[derive(Deserialize)]
struct ConversationBody {
    conversation_id: Option<String>,
    is_typing: Option<Flag>,
}

fn conversation(body: &ConversationBody) -> Result<ConversationId, Error> {
    let mut checks = Checks::new();
    let id = body.conversation_id.as_deref();
    let id = checks.required("conversation_id", id, UuidId::typed);
    checks.finish(id)
}

fn conversation_of(payload: Payload<'_>) -> Result<ConversationId, Error> {
    conversation(&payload.read()?)
}

async fn join(engine: &Engine, person: &Person, payload: Payload<'_>) -> Result<Done, Error> {
    let id = conversation_of(payload)?;
    let found = engine.messaging().conversation(person.actor(), id).await;
    found.map_err(|error| match error.code {
        // The same whether there is one or not.
        Code::NotFound => {
            Error::new(Code::Forbidden).message("You do not take part in this conversation")
        }
        _ => error,
    })?;
    let data = json!({"conversation_id": id.to_string(), "status": "success"});
    Ok(Done::answered("conversation_joined", data))
}

async fn typing(
    engine: &Engine,
    person: &Person,
    payload: Payload<'_>,
    is_typing: Option<bool>,
) -> Result<Done, Error> {
    let body: ConversationBody = payload.read()?;
    let id = conversation(&body)?;
    let told = body.is_typing.is_some_and(|Flag(is_typing)| is_typing);
    let is_typing = is_typing.unwrap_or(told);
    person.set_typing(engine, id, is_typing).await?;
    let data = json!({"conversation_id": id.to_string(), "is_typing": is_typing});
    Ok(Done {
        typing: Some((id, is_typing)),
        ..Done::with(data)
    })
}

#[derive(Deserialize)]
struct MessageIn {
    conversation_id: Option<String>,
    #[serde(alias = "message", alias = "content")]
    body: Option<String>,
    message_type: Option<String>,
    call_id: Option<String>,
    appointment_id: Option<Id>,
    client_msg_id: Option<String>,
}

async fn send(sockets: &Sockets, person: &Person, payload: Payload<'_>) -> Result<Done, Error> {
    let body: MessageIn = payload.read()?;
    let engine = sockets.engine();
    let mut checks = Checks::new();
    let conversation = body.conversation_id;
    let conversation = checks.required("conversation_id", conversation, UuidId::typed);
    let most = engine.settings().message_lengths.others;
    let text = checks.required("body", body.body, |text| MessageBody::new(text, most));
    let kind = unless_blank(body.message_type);
    let kind = checks.optional("message_type", kind, MessageKind::parse);
    let call = checks.optional("call_id", unless_blank(body.call_id), CallReference::new);
    let appointment = checks.optional("appointment_id", body.appointment_id, Id::typed);
    let client_id = unless_blank(body.client_msg_id);
    let client_id = checks.optional("client_msg_id", client_id, ClientMessageId::new);
    let (conversation, body) = checks.finish(conversation.zip(text))?;
    sockets.spend(LimitName::Messages, person).await?;
    let request = SendMessage {
        conversation,
        kind: kind.unwrap_or(MessageKind::Text),
        body,
        context: MessageContext {
            appointment,
            service: None,
            call,
        },
        client_id,
    };
    let sent = engine.messaging().send(person.actor(), request).await?;
    let data = serde_json::to_value(MessageLine::from(sent));
    Ok(Done::with(data.unwrap_or_default()))
}

#[derive(Deserialize)]
struct MarkBody {
    message_id: Option<String>,
}

async fn mark(
    engine: &Engine,
    person: &Person,
    payload: Payload<'_>,
    kind: ReceiptKind,
) -> Result<Done, Error> {
    let body: MarkBody = payload.read()?;
    let mut checks = Checks::new();
    let id = checks.required("message_id", body.message_id, MessageId::typed);
    let id = checks.finish(id)?;
    let messaging = engine.messaging();
    let message = messaging.mark_message(person.actor(), id, kind).await?;
    Ok(Done::with(json!({
        "message_id": id.to_string(),
        "conversation_id": message.conversation.to_string(),
        "user_id": person.user().get(),
        "status": message.status().as_str(),
        "delivered_at": message.delivered_at.map(|at| at.to_string()),
        "read_at": message.read_at.map(|at| at.to_string()),
    })))
}
