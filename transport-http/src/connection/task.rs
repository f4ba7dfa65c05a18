//! What the task of a socket waits for.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::link::{Heard, Link};
use super::outbox::{End, Order, Outbox};
use crate::server::Draining;

/// What comes next on a socket.
#[derive(Debug)]
pub(crate) enum Next {
    /// Somebody wants something of the task.
    Order(Order),
    /// The client has said or done something.
    Heard(Heard),
    /// There is room for more to be sent.
    Room,
    /// The time is over.
    Time,
}

/// What comes next. Meanwhile what waits is sent, if there is a link; nothing is lost when it is
/// dropped.
pub(crate) async fn next(
    link: Option<&mut Link>,
    outbox: &Outbox,
    until: Instant,
    wants_room: bool,
) -> Next {
    let mut link = link;
    let mut time = pin!(sleep_until(until));
    poll_fn(|context| {
        if let Poll::Ready(order) = outbox.poll_order(context) {
            return Poll::Ready(Next::Order(order));
        }
        if let Some(link) = &mut link
            && let Poll::Ready(heard) = link.poll(outbox, context)
        {
            return Poll::Ready(Next::Heard(heard));
        }
        if wants_room && outbox.poll_room(context).is_ready() {
            return Poll::Ready(Next::Room);
        }
        time.as_mut().poll(context).map(|()| Next::Time)
    })
    .await
}

/// Runs the task of a connection. It is told when its server stops, and dropped wherever it stands
/// when the client has too much waiting for it: with it goes the connection.
pub(crate) async fn drive(
    outbox: &Outbox,
    draining: Option<Draining>,
    task: impl Future<Output = ()>,
) {
    // Apart, as in an upgrade.
    let mut task = Box::pin(task);
    let mut stopping = pin!(end_with(outbox, draining));
    poll_fn(|context| {
        if outbox.poll_cut(context).is_ready() {
            return Poll::Ready(());
        }
        // It never completes.
        let _ = stopping.as_mut().poll(context);
        task.as_mut().poll(context)
    })
    .await;
}

/// Ends a connection when its server begins to stop. It never completes.
pub(crate) async fn end_with(outbox: &Outbox, draining: Option<Draining>) {
    if let Some(draining) = draining {
        draining.begun().await;
        outbox.end(End::GoingAway);
    }
    pending().await
}
