#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drain;
mod encrypted;
mod limits;
mod unread;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Extension;
use axum::routing::{get, post};
use telemed_core::env::ManualClock;
use telemed_core::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::booking::envelope::BookingFamily;
use crate::cors::Cors;
use crate::extract::Json;
use crate::ops::Metrics;
use crate::surface::{Shared, Surface};

/// A server on a free port and the way to stop it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Stopped>,
}

impl Running {
    async fn start(router: Router, options: ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(serve(listener, router, options, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop,
            ended,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads until it is closed.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_all(&mut stream).await
    }

    async fn stop(self) -> Stopped {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap()
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes))
        .await
        .expect("closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one answer with a known length and leaves the connection open.
async fn read_one(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let read = timeout(Duration::from_secs(20), stream.read(&mut buffer)).await;
        let count = read.expect("an answer").unwrap();
        assert!(count > 0, "closed early: {text}");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

fn surface() -> Router {
    let clock = ManualClock::at(Timestamp::from_micros(0));
    surface_of(Arc::new(Shared::new(
        Arc::new(clock),
        Cors::default(),
        Metrics::new(),
    )))
}

fn surface_of(shared: Arc<Shared>) -> Router {
    async fn echo(Json(value): Json<serde_json::Map<String, serde_json::Value>>) -> String {
        value.len().to_string()
    }
    async fn whoami(Extension(client): Extension<Client>) -> String {
        format!("{} {}", client.address, client.secure)
    }
    Surface::new("/api/v1", BookingFamily, shared)
        .post("/echo", echo)
        .get("/whoami", whoami)
        .get("/hello", async || "hello")
        .get("/large", async || "0123456789".repeat(1000))
        .build(())
        .router
}

const HELLO: &str = "GET /api/v1/hello HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(HELLO.as_bytes()).await.unwrap();
        let answer = read_one(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
            "{answer}"
        );
    }
    // Pipelined, with a body in between.
    let echo = "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 7\r\n\r\n{\"a\":1}";
    let last = "GET /api/v1/hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream
        .write_all(format!("{echo}{echo}{last}").as_bytes())
        .await
        .unwrap();
    let answers = read_all(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 3, "{answers}");
    assert_eq!(server.stop().await.cut_off, 0);
}

#[tokio::test]
async fn the_client_is_the_peer_unless_a_proxy_is_trusted() {
    let request = "GET /api/v1/whoami HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                   X-Forwarded-For: 1.1.1.1, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n";
    for (behind_proxy, expected) in [(false, "127.0.0.1 false"), (true, "203.0.113.7 true")] {
        let options = ServeOptions {
            behind_proxy,
            ..ServeOptions::default()
        };
        let server = Running::start(surface(), options).await;
        let answer = server.exchange(request).await;
        assert!(answer.ends_with(expected), "{answer}");
        server.stop().await;
    }
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let request = |path: &str, extra: &str| {
        format!("GET /api/v1/{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{extra}\r\n")
    };
    let zipped = server
        .exchange(request("large", "Accept-Encoding: gzip\r\n"))
        .await;
    assert!(zipped.contains("content-encoding: gzip") && zipped.len() < 2000);
    let plain = server.exchange(request("large", "")).await;
    assert!(!plain.contains("content-encoding") && plain.len() > 10_000);
    let small = server
        .exchange(request("hello", "Accept-Encoding: gzip\r\n"))
        .await;
    assert!(small.ends_with("hello"), "{small}");
    server.stop().await;
}
