//! The requests of Engine.IO: handshakes, polls, posts, and WebSockets.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::packet::{CLOSE, EnginePacket, NOOP, SEPARATOR};
use super::polled::{Polled, Transport};
use super::session::{Inbound, Session};
use super::sid::Sid;
use super::{EngineError, SocketIo, upgrade};
use crate::auth::HasEngine;
use crate::connection::{End, Handshake, Outbox, SocketConfig, Upgrade, drive, end_with};
use crate::envelope::{Refusal, json as json_answer};
use crate::server::Draining;

/// The largest packet, and the largest body of packets, that is read.
pub(super) const MOST: usize = 128 * 1024;
/// Bodies that wait for a session to read them.
const WAITING: usize = 4;
/// How long a session that has ended can be asked for its last words.
const PARTING: Duration = Duration::from_secs(1);
/// How long a body may take to arrive, where no server of ours has said so before.
const BODY: Duration = Duration::from_secs(60);

/// What the query of a request says.
struct Query {
    transport: Asked,
    sid: Option<Sid>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Polling,
    WebSocket,
}

impl Query {
    fn of(parts: &Parts) -> Result<Self, Box<Response>> {
        let query = parts.uri.query().unwrap_or_default();
        let (mut version, mut transport, mut sid) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "EIO" => version = Some(value),
                "transport" => transport = Some(value),
                "sid" => sid = Some(Sid::shown(value.into_owned())),
                _ => {}
            }
        }
        if version.as_deref() != Some("4") {
            return Err(bad(5, "Unsupported protocol version"));
        }
        let transport = match transport.as_deref() {
            Some("polling") => Asked::Polling,
            Some("websocket") => Asked::WebSocket,
            _ => return Err(bad(0, "Transport unknown")),
        };
        Ok(Self { transport, sid })
    }
}

fn bad(code: u8, message: &str) -> Box<Response> {
    let error = EngineError {
        code,
        message: message.to_owned(),
    };
    Box::new(json_answer(StatusCode::BAD_REQUEST, &error))
}

fn unknown_session() -> Response {
    *bad(1, "Session ID unknown")
}

fn bad_request() -> Response {
    *bad(3, "Bad request")
}

fn text(body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=UTF-8"),
    );
    response
}

/// Begins a Socket.IO session, waits for what is said on it, or opens a WebSocket for it: whatever
/// the transport and the session of the query ask for. The events are in a table of their own.
#[utoipa::path(get, path = "/socket.io", tag = "sockets",
    operation_id = "poll",
    params(("EIO" = String, Query, pattern = "^4$", description = "The revision of Engine.IO"),
        ("transport" = String, Query, pattern = "^(polling|websocket)$", description = "Over what is spoken"),
        ("sid" = Option<String>, Query, description = "The session; without it one begins")),
    security((), ("bearer" = []), ("cookie" = [])),
    responses((status = 101, description = "A WebSocket"),
        (status = 200, description = "Packets", body = String, content_type = "text/plain"),
        (status = 400, description = "The query is wrong, or the session is not there", body = EngineError),
        (status = 503, description = "There are too many sockets; see Retry-After", body = EngineError)))]
pub(super) async fn get(
    State(state): State<SocketIo>,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let query = match Query::of(&parts) {
        Ok(query) => query,
        Err(refused) => return Ok(*refused),
    };
    if parts.method != Method::GET {
        return Ok(*bad(2, "Bad handshake method"));
    }
    match (query.transport, query.sid) {
        (Asked::Polling, None) => begin(&state, &parts).await,
        (Asked::Polling, Some(sid)) => match state.sessions.find(&sid) {
            Some(polled) => Ok(poll(&polled, parts.extensions.get().cloned()).await),
            None => Ok(unknown_session()),
        },
        (Asked::WebSocket, None) => open(&state, &mut parts),
        (Asked::WebSocket, Some(sid)) => match state.sessions.find(&sid) {
            Some(polled) if polled.transport() == Transport::Polling => {
                let asked = Upgrade::asked_for(&mut parts)?;
                let Ok(probe) = Arc::clone(&polled.probes).try_acquire_owned() else {
                    return Ok(bad_request());
                };
                Ok(asked.answer(None, MOST, move |link, draining| {
                    upgrade::take_over(polled, link, draining, probe)
                }))
            }
            Some(_) => Ok(bad_request()),
            None => Ok(unknown_session()),
        },
    }
}

/// Takes packets of a Socket.IO session.
#[utoipa::path(post, path = "/socket.io", tag = "sockets",
    operation_id = "push",
    params(("EIO" = String, Query, pattern = "^4$", description = "The revision of Engine.IO"),
        ("transport" = String, Query, pattern = "^polling$", description = "Over what is spoken"),
        ("sid" = String, Query, description = "The session")),
    request_body(content = String, content_type = "text/plain"),
    security(()),
    responses((status = 200, description = "They are read", body = String, content_type = "text/plain"),
        (status = 400, description = "The query or a packet is wrong, or the session is not there", body = EngineError),
        (status = 413, description = "The body is larger than 128 KiB", body = EngineError)))]
