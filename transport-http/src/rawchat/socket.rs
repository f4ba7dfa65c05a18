//! `WS /ws/{client_id}`: the raw chat.
//!
//! The credential comes with the request, or as the first frame. A receiver that was away is sent
//! what it missed; what it is sent counts as delivered.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use telemed_core::actor::Origin;
use telemed_core::error::{Code, Error, Kind};
use telemed_core::id::{ConversationId, UserId};
use telemed_core::identity::{AccessToken, Language};
use telemed_core::limits::LimitName;
use telemed_core::messaging::{
    MessageContext, MessageKind, OpenConversation, ReceiptKind, SendMessage,
};
use telemed_core::value::Issue;
use tokio::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Detail;
use super::frames::{AckFrame, ErrorFrame, FrameIn, Outgoing, not_a_frame, text};
use super::missed::Missed;
use crate::auth::HasEngine;
use crate::connection::{
    Delivers, Device, End, Feed, Handshake, Heard, Joined, Link, Member, Next, Order, Outbox,
    Person, SUBPROTOCOL, Seat, Sockets, Upgrade, Voice, drive, is_refused, newest_of, next,
    offers_bearer,
};
use crate::envelope::{Place, Refusal};
use crate::extract::PathId;

/// The largest frame that is read; what is larger than [`MOST`] and not larger than this is
/// refused, and the socket stays open.
const READ: usize = 2 * MOST;
/// The largest frame that is taken, in bytes.
const MOST: usize = 64 * 1024;
/// When something that failed for a reason of ours is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Opens a WebSocket of the raw chat. The credential is the header, the subprotocol `bearer` with a
/// token, the session cookie on an allowed page, or a first frame `{token, after?}` within 5 s.
#[utoipa::path(get, path = "/ws/{client_id}", tag = "raw-chat",
    operation_id = "open_socket",
    params(("client_id" = i64, Path, minimum = 1, description = "The caller"),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor of the feed after which to begin; without it, what was not delivered comes first")),
    security((), ("bearer" = []), ("cookie" = [])),
    responses((status = 101, description = "A WebSocket"),
        (status = 400, description = "No WebSocket is asked for", body = Detail),
        (status = 401, description = "The credential is not good", body = Detail),
        (status = 403, description = "The client is not the caller, or the page may not call", body = Detail),
        (status = 429, description = "The caller has too many sockets; see Retry-After", body = Detail),
        (status = 503, description = "There are too many sockets; see Retry-After", body = Detail)))]
pub(super) async fn open(
    State(sockets): State<Sockets>,
    PathId(client): PathId<UserId>,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let engine = sockets.engine();
    let handshake = Handshake::of(&parts, sockets.shared());
    let person = match handshake.credential()? {
        None => None,
        Some(token) => Some(whose(&sockets, token, client, handshake.origin()).await?),
    };
    let after = after(&parts.uri)?;
    let upgrade = Upgrade::asked_for(&mut parts)?;
    let mut seat = sockets.hub().seat()?;
    sockets.hub().listen(engine).await;
    let outbox = Arc::new(Outbox::new());
    let socket = match person {
        Some(person) => Some(join(&sockets, &outbox, person)?),
        None => {
            seat.wait(&outbox, handshake.origin());
            None
        }
    };
    let subprotocol = offers_bearer(&parts.headers).then_some(SUBPROTOCOL);
    let mut chat = Box::new(RawChat {
        is_first: true,
        catch_up: CatchUp::Nothing,
        read_on_from: None,
        try_at: None,
        sockets,
        client,
        origin: handshake.origin(),
        seat,
        outbox: Arc::clone(&outbox),
        socket,
    });
    if chat.socket.is_some() {
        chat.begin(after);
    }
    Ok(
        upgrade.answer(subprotocol, READ, move |link, draining| async move {
            drive(&outbox, draining, chat.run(link)).await;
        }),
    )
}

