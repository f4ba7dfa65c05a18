//! One Engine.IO session and the Socket.IO connection on it: the task that lives as long as it
//! does, whatever its transport.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use telemed_core::calls::DeviceId;
use telemed_core::error::{Code, Error};
use telemed_core::id::ConversationId;
use telemed_core::identity::{AccessToken, Language};
use telemed_core::presence::DeviceType;
use telemed_core::value::{Checks, Issue};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::calling::Asker;
use super::commands;
use super::events::{ClientEvent, client_event};
use super::packet::{
    DISCONNECTED, EnginePacket, PING, Payload, SocketKind, SocketPacket, ack_text, connected_text,
    event_text, refused_text,
};
use super::sid::Sid;
use crate::auth::HasEngine;
use crate::connection::{
    Device, End, Feed, Handshake, Heard, Joined, Link, Member, Next, Order, Outbox, Person, Seat,
    Sockets, Voice, is_refused, newest_of, next,
};
use crate::extract::{from_object, unless_blank};
use crate::platform::envelope::{code_word, details, message};
use crate::told::Words;

/// How long somebody counts as writing who says nothing more.
const TYPING: Duration = Duration::from_secs(5);
/// In how many conversations somebody can be writing at one time.
const MOST_TYPING: usize = 32;
/// When something that failed for a reason of ours is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What comes to a session from requests.
pub(super) enum Inbound {
    /// A body of packets, the request that brought it, and whom to tell that it is read.
    Body(String, Box<Handshake>, oneshot::Sender<()>),
    /// A WebSocket that the session goes on with.
    Upgraded(Box<Link>),
}

/// A session.
pub(super) struct Session {
    sockets: Sockets,
    handshake: Handshake,
    outbox: Arc<Outbox>,
    seat: Seat,
    known: Option<Known>,
    /// Since when it is not known whose the session is.
    unknown_since: Instant,
    /// How many frames of bytes are to be skipped.
    skip: usize,
    feed: Option<Feed>,
    try_at: Option<Instant>,
}

/// A connected user.
struct Known {
    person: Person,
    joined: Joined,
    /// Whether the words follow what the client sends.
    words_follow: bool,
    /// Where the user writes, and until when that is believed.
    typing: Vec<(ConversationId, Instant)>,
}

/// When the client is asked whether it lives, and until when it has to have answered.
struct Heartbeat {
    ask_at: Option<Instant>,
    answer_by: Option<Instant>,
}

impl Session {
    pub(super) fn new(
        sockets: &Sockets,
        handshake: Handshake,
        outbox: Arc<Outbox>,
        mut seat: Seat,
    ) -> Box<Self> {
        seat.wait(&outbox, handshake.origin());
        Box::new(Self {
            sockets: sockets.clone(),
            handshake,
            outbox,
            seat,
            known: None,
            unknown_since: Instant::now(),
            skip: 0,
            feed: None,
            try_at: None,
        })
    }

    /// Lives until the session ends, and says why it did. What is left is the link, if there is
    /// one, to be closed.
    pub(super) async fn run(
        mut self: Box<Self>,
        mut link: Option<Box<Link>>,
        mut inbox: Option<mpsc::Receiver<Inbound>>,
    ) -> (Option<Box<Link>>, End) {
        let (interval, patience) = {
            let config = self.sockets.config();
            (config.ping_interval, config.ping_timeout)
        };
        let mut heartbeat = Heartbeat {
            ask_at: Some(Instant::now() + interval),
            answer_by: None,
        };
        let why = loop {
            let now = Instant::now();
            if let Err(why) = Box::pin(self.look_at_the_clock(now)).await {
                break why;
            }
            if heartbeat.answer_by.is_some_and(|by| now >= by) {
                break End::Silent;
            }
            if heartbeat.ask_at.is_some_and(|at| now >= at) {
                self.outbox.push(Utf8Bytes::from_static(PING));
                heartbeat.ask_at = None;
                heartbeat.answer_by = Some(now + patience);
            }
            let wants_room = self.feed.is_some() && self.try_at.is_none();
            let until = [heartbeat.ask_at, heartbeat.answer_by, self.next_time()]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(now + interval);
            let happened = tokio::select! {
                biased;
                happened = next(link.as_deref_mut(), &self.outbox, until, wants_room) => happened,
                inbound = receive(&mut inbox) => {
                    let went = match inbound {
                        Some(Inbound::Body(body, request, read)) => {
                            self.handshake.learn(&request);
                            let went = Box::pin(self.body(&body, &mut heartbeat, interval)).await;
                            // Who does not wait any more need not be told.
                            let _ = read.send(());
                            went
                        }
                        Some(Inbound::Upgraded(upgraded)) => {
                            link = Some(upgraded);
                            inbox = None;
                            Ok(())
                        }
                        None => {
                            inbox = None;
                            Ok(())
                        }
                    };
                    match went {
                        Ok(()) => continue,
                        Err(why) => break why,
                    }
                }
            };
            let went = match happened {
                Next::Order(Order::End(why)) => Err(why),
                Next::Order(Order::Recheck) => Box::pin(self.recheck()).await,
                Next::Order(Order::Reread(cursor)) => {
                    self.reread(cursor);
                    Ok(())
                }
                Next::Heard(Heard::Text(text)) => {
                    Box::pin(self.body(&text, &mut heartbeat, interval)).await
                }
                Next::Heard(Heard::Binary) => self.binary(),
                Next::Heard(Heard::TooLarge) => Err(End::TooLarge),
                Next::Heard(Heard::Gone) => Err(End::Silent),
                Next::Heard(Heard::Pong | Heard::Took(_)) | Next::Time => Ok(()),
                Next::Room => {
                    Box::pin(self.feed()).await;
                    Ok(())
                }
            };
            if let Err(why) = went {
                break why;
            }
        };
        if why == End::Unauthorized {
            self.outbox.push(Utf8Bytes::from_static(DISCONNECTED));
        }
        Box::pin(self.leave()).await;
        (link, why)
    }

