//! From polling to a WebSocket: the client asks on it whether it works, waits for its last poll
//! to end, and says that it goes on there.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::packet::{EnginePacket, PROBE, PROBED};
use super::polled::{Polled, Transport};
use super::session::Inbound;
use crate::connection::{End, Heard, Link, Outbox, end_with};
use crate::server::Draining;

/// How long the client may take for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands a WebSocket to a session, and waits until the session has ended. When it is dropped
/// before, the session is cut off.
pub(super) async fn take_over(
    polled: Arc<Polled>,
    mut link: Box<Link>,
    draining: Option<Draining>,
    _probe: OwnedSemaphorePermit,
) {
    let asking = timeout(PATIENCE, Box::pin(asked(&polled, &mut link))).await;
    if asking != Ok(true) {
        polled.change(Transport::Upgrading, Transport::Polling);
        Box::pin(link.close(&Outbox::new(), End::Protocol)).await;
        return;
    }
    let _cut = CutOnDrop(Arc::clone(&polled.outbox));
    let outbox = &polled.outbox;
    outbox.attend();
    if polled.inbox.send(Inbound::Upgraded(link)).await.is_err() {
        return;
    }
    let mut stopping = pin!(end_with(outbox, draining));
    poll_fn(|context| {
        // It never completes.
        let _ = stopping.as_mut().poll(context);
        outbox.poll_finished(context)
    })
    .await;
}

/// Whether the client goes on here.
async fn asked(polled: &Polled, link: &mut Link) -> bool {
    let answers = Outbox::new();
    loop {
        let heard = poll_fn(|context| link.poll(&answers, context)).await;
        let Heard::Text(text) = heard else {
            if matches!(heard, Heard::Pong) {
                continue;
            }
            return false;
        };
        match EnginePacket::read(&text) {
            Ok(EnginePacket::Ping(PROBE)) => {
                if !polled.change(Transport::Polling, Transport::Upgrading) {
                    return false;
                }
                answers.push(Utf8Bytes::from_static(PROBED));
            }
            Ok(EnginePacket::Upgrade) => {
                return polled.change(Transport::Upgrading, Transport::WebSocket);
            }
            _ => return false,
        }
    }
}

struct CutOnDrop(Arc<Outbox>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        // A session that has ended is not concerned.
        self.0.cut();
    }
}