/// The user of a token, if the path names him.
async fn whose(
    sockets: &Sockets,
    token: AccessToken,
    client: UserId,
    origin: Origin,
) -> Result<Person, Error> {
    let person = Person::of(sockets.engine(), token, origin).await?;
    if person.user() == client {
        Ok(person)
    } else {
        Err(Error::new(Code::Forbidden))
    }
}

fn join(sockets: &Sockets, outbox: &Arc<Outbox>, person: Person) -> Result<Known, Error> {
    let member = Member::new(&person, Arc::clone(outbox), Voice::Raw, Device::default());
    let joined = sockets.hub().join(member)?;
    Ok(Known {
        person,
        joined,
        talk: None,
    })
}

/// The cursor in the query, for clients whose credential is in the request.
fn after(uri: &Uri) -> Result<Option<u64>, Refusal> {
    let query = uri.query().unwrap_or_default();
    let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    match given {
        None => Ok(None),
        Some((_, text)) => text.parse().map(Some).map_err(|_| {
            let issue = Issue::new("after", "must be a whole number of 0 or more");
            Refusal::new(Place::Query, Error::wrong_shape(vec![issue]))
        }),
    }
}

/// A user who is known, and his place among those who are told of things.
struct Known {
    person: Person,
    joined: Joined,
    /// With whom he has talked last, and where: two people have one conversation, and it stays.
    /// Whether he may still write there is looked at with each message.
    talk: Option<(UserId, ConversationId)>,
}

/// What a socket is told before it is told what happens.
enum CatchUp {
    Nothing,
    /// What was not delivered yet.
    Missed(Missed),
    /// What the log has after a cursor.
    Feed(Feed),
}

struct RawChat {
    sockets: Sockets,
    client: UserId,
    /// Where the request came from.
    origin: Origin,
    seat: Seat,
    outbox: Arc<Outbox>,
    socket: Option<Known>,
    /// Whether no frame has come yet.
    is_first: bool,
    catch_up: CatchUp,
    /// From where the log is read once what was not delivered is sent.
    read_on_from: Option<u64>,
    /// When catching up is tried again.
    try_at: Option<Instant>,
}

impl RawChat {
    async fn run(mut self: Box<Self>, mut link: Box<Link>) {
        let config = self.sockets.config().clone();
        let opened = Instant::now();
        let mut heard_at = opened;
        let mut ping_at = opened + config.ping_interval;
        let why = loop {
            let now = Instant::now();
            if self.socket.is_none() && now >= opened + config.authenticate_within {
                break End::Unauthenticated;
            }
            if now >= heard_at + config.ping_interval + config.ping_timeout {
                break End::Silent;
            }
            if now >= ping_at {
                link.ping();
                ping_at = now + config.ping_interval;
            }
            let may_try = self.try_at.is_none_or(|at| now >= at);
            let wants_room = !matches!(self.catch_up, CatchUp::Nothing) && may_try;
            let mut until = ping_at.min(heard_at + config.ping_interval + config.ping_timeout);
            if self.socket.is_none() {
                until = until.min(opened + config.authenticate_within);
            }
            if let Some(at) = self.try_at.filter(|_| !may_try) {
                until = until.min(at);
            }
            let went = match next(Some(&mut link), &self.outbox, until, wants_room).await {
                Next::Order(Order::End(why)) => Err(why),
                Next::Order(Order::Recheck) => Box::pin(self.recheck()).await,
                Next::Order(Order::Reread(cursor)) => {
                    self.catch_up_from(cursor);
                    Ok(())
                }
                Next::Heard(heard) => {
                    heard_at = Instant::now();
                    Box::pin(self.hear(heard)).await
                }
                Next::Room => {
                    Box::pin(self.go_on()).await;
                    Ok(())
                }
                Next::Time => Ok(()),
            };
            if let Err(why) = went {
                break why;
            }
        };
        // From here on nobody tells it anything.
        self.socket = None;
        Box::pin(link.close(&self.outbox, why)).await;
    }