    /// When something is to be done.
    fn next_time(&self) -> Option<Instant> {
        let unknown = match self.known {
            Some(_) => None,
            None => Some(self.unknown_since + self.sockets.config().authenticate_within),
        };
        let typing = self.known.iter().flat_map(|known| &known.typing);
        let typing = typing.map(|(_, until)| *until);
        unknown.into_iter().chain(self.try_at).chain(typing).min()
    }

    /// Does what it is time for.
    async fn look_at_the_clock(&mut self, now: Instant) -> Result<(), End> {
        if self.try_at.is_some_and(|at| now >= at) {
            self.try_at = None;
        }
        let Some(known) = &mut self.known else {
            let by = self.unknown_since + self.sockets.config().authenticate_within;
            return if now >= by {
                Err(End::Unauthenticated)
            } else {
                Ok(())
            };
        };
        let mut over = Vec::new();
        known.typing.retain(|(conversation, until)| {
            let is_over = now >= *until;
            if is_over {
                over.push(*conversation);
            }
            !is_over
        });
        self.stop_typing(over).await;
        Ok(())
    }

    /// Tells the others that the user writes no longer.
    async fn stop_typing(&self, conversations: Vec<ConversationId>) {
        let Some(known) = &self.known else { return };
        let messaging = self.sockets.engine().messaging();
        for conversation in conversations {
            // Who was not told sees it end by himself, or has left.
            let _ = messaging
                .set_typing(known.person.actor(), conversation, false)
                .await;
        }
    }

    /// Lets go of the user.
    async fn leave(&mut self) {
        let typing = self.known.iter().flat_map(|known| &known.typing);
        let typing = typing.map(|(conversation, _)| *conversation).collect();
        self.stop_typing(typing).await;
        self.known = None;
        self.feed = None;
    }

    /// Reads the packets of a body, or of a frame, which is one.
    async fn body(
        &mut self,
        body: &str,
        heartbeat: &mut Heartbeat,
        interval: Duration,
    ) -> Result<(), End> {
        for packet in EnginePacket::read_all(body).map_err(|_| End::Protocol)? {
            match packet {
                EnginePacket::Message(text) => self.message(text).await?,
                EnginePacket::Pong => {
                    if heartbeat.answer_by.take().is_some() {
                        heartbeat.ask_at = Some(Instant::now() + interval);
                    }
                }
                EnginePacket::Ping(data) => self.outbox.push(format!("3{data}")),
                EnginePacket::Close => return Err(End::Left),
                EnginePacket::Binary => self.binary()?,
                EnginePacket::Upgrade | EnginePacket::Noop => {}
            }
        }
        Ok(())
    }

    /// Skips bytes that belong to an event that was refused.
    fn binary(&mut self) -> Result<(), End> {
        self.skip = self.skip.checked_sub(1).ok_or(End::Protocol)?;
        Ok(())
    }

