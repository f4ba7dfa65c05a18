//! A client of WebSockets that costs as little as it can, and speaks as much Socket.IO as it has
//! to. The same one is used against every server.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Engine.IO's question whether a client lives, and the answer.
const PING: &str = "2";
const PONG: &str = "3";
/// How long a text may take that has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the bare relay says first: from here on nothing is missed that others send.
pub const IN_THE_ROOM: &str = "in the room";

/// One connection.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    speaks_socket_io: bool,
}

impl Client {
    /// A bare WebSocket.
    pub async fn open(port: u16, path: &str, token: Option<&str>) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let url = format!("ws://127.0.0.1:{port}{path}");
        let mut request = url.into_client_request().expect("a request");
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().expect("a header");
            request.headers_mut().insert("authorization", bearer);
        }
        // Thousands of them are in this process.
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(4096);
        let (socket, _) = client_async_with_config(request, stream, Some(config))
            .await
            .expect("a WebSocket");
        Self {
            socket,
            speaks_socket_io: false,
        }
    }

    /// A connection to the bare relay that is in its room.
    pub async fn relayed(port: u16, path: &str) -> Self {
        let mut client = Self::open(port, path, None).await;
        client
            .receive_that("a place in the room", |text| text == IN_THE_ROOM)
            .await;
        client
    }

    /// A connected Socket.IO session over a WebSocket.
    pub async fn connect(port: u16, token: &str) -> Self {
        let mut client = Self::open(port, "/socket.io/?EIO=4&transport=websocket", None).await;
        client.speaks_socket_io = true;
        client
            .receive_that("the opening", |text| text.starts_with('0'))
            .await;
        client.send(format!("40{{\"token\":\"{token}\"}}")).await;
        client
            .receive_that("a connection", |text| text.starts_with("40"))
            .await;
        client
    }

    /// Sends a text at once.
    pub async fn send(&mut self, text: impl Into<Utf8Bytes>) {
        self.socket
            .send(Message::Text(text.into()))
            .await
            .expect("it is sent");
    }

    /// The next text that is meant for whoever uses the connection.
    pub async fn receive(&mut self) -> Utf8Bytes {
        loop {
            let message = self.socket.next().await.expect("the server hung up");
            match message.expect("a message") {
                Message::Text(text) if self.speaks_socket_io && text == PING => {
                    self.send(Utf8Bytes::from_static(PONG)).await;
                }
                Message::Text(text) => return text,
                Message::Close(why) => panic!("the server hung up: {why:?}"),
                // A read sends the answer to a ping along.
                _ => {}
            }
        }
    }

    /// The next text that fits. Others are skipped, but for a refusal.
    pub async fn receive_that(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> Utf8Bytes {
        loop {
            let next = timeout(PATIENCE, self.receive()).await;
            let text = next.unwrap_or_else(|_| panic!("{what} does not come"));
            if fits(&text) {
                return text;
            }
            let is_refusal = text.starts_with("44") || text.contains("error_code");
            assert!(!is_refusal, "no {what}, but {text}");
        }
    }

    /// Both directions, each for a task of its own.
    pub fn split(
        self,
    ) -> (
        SplitSink<WebSocketStream<TcpStream>, Message>,
        SplitStream<WebSocketStream<TcpStream>>,
    ) {
        self.socket.split()
    }

    /// Answers what it is asked and says nothing else, until it is dropped.
    pub async fn idle(mut self) {
        loop {
            let _ = self.receive().await;
        }
    }
}