    async fn hear(&mut self, heard: Heard) -> Result<(), End> {
        match heard {
            Heard::Pong => Ok(()),
            Heard::Gone => Err(End::Silent),
            Heard::TooLarge => Err(End::TooLarge),
            Heard::Took(delivered) => {
                self.mark(delivered).await;
                Ok(())
            }
            Heard::Binary => self.refuse(&not_a_frame("must be text")),
            Heard::Text(text) => self.frame(&text).await,
        }
    }

    async fn frame(&mut self, text: &str) -> Result<(), End> {
        let is_first = std::mem::take(&mut self.is_first);
        if text.len() > MOST {
            return self.refuse(&Error::new(Code::PayloadTooLarge));
        }
        let frame = match FrameIn::read(text) {
            Ok(frame) => frame,
            Err(error) => return self.refuse(&error),
        };
        match (&frame.token, &self.socket) {
            // A page whose browser sends the cookie by itself says who it is all the same.
            (Some(token), _) if is_first => {
                let token = AccessToken::new(token.clone());
                self.authenticate(token, frame.after).await
            }
            (_, None) => Err(End::Unauthenticated),
            (_, Some(_)) => self.message(frame).await,
        }
    }

    /// Takes the credential of the first frame.
    async fn authenticate(&mut self, token: AccessToken, after: Option<u64>) -> Result<(), End> {
        let person = match whose(&self.sockets, token, self.client, self.origin).await {
            Ok(person) => person,
            Err(error) => {
                self.outbox.push(self.error(&error, None));
                return Err(match error.kind() {
                    Kind::Unauthenticated | Kind::Forbidden => End::Unauthorized,
                    _ => End::GoingAway,
                });
            }
        };
        if let Some(known) = &mut self.socket {
            known.joined.lasts_until(person.expires_at());
            known.person = person;
            if let Some(after) = after {
                self.catch_up_from(after);
            }
            return Ok(());
        }
        match join(&self.sockets, &self.outbox, person) {
            Ok(known) => {
                self.socket = Some(known);
                self.seat.seated();
                self.begin(after);
                Ok(())
            }
            Err(error) => {
                self.outbox.push(self.error(&error, None));
                Err(End::GoingAway)
            }
        }
    }

    /// Sends a message to the conversation of its two.
    async fn message(&mut self, frame: FrameIn) -> Result<(), End> {
        let Some(known) = &mut self.socket else {
            return Ok(());
        };
        let client_id = frame.client_msg_id().map(str::to_owned);
        let sent = async {
            let engine = self.sockets.engine();
            known.person.still_good(engine).await?;
            let most = engine.settings().message_lengths.others;
            let outgoing = Outgoing::of(frame, most)?;
            self.sockets.spend(LimitName::Writes, &known.person).await?;
            self.sockets
                .spend(LimitName::Messages, &known.person)
                .await?;
            let (messaging, actor) = (engine.messaging(), known.person.actor());
            let conversation = match known.talk.take() {
                Some((with, conversation)) if with == outgoing.receiver => conversation,
                _ => {
                    let open = OpenConversation {
                        with: outgoing.receiver,
                        with_administrators: true,
                    };
                    let opened = messaging.open_conversation(actor, open).await;
                    opened.map_err(named_as_here)?.id
                }
            };
            let send = SendMessage {
                conversation,
                kind: MessageKind::Text,
                body: outgoing.body,
                context: MessageContext {
                    appointment: outgoing.appointment,
                    service: outgoing.service,
                    call: None,
                },
                client_id: outgoing.client_id.clone(),
            };
            let message = messaging.send(actor, send).await?;
            known.talk = Some((outgoing.receiver, conversation));
            Ok((outgoing.client_id, message))
        }
        .await;
        match sent {
            Ok((Some(client_id), message)) => {
                self.outbox.push(text(&AckFrame::of(&client_id, &message)));
                Ok(())
            }
            Ok((None, _)) => Ok(()),
            Err(error) if is_refused(&error) => Err(End::Unauthorized),
            Err(error) => {
                self.outbox.push(self.error(&error, client_id.as_deref()));
                Ok(())
            }
        }
    }