    async fn message(&mut self, text: &str) -> Result<(), End> {
        let SocketPacket { namespace, kind } =
            SocketPacket::read(text).map_err(|_| End::Protocol)?;
        if self.skip > 0 {
            // Its bytes are still to come.
            return Err(End::Protocol);
        }
        match (kind, namespace) {
            (SocketKind::Connect(auth), "/") => {
                if self.known.is_some() {
                    return Err(End::Protocol);
                }
                if let Err(error) = self.connect(auth).await {
                    self.outbox.push(refused_text("/", &refusal(&error)));
                }
                Ok(())
            }
            (SocketKind::Connect(_), other) => {
                let refusal = json!({"message": "Invalid namespace"});
                self.outbox.push(refused_text(other, &refusal));
                Ok(())
            }
            // Whatever else there is, is for those who are connected.
            (_, "/") if self.known.is_none() => Err(End::Protocol),
            (SocketKind::Disconnect, "/") => {
                self.leave().await;
                self.unknown_since = Instant::now();
                self.seat.wait(&self.outbox, self.handshake.origin());
                Ok(())
            }
            (SocketKind::Ack, "/") => Ok(()),
            (SocketKind::BinaryEvent { id, attachments }, "/") => {
                self.skip = attachments;
                let issue = Issue::new("event", "must not hold bytes");
                self.refuse(None, id, &Error::wrong_shape(vec![issue]));
                Ok(())
            }
            (
                SocketKind::Event {
                    name,
                    payload,
                    id,
                    json,
                },
                "/",
            ) => self.event(&name, payload, id, json.len()).await,
            _ => Err(End::Protocol),
        }
    }

    /// Connects a user.
    ///
    /// # Errors
    /// What the client is told.
    async fn connect(&mut self, auth: Value) -> Result<(), Error> {
        let auth = Auth::read(auth)?;
        let by_token = auth.token.is_some();
        let token = match auth.token {
            Some(token) => Some(AccessToken::new(token)),
            None => self.handshake.credential()?,
        };
        let token = token.ok_or_else(|| Error::new(Code::Unauthenticated))?;
        let engine = self.sockets.engine();
        let person = Person::of(engine, token, self.handshake.origin()).await?;
        let words = match auth.words {
            Some(words) => words,
            None if by_token => Words::Chat,
            None => Words::Calls,
        };
        let hub = self.sockets.hub();
        hub.listen(engine).await;
        let joined = hub.join(Member::new(
            &person,
            Arc::clone(&self.outbox),
            Voice::Events(words),
            auth.device,
        ))?;
        let cursor = match auth.after {
            Some(after) => after,
            None => {
                let cursor = engine.event_cursor().await?;
                joined.hears_since(cursor);
                cursor
            }
        };
        self.seat.seated();
        self.outbox.push(connected_text(Sid::new()?.as_str()));
        let user = person.user().get();
        let mut status = json!({"status": "connected", "user_id": user, "feed_seq": cursor});
        self.emit("connection_status", &status);
        status["success"] = true.into();
        self.emit("connection_response", &status);
        if auth.after.is_some() {
            self.feed = Some(Feed::after(cursor));
        } else {
            joined.release();
        }
        self.known = Some(Known {
            person,
            joined,
            words_follow: auth.words.is_none(),
            typing: Vec::new(),
        });
        Ok(())
    }

    fn emit(&self, name: &'static str, data: &Value) {
        self.outbox.push(event_text(name, data));
    }

    async fn event(
        &mut self,
        name: &str,
        payload: Payload<'_>,
        id: Option<u64>,
        length: usize,
    ) -> Result<(), End> {
        let Some(event) = client_event(name) else {
            let issue = Issue::new("event", "is not known");
            self.refuse(Some(name), id, &Error::wrong_shape(vec![issue]));
            return Ok(());
        };
        if length > event.most {
            self.refuse(Some(name), id, &Error::new(Code::PayloadTooLarge));
            return Ok(());
        }
        let Some(known) = &mut self.known else {
            return Err(End::Protocol);
        };
        if let Some(words) = event.words.filter(|_| known.words_follow) {
            known.joined.speak(Voice::Events(words));
        }
        match command(&self.sockets, known, event, payload).await {
            Ok(done) => {
                if let Some((name, data)) = &done.event {
                    self.emit(name, data);
                }
                if let Some(id) = id {
                    let answer = json!({"success": true, "data": done.data});
                    self.outbox.push(ack_text(id, &answer));
                }
                if let Some((conversation, is_typing)) = done.typing {
                    self.note_typing(conversation, is_typing);
                }
                Ok(())
            }
            Err(error) if is_refused(&error) => Err(End::Unauthorized),
            Err(error) => {
                self.refuse(Some(name), id, &error);
                Ok(())
            }
        }
    }

    fn note_typing(&mut self, conversation: ConversationId, is_typing: bool) {
        let Some(known) = &mut self.known else { return };
        known.typing.retain(|(other, _)| *other != conversation);
        if is_typing && known.typing.len() < MOST_TYPING {
            let until = Instant::now() + TYPING;
            known.typing.push((conversation, until));
        }
    }

