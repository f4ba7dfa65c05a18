//! From an HTTP request to a WebSocket (RFC 6455, section 4.2).

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use telemed_core::error::Error;
use telemed_core::value::Issue;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::link::Link;
use crate::server::{Draining, Lifeline};

/// A request that asks for a WebSocket.
pub(crate) struct Upgrade {
    accept: String,
    on_upgrade: OnUpgrade,
    /// Of a server of ours.
    server: (Option<Lifeline>, Option<Draining>),
}

impl Upgrade {
    /// What the request asks for.
    ///
    /// # Errors
    /// A wrong shape that names the header.
    pub(crate) fn asked_for(parts: &mut Parts) -> Result<Self, Error> {
        let wrong = |field: &'static str, message: &'static str| {
            Err(Error::wrong_shape(vec![Issue::new(field, message)]))
        };
        let headers = &parts.headers;
        if parts.method != Method::GET || parts.version != Version::HTTP_11 {
            return wrong("Upgrade", "must be asked for with GET over HTTP/1.1");
        }
        if !has_word(headers, &header::CONNECTION, "upgrade") {
            return wrong("Connection", "must be Upgrade");
        }
        if !has_word(headers, &header::UPGRADE, "websocket") {
            return wrong("Upgrade", "must be websocket");
        }
        if !has_word(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
            return wrong("Sec-WebSocket-Version", "must be 13");
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        // Sixteen bytes in base64.
        let Some(key) = key.filter(|key| key.len() == 24) else {
            return wrong("Sec-WebSocket-Key", "must be 16 bytes in base64");
        };
        let accept = derive_accept_key(key.as_bytes());
        let extensions = &parts.extensions;
        let server = (extensions.get().cloned(), extensions.get().cloned());
        let Some(on_upgrade) = parts.extensions.remove::<OnUpgrade>() else {
            return wrong("Upgrade", "is not possible on this connection");
        };
        Ok(Self {
            accept,
            on_upgrade,
            server,
        })
    }

    /// Answers the request, and does the work once the connection is a WebSocket. It is cut off
    /// when the server that it came over is gone.
    pub(crate) fn answer<W>(
        self,
        subprotocol: Option<&'static str>,
        most: usize,
        work: impl FnOnce(Box<Link>, Option<Draining>) -> W + Send + 'static,
    ) -> Response
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let Self {
            accept,
            on_upgrade,
            server,
        } = self;
        tokio::spawn(async move {
            let (lifeline, draining) = server;
            let Ok(upgraded) = on_upgrade.await else {
                return;
            };
            // Apart, so that it is in memory once: a future holds what it is given and what it
            // waits for beside each other.
            let work = Box::pin(work(Link::new(upgraded, most).await, draining));
            match lifeline {
                None => work.await,
                Some(lifeline) => {
                    tokio::select! {
                        () = work => {}
                        () = lifeline.cut() => {}
                    }
                }
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(subprotocol) = subprotocol {
            headers.insert(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(subprotocol),
            );
        }
        response
    }
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(word))
}