pub(super) async fn post(
    State(state): State<SocketIo>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let query = match Query::of(&parts) {
        Ok(query) => query,
        Err(refused) => return Ok(*refused),
    };
    let Some(sid) = query.sid else {
        return Ok(*bad(2, "Bad handshake method"));
    };
    let Some(polled) = state.sessions.find(&sid) else {
        return Ok(unknown_session());
    };
    if query.transport != Asked::Polling || polled.transport() == Transport::WebSocket {
        return Ok(bad_request());
    }
    let collected = match timeout(BODY, Limited::new(body, MOST).collect()).await {
        Ok(collected) => collected,
        Err(_) => return Ok(bad_request()),
    };
    let Ok(collected) = collected else {
        // Too large, or broken off in the middle: what was to come is lost.
        polled.outbox.end(End::TooLarge);
        let error = EngineError {
            code: 3,
            message: "Payload too large".to_owned(),
        };
        return Ok(json_answer(StatusCode::PAYLOAD_TOO_LARGE, &error));
    };
    let body = String::from_utf8(collected.to_bytes().into());
    let Some(body) = body
        .ok()
        .filter(|body| EnginePacket::read_all(body).is_ok())
    else {
        polled.outbox.end(End::Protocol);
        poll_fn(|context| polled.outbox.poll_finished(context)).await;
        return Ok(bad_request());
    };
    let handshake = Handshake::of(&parts, state.sockets.shared());
    let (read, was_read) = oneshot::channel();
    let inbound = Inbound::Body(body, Box::new(handshake), read);
    if polled.inbox.send(inbound).await.is_err() {
        return Ok(unknown_session());
    }
    // A session that ended in the middle has read what it wanted.
    let _ = was_read.await;
    Ok(text("ok".to_owned()))
}

/// What a client is told of a new session.
fn opening(sid: &Sid, config: &SocketConfig, upgrades: &[&str]) -> String {
    let opening = json!({
        "sid": sid.as_str(),
        "upgrades": upgrades,
        "pingInterval": millis(config.ping_interval),
        "pingTimeout": millis(config.ping_timeout),
        "maxPayload": MOST,
    });
    format!("0{opening}")
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Begins a session that polls.
async fn begin(state: &SocketIo, parts: &Parts) -> Result<Response, Refusal> {
    let sid = Sid::new()?;
    let seat = state.sockets.hub().seat()?;
    let handshake = Handshake::of(parts, state.sockets.shared());
    let outbox = Arc::new(Outbox::new());
    outbox.leave();
    let (inbox, bodies) = mpsc::channel(WAITING);
    let polled = Arc::new(Polled::new(Arc::clone(&outbox), inbox));
    let session = Session::new(&state.sockets, handshake, Arc::clone(&outbox), seat);
    let kept = state.sessions.keep(sid.clone(), &polled);
    let draining = parts.extensions.get::<Draining>().cloned();
    tokio::spawn(async move {
        let living = async {
            let (link, why) = session.run(None, Some(bodies)).await;
            if let Some(link) = link {
                Box::pin(link.close(&outbox, why)).await;
                outbox.finish(&[]);
                return;
            }
            // The poll that waits hears of it; without one, only an end that is no fault of the
            // client's is kept for the next.
            let is_polling = polled.turn.try_lock().is_err();
            match why {
                End::Left if is_polling => outbox.finish(&[NOOP]),
                End::Unauthorized | End::GoingAway => {
                    outbox.finish(&[CLOSE]);
                    if !is_polling {
                        sleep(PARTING).await;
                    }
                }
                _ if is_polling => outbox.finish(&[CLOSE]),
                _ => outbox.finish(&[]),
            }
        };
        drive(&outbox, draining, living).await;
        drop(kept);
    });
    Ok(text(opening(&sid, state.sockets.config(), &["websocket"])))
}

/// Waits for something to be said.
async fn poll(polled: &Polled, draining: Option<Draining>) -> Response {
    if polled.transport() == Transport::WebSocket {
        return bad_request();
    }
    let Ok(_turn) = polled.turn.try_lock() else {
        polled.outbox.end(End::Protocol);
        return bad_request();
    };
    let _attended = Attended::by(polled);
    let mut stopping = pin!(end_with(&polled.outbox, draining));
    poll_fn(|context| {
        // It never completes.
        let _ = stopping.as_mut().poll(context);
        if polled.transport() != Transport::Polling {
            return Poll::Ready(());
        }
        polled.outbox.poll_waiting(context)
    })
    .await;
    let texts = match polled.transport() {
        Transport::Polling => polled.outbox.drain(MOST),
        // What waits is for the WebSocket.
        Transport::Upgrading | Transport::WebSocket => vec![Utf8Bytes::from_static(NOOP)],
    };
    if texts.is_empty() {
        return unknown_session();
    }
    let mut body = String::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    for (at, packet) in texts.iter().enumerate() {
        if at > 0 {
            body.push(SEPARATOR);
        }
        body.push_str(packet);
    }
    text(body)
}

/// A poll that waits, or one whose client has gone away once this is dropped.
struct Attended<'p>(&'p Polled);

impl<'p> Attended<'p> {
    fn by(polled: &'p Polled) -> Self {
        polled.outbox.attend();
        Self(polled)
    }
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        // A WebSocket is there for as long as it is open.
        if self.0.transport() != Transport::WebSocket {
            self.0.outbox.leave();
        }
    }
}

/// Opens a session on a WebSocket.
fn open(state: &SocketIo, parts: &mut Parts) -> Result<Response, Refusal> {
    let asked = Upgrade::asked_for(parts)?;
    let sid = Sid::new()?;
    let seat = state.sockets.hub().seat()?;
    let handshake = Handshake::of(parts, state.sockets.shared());
    let outbox = Arc::new(Outbox::new());
    let session = Session::new(&state.sockets, handshake, Arc::clone(&outbox), seat);
    outbox.push(opening(&sid, state.sockets.config(), &[]));
    Ok(asked.answer(None, MOST, move |link, draining| async move {
        let living = async {
            let (link, why) = session.run(Some(link), None).await;
            if let Some(link) = link {
                Box::pin(link.close(&outbox, why)).await;
            }
        };
        drive(&outbox, draining, living).await;
    }))
}