    /// Tells the client that something is refused: to its acknowledgement if it wants one.
    fn refuse(&self, event: Option<&str>, id: Option<u64>, error: &Error) {
        let language = self.known.as_ref().map(|known| known.person.language());
        let language = language.unwrap_or(Language::English);
        let mut body = json!({
            "error_code": code_word(error),
            "message": message(language, error),
        });
        if let Some(issue) = error.issues.first() {
            body["field"] = issue.field.as_ref().into();
        }
        if !error.details.is_empty() {
            body["details"] = details(error).into();
        }
        if let Some(wait) = error.retry_after {
            body["retry_after"] = wait.as_secs_f64().into();
        }
        if let Some(newest) = newest_of(error) {
            body["newest"] = newest.into();
        }
        if let Some(id) = id {
            body["success"] = false.into();
            self.outbox.push(ack_text(id, &body));
            return;
        }
        // A name that is not ours is not sent back.
        if let Some(event) = event.and_then(client_event) {
            body["event"] = event.name.into();
        }
        self.emit("error", &body);
    }

    /// Looks at the credential again. One that cannot be looked at now counts as good: the next
    /// look is near.
    async fn recheck(&mut self) -> Result<(), End> {
        let Some(known) = &mut self.known else {
            return Ok(());
        };
        match known.person.recheck(self.sockets.engine()).await {
            Err(error) if is_refused(&error) => Err(End::Unauthorized),
            Err(_) => Ok(()),
            Ok(()) => {
                known.joined.lasts_until(known.person.expires_at());
                Ok(())
            }
        }
    }

    fn reread(&mut self, cursor: u64) {
        if let Some(known) = &self.known {
            known.joined.hold();
            // What is being read already is read to its end.
            self.feed.get_or_insert_with(|| Feed::after(cursor));
        }
    }

    /// Goes on reading what was missed.
    async fn feed(&mut self) {
        let (Some(known), Some(feed)) = (&self.known, &mut self.feed) else {
            return;
        };
        let went = feed
            .step(self.sockets.engine(), &known.person, &known.joined)
            .await;
        match went {
            Ok(false) => {}
            Ok(true) => {
                known.joined.release();
                self.feed = None;
            }
            Err(error) if newest_of(&error).is_some() => {
                known.joined.release();
                self.feed = None;
                self.refuse(None, None, &error);
            }
            Err(error) => {
                tracing::warn!(code = error.code.as_str(), "a socket catches up later");
                self.try_at = Some(Instant::now() + AGAIN);
            }
        }
    }
}

/// Runs a command of somebody whose credential is still good.
async fn command(
    sockets: &Sockets,
    known: &mut Known,
    event: &ClientEvent,
    payload: Payload<'_>,
) -> Result<commands::Done, Error> {
    known.person.still_good(sockets.engine()).await?;
    let asker = Asker {
        sockets,
        person: &known.person,
        socket: &known.joined,
    };
    commands::run(event.command, asker, payload).await
}

async fn receive(inbox: &mut Option<mpsc::Receiver<Inbound>>) -> Option<Inbound> {
    match inbox {
        Some(inbox) => inbox.recv().await,
        None => std::future::pending().await,
    }
}

/// What a client connects with.
struct Auth {
    token: Option<String>,
    words: Option<Words>,
    after: Option<u64>,
    device: Device,
}

#[derive(Deserialize)]
struct AuthBody {
    token: Option<String>,
    words: Option<String>,
    after: Option<crate::extract::Skip>,
    device_id: Option<String>,
    device_type: Option<String>,
}

impl Auth {
    fn read(auth: Value) -> Result<Self, Error> {
        let auth = match auth {
            Value::Null => Value::Object(Map::new()),
            auth => auth,
        };
        let body: AuthBody = from_object(auth)?;
        let words = match body.words.as_deref() {
            None => None,
            Some("chat") => Some(Words::Chat),
            Some("calls") => Some(Words::Calls),
            Some(_) => {
                let issue = Issue::new("words", "must be one of: chat calls");
                return Err(Error::wrong_shape(vec![issue]));
            }
        };
        let mut checks = Checks::new();
        let name = unless_blank(body.device_id);
        let name = checks.optional("device_id", name, DeviceId::new);
        let kind = unless_blank(body.device_type);
        let kind = checks.optional("device_type", kind, DeviceType::new);
        Ok(Self {
            device: checks.finish(Some(Device { name, kind }))?,
            token: body.token,
            words,
            after: body.after.map(|after| after.get().unsigned_abs()),
        })
    }
}

/// What a client is told whose connection is refused.
fn refusal(error: &Error) -> Value {
    let text = message(Language::English, error);
    json!({"message": text, "data": {"error_code": code_word(error), "message": text}})
}
