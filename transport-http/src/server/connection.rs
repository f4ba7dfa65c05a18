//! One connection: TLS, HTTP, and what every request of it is given.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::body::TimedBody;
use super::guard::{Guarded, InFlight, Traffic};
use super::idle::IdlePlace;
use super::unread::{Account, Leftovers, Unread};
use super::{Client, Draining, Lifeline, Phase, ServeOptions};

/// Requests that one HTTP/2 connection may have open at a time.
const STREAMS: u32 = 100;
/// How often an HTTP/2 connection is asked whether it still lives, and how long it may take.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(10);

/// Serves one connection until it ends.
pub(super) async fn drive(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    options: Arc<ServeOptions>,
    lifeline: Lifeline,
    idle: IdlePlace,
) {
    // A stream that is closed already says so when it is read.
    let _ = stream.set_nodelay(true);
    match options.tls.clone() {
        None => {
            let (front, leftovers) = Front::new(peer, false, router, options, lifeline, idle);
            exchange(stream, front, leftovers).await;
        }
        Some(config) => {
            let handshake = TlsAcceptor::from(config).accept(stream);
            let handshake = timeout(options.header_timeout, handshake);
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = idle.asked_to_end() => return,
            };
            if let Ok(Ok(stream)) = shaken {
                let (front, leftovers) = Front::new(peer, true, router, options, lifeline, idle);
                exchange(stream, front, leftovers).await;
            }
        }
    }
}

async fn exchange<S>(stream: S, front: Front, leftovers: Leftovers)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = Arc::clone(&front.options);
    let mut phase = front.lifeline.phase();
    let traffic = Arc::clone(&front.traffic);
    let guarded = Guarded::new(stream, Arc::clone(&options), Arc::clone(&front.traffic));
    let header_list = u32::try_from(options.header_bytes).unwrap_or(u32::MAX);
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The stream below has the deadlines that a client meets; this one is for the case that
        // it mistakes where a head begins.
        .header_read_timeout(options.header_timeout + options.idle_timeout)
        .max_buf_size(options.header_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(header_list)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE);
    let service = hyper::service::service_fn(move |request| front.clone().answer(request));
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(guarded), service));
    // In one task: whenever the last of a body is thrown away, the connection is polled after it.
    let mut discarding = pin!(leftovers.discard());
    let mut closing = pin!(async {
        // Ends too when the server itself is gone.
        let _ = phase.wait_for(|phase| *phase >= Phase::Closing).await;
    });
    let mut is_closing = false;
    let ended = loop {
        tokio::select! {
            biased;
            never = discarding.as_mut() => match never {},
            ended = connection.as_mut() => break ended,
            () = closing.as_mut(), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
            // A request may have come in the meantime; then another connection is asked.
            () = traffic.place().asked_to_end() => if traffic.is_idle() { return },
        }
    };
    if let Err(error) = ended {
        // A client that goes away or breaks the protocol: nothing for the operator to do.
        tracing::debug!(%error, "connection ended early");
    }
}

/// Stands in front of the router for one connection.
#[derive(Clone)]
struct Front {
    peer: SocketAddr,
    secure: bool,
    router: Router,
    options: Arc<ServeOptions>,
    traffic: Arc<Traffic>,
    unread: Unread,
    lifeline: Lifeline,
}

impl Front {
    fn new(
        peer: SocketAddr,
        secure: bool,
        router: Router,
        options: Arc<ServeOptions>,
        lifeline: Lifeline,
        idle: IdlePlace,
    ) -> (Self, Leftovers) {
        let traffic = Traffic::new(idle);
        let (unread, leftovers) =
            Unread::new(Arc::clone(&traffic), Arc::clone(&options), lifeline.phase());
        let front = Self {
            peer,
            secure,
            router,
            options,
            traffic,
            unread,
            lifeline,
        };
        (front, leftovers)
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let (in_flight, is_ambiguous) = self.traffic.begin();
        let is_http_1 = request.version() < Version::HTTP_2;
        let mut is_last = false;
        let mut response = if is_http_1 && is_ambiguous {
            self.traffic.linger(&self.options);
            refuse_ambiguous()
        } else {
            let (request, account) = self.prepare(request);
            let response = match self.router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if let Some(account) = account {
                is_last = account.settle().await;
            }
            response
        };
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_upgrade {
            self.traffic.upgrade();
        }
        let headers = response.headers_mut();
        if is_http_1 && !is_upgrade && (is_last || self.lifeline.is_stopping()) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.secure {
            headers.insert(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=31536000"),
            );
        }
        Ok(response.map(|body| {
            Body::new(TrackedBody {
                body,
                _in_flight: in_flight,
            })
        }))
    }

    /// Gives a request the client's address and its body the deadlines. On HTTP/1 the body stands
    /// before the next request: there comes with it what tells whether it was read.
    fn prepare(&self, request: Request<Incoming>) -> (Request<Body>, Option<Arc<Account>>) {
        let (mut parts, body) = request.into_parts();
        let behind_proxy = self.options.behind_proxy;
        let client = Client::of(self.peer, self.secure, behind_proxy, &parts.headers);
        parts.extensions.insert(client);
        parts.extensions.insert(ConnectInfo(self.peer));
        parts.extensions.insert(self.lifeline.clone());
        parts
            .extensions
            .insert(Draining::new(self.lifeline.phase()));
        if http_body::Body::is_end_stream(&body) {
            return (Request::from_parts(parts, Body::empty()), None);
        }
        let body = TimedBody::new(body, Arc::clone(&self.options));
        if parts.version >= Version::HTTP_2 {
            return (Request::from_parts(parts, Body::new(body)), None);
        }
        let waits_to_be_asked = parts.headers.contains_key(header::EXPECT);
        let (body, account) = self.unread.account_for(body, waits_to_be_asked);
        (Request::from_parts(parts, Body::new(body)), Some(account))
    }
}

/// The answer to a head with two lengths. No route is known yet, and so no family: the body has
/// the fields of all of them.
fn refuse_ambiguous() -> Response<Body> {
    const BODY: &str = r#"{"success":false,"message":"Transfer-Encoding and Content-Length exclude each other","error":"Transfer-Encoding and Content-Length exclude each other","detail":"Transfer-Encoding and Content-Length exclude each other","error_code":"VALIDATION_ERROR","code":400,"status_code":400}"#;
    let mut response = Response::new(Body::from(BODY));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer's body, which keeps its request in flight until it is sent.
struct TrackedBody {
    body: Body,
    _in_flight: InFlight,
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
