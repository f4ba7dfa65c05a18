//! The HTTP surfaces of Telemed as axum routers that any host can mount, and the accept loop of
//! the standalone server.
//!
//! Surfaces hold no rules: a handler reads a request, finds out who asks, calls one operation of
//! the engine and writes what it answers.
//!
//! [`router`] is the whole of it for a host, and [`server::serve`] a server around it:
//!
//! | module | holds |
//! |---|---|
//! | [`platform`] | the surface `/api`: accounts, doctors, hours, appointments by date |
//! | [`chat`] | the surface `/api/messages`: conversations and messages, searched and marked as read |
//! | [`calls`] | the rest of `/api`: conversations and messages as callers use them, the feed of events |
//! | [`rawchat`] | the raw chat: `/ws/{client_id}` and `/chat` |
//! | [`socketio`] | `/socket.io/`: Engine.IO 4 and Socket.IO 5, and their events |
//! | [`booking`] | the surface `/api/v1` |
//! | [`ops`] | `/health`, `/ready`, `/metrics`, `/openapi.json`, `/docs` |
//! | [`surface`] | how a surface declares its routes, and what happens around each of them |
//! | [`envelope`] | how a refusal travels from a handler to the shape of its surface |
//! | [`extract`] | bodies, queries and path ids |
//! | [`auth`] | where a credential comes from: the header, or the session cookie and what it needs |
//! | [`connection`] | what the sockets share |
//! | [`limits`] | how often something may be done |
//! | [`language`] | the texts that people read, in Arabic and in English |
//! | [`cors`] | which origins a browser may call from |
//! | [`server`] | the accept loop: timeouts, limits, TLS, drain |

pub mod auth;
pub mod booking;
pub mod calls;
pub mod chat;
pub mod connection;
pub mod cors;
pub mod envelope;
pub mod extract;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod language;
pub mod limits;
pub mod ops;
pub mod platform;
pub mod rawchat;
mod router;
pub mod server;
pub mod socketio;
pub mod surface;
#[cfg(test)]
mod testing;
mod times;
pub(crate) mod told;

pub use router::{RouterConfig, openapi, router, standalone_router};
