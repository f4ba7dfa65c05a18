//! An installation on a port, and clients that speak with it byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{House, Person, Talk};
use crate::connection::SocketConfig;
use crate::router::RouterConfig;
use crate::server::{ServeOptions, Stopped, serve};

/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A house that is served on a port.
pub(crate) struct Served {
    pub(crate) house: House,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Stopped>,
}

impl Served {
    pub(crate) async fn open() -> Self {
        Self::with(SocketConfig::default()).await
    }

    pub(crate) async fn with(sockets: SocketConfig) -> Self {
        Self::configured(RouterConfig {
            sockets,
            ..RouterConfig::default()
        })
        .await
    }

    pub(crate) async fn configured(config: RouterConfig) -> Self {
        Self::of(House::with(config).await).await
    }

    pub(crate) async fn of(house: House) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = house.router.clone();
        let serving = serve(listener, router, ServeOptions::default(), async {
            let _ = stopped.await;
        });
        Self {
            house,
            address,
            stop,
            ended: tokio::spawn(serving),
        }
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn stop(self) -> Stopped {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.ended).await.unwrap().unwrap()
    }

    /// One request on a connection of its own: the status and the body.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let (status, _, body) = self.whole(method, path, headers, body).await;
        (status, body)
    }

    /// The same, with the head of the answer.
    pub(crate) async fn whole(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        // A server that refuses early may close before it has read all.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("an answer");
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    /// A WebSocket, or the status of the refusal.
    pub(crate) async fn try_socket(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Ws, (u16, String)> {
        let url = format!("ws://{}{path}", self.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let stream = TcpSocket::new_v4().unwrap();
        // What the kernel keeps for who does not read is little.
        stream.set_recv_buffer_size(32 * 1024).unwrap();
        let stream = stream.connect(self.address).await.unwrap();
        match timeout(PATIENCE, client_async(request, stream))
            .await
            .unwrap()
        {
            Ok((socket, _)) => Ok(Ws {
                socket,
                hears_presence: false,
            }),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                let status = response.status().as_u16();
                Err((status, String::from_utf8(body).unwrap()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn socket(&self, path: &str, headers: &[(&str, &str)]) -> Ws {
        match self.try_socket(path, headers).await {
            Ok(socket) => socket,
            Err(refused) => panic!("{refused:?}"),
        }
    }

    /// A raw socket of a person.
    pub(crate) async fn raw(&self, person: &Person) -> Ws {
        let bearer = format!("Bearer {}", person.token);
        let path = format!("/ws/{}", person.id);
        self.socket(&path, &[("authorization", &bearer)]).await
    }

    /// A session on a WebSocket, opened.
    pub(crate) async fn engine(&self) -> Ws {
        let mut socket = self
            .socket("/socket.io/?EIO=4&transport=websocket", &[])
            .await;
        let opening = socket.text().await;
        assert!(opening.starts_with("0{"), "{opening}");
        socket
    }

    /// A Socket.IO connection of a person, with more beside the token.
    pub(crate) async fn connected(&self, person: &Person, more: Value) -> Ws {
        let mut socket = self.engine().await;
        let mut auth = json!({"token": person.token});
        for (name, value) in more.as_object().into_iter().flatten() {
            auth[name] = value.clone();
        }
        socket.send(&format!("40{auth}")).await;
        let connected = socket.text().await;
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
        let (name, status) = socket.event().await;
        assert_eq!(name, "connection_status");
        assert_eq!(status["status"], "connected");
        assert_eq!(status["user_id"], person.id);
        assert_eq!(socket.event().await.0, "connection_response");
        socket
    }
}

/// A WebSocket of a client.
pub(crate) struct Ws {
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// Whether it listens to who comes and goes, which nobody can say when it is told.
    hears_presence: bool,
}

impl Ws {
    /// The same, listening to who comes and goes.
    pub(crate) fn with_presence(mut self) -> Self {
        self.hears_presence = true;
        self
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends, whether or not the server still listens.
    pub(crate) async fn try_send(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text)).await;
    }

    pub(crate) async fn emit(&mut self, name: &str, data: &Value) {
        self.send(&format!("42{}", json!([name, data]))).await;
    }

    /// Emits, and the answer to the acknowledgement; other events in between are lost.
    pub(crate) async fn ask(&mut self, name: &str, data: &Value) -> Value {
        self.send(&format!("427{}", json!([name, data]))).await;
        loop {
            let text = self.text().await;
            if let Some(answer) = text.strip_prefix("437") {
                let mut answer: Value = serde_json::from_str(answer).unwrap();
                return answer[0].take();
            }
        }
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a text") {
                Some(Ok(Message::Text(text))) if !self.hears_presence && is_presence(&text) => {}
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no text but {other:?}"),
            }
        }
    }

    /// The next JSON frame.
    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        let text = self.text().await;
        let event = text.strip_prefix("42");
        let event = event.unwrap_or_else(|| panic!("no event: {text}"));
        let mut event: Value = serde_json::from_str(event).unwrap();
        (event[0].as_str().unwrap().to_owned(), event[1].take())
    }

    /// The next event of this name, whatever else comes before.
    pub(crate) async fn event_named(&mut self, name: &str) -> Value {
        loop {
            let text = self.text().await;
            let Some(event) = text.strip_prefix("42") else {
                continue;
            };
            let mut event: Value = serde_json::from_str(event).unwrap();
            if event[0] == name {
                return event[1].take();
            }
        }
    }

    /// Whether nothing comes but the answer to a question that is asked now: what was told before
    /// would have come before it.
    pub(crate) async fn hears_nothing(&mut self) -> Vec<String> {
        self.send("429[\"no such event\"]").await;
        let mut heard = Vec::new();
        loop {
            let text = self.text().await;
            if text.starts_with("439") {
                return heard;
            }
            heard.push(text);
        }
    }

    /// The code with which the server closes; `None` when it only ends.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        let reading = async {
            while let Some(Ok(message)) = self.socket.next().await {
                if let Message::Close(Some(frame)) = message {
                    code = Some(u16::from(frame.code));
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("an end");
        code
    }
}

fn is_presence(text: &str) -> bool {
    let names = [
        "presence:update",
        "user:online",
        "user:offline",
        "user_status",
    ];
    let name = text.strip_prefix("42[\"");
    name.is_some_and(|name| names.iter().any(|known| name.starts_with(known)))
}

/// A message of a conversation, as events ask for it.
pub(crate) fn line(talk: &Talk, text: &str) -> Value {
    json!({"conversation_id": talk.id, "body": text})
}
