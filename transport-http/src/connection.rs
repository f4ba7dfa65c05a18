//! What the sockets share: one task for each of them, an outbox that is counted in bytes, and one
//! task that hands what happens to the sockets that it concerns.
//!
//! | file | holds |
//! |---|---|
//! | `handshake.rs`, `upgrade.rs` | from a request to a WebSocket, and what the request says about its sender |
//! | `link.rs` | a WebSocket and what waits to be sent on it |
//! | `outbox.rs` | what waits for one client, and the orders to the task that sends it |
//! | `hub.rs`, `member.rs` | the sockets of this node and their users |
//! | `fanout.rs`, `news.rs` | what happens, rendered once for each voice, and handed to its audience |
//! | `leases.rs` | the leases by which everybody knows that they are open |
//! | `observer.rs` | the calls whose signals pass this node |
//! | `feed.rs` | what a socket missed, read from the log |
//! | `person.rs` | whose a socket is, and whether it still is |

mod fanout;
mod feed;
mod gathering;
mod handshake;
mod hub;
mod leases;
mod link;
mod member;
mod news;
mod observer;
mod outbox;
mod person;
mod sockets;
mod task;
mod upgrade;

#[cfg(test)]
mod tests;

pub use hub::SocketConfig;

pub(crate) use feed::{Feed, newest_of};
pub(crate) use handshake::{Handshake, SUBPROTOCOL, offers_bearer};
pub(crate) use hub::{Joined, Seat};
pub(crate) use link::{Heard, Link};
pub(crate) use member::{Device, Member};
pub(crate) use news::Voice;
pub(crate) use outbox::{Delivers, End, Order, Outbox, Packet};
pub(crate) use person::{Person, is_refused};
pub(crate) use sockets::Sockets;
pub(crate) use task::{Next, drive, end_with, next};
pub(crate) use upgrade::Upgrade;