    fn refuse(&self, error: &Error) -> Result<(), End> {
        if self.socket.is_none() {
            return Err(End::Unauthenticated);
        }
        self.outbox.push(self.error(error, None));
        Ok(())
    }

    fn error(&self, error: &Error, client_id: Option<&str>) -> Utf8Bytes {
        let language = self.socket.as_ref().map(|known| known.person.language());
        let language = language.unwrap_or(Language::English);
        text(&ErrorFrame::of(error, language, client_id))
    }

    /// Looks at the credential again. One that cannot be looked at now counts as good: the next
    /// look is near.
    async fn recheck(&mut self) -> Result<(), End> {
        let Some(known) = &mut self.socket else {
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

    /// Begins with what was missed.
    fn begin(&mut self, after: Option<u64>) {
        self.catch_up = match after {
            Some(cursor) => CatchUp::Feed(Feed::after(cursor)),
            None => CatchUp::Missed(Missed::new()),
        };
    }

    fn catch_up_from(&mut self, cursor: u64) {
        let Some(known) = &self.socket else { return };
        known.joined.hold();
        match self.catch_up {
            CatchUp::Nothing => self.catch_up = CatchUp::Feed(Feed::after(cursor)),
            // What is being read already is read to its end.
            CatchUp::Feed(_) => {}
            CatchUp::Missed(_) => {
                let from = self.read_on_from.map_or(cursor, |from| from.min(cursor));
                self.read_on_from = Some(from);
            }
        }
    }

    /// Goes on catching up.
    async fn go_on(&mut self) {
        let Some(known) = &self.socket else { return };
        let engine = self.sockets.engine();
        let (person, joined) = (&known.person, &known.joined);
        let went = match &mut self.catch_up {
            CatchUp::Nothing => return,
            CatchUp::Missed(missed) => missed.step(engine, person, joined).await,
            CatchUp::Feed(feed) => feed.step(engine, person, joined).await,
        };
        self.try_at = None;
        match went {
            Ok(false) => {}
            Ok(true) => match self.read_on_from.take() {
                Some(cursor) => self.catch_up = CatchUp::Feed(Feed::after(cursor)),
                None => {
                    joined.release();
                    self.catch_up = CatchUp::Nothing;
                }
            },
            Err(error) if newest_of(&error).is_some() => {
                // Too long ago for the log; what was not delivered is there all the same.
                self.outbox.push(self.error(&error, None));
                self.catch_up = CatchUp::Missed(Missed::new());
            }
            Err(error) => {
                tracing::warn!(code = error.code.as_str(), "a socket catches up later");
                self.try_at = Some(Instant::now() + AGAIN);
            }
        }
    }

    /// Marks what the client has taken: the furthest place of each conversation.
    async fn mark(&mut self, delivered: Vec<Delivers>) {
        let Some(known) = &self.socket else { return };
        let mut furthest: Vec<Delivers> = Vec::new();
        for one in delivered {
            match furthest
                .iter_mut()
                .find(|other| other.conversation == one.conversation)
            {
                Some(other) => other.place = other.place.max(one.place),
                None => furthest.push(one),
            }
        }
        let messaging = self.sockets.engine().messaging();
        for Delivers {
            conversation,
            place,
        } in furthest
        {
            let marked = messaging
                .mark_place(
                    known.person.actor(),
                    conversation,
                    ReceiptKind::Delivered,
                    place,
                )
                .await;
            if let Err(error) = marked {
                // The next message marks this one, too; else it is sent again, and marked then.
                tracing::warn!(code = error.code.as_str(), "a delivery was not marked");
            }
        }
    }
}

/// Names the field as this surface does.
fn named_as_here(mut error: Error) -> Error {
    for issue in &mut error.issues {
        if issue.field == "participant_id" {
            issue.field = "receiver_id".into();
        }
    }
    if let Some(first) = error.issues.first() {
        error.message = first.to_string().into();
    }
    error
}
