//! Clients of the raw chat and of Socket.IO, which bear it when their server goes away.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::practice::Person;

/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

const PROTOCOL: &str = "sec-websocket-protocol";
const FORWARDED: &str = "x-forwarded-for";

/// A connection that is there no longer, or did not come about, and what is known about it.
#[derive(Debug)]
pub struct Gone(pub String);

impl From<Error> for Gone {
    fn from(error: Error) -> Self {
        match &error {
            Error::Http(refused) => {
                let body = refused.body().clone().unwrap_or_default();
                let body = String::from_utf8_lossy(&body).into_owned();
                Self(format!("{}: {body}", refused.status()))
            }
            _ => Self(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Gone {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<reqwest::Error> for Gone {
    fn from(error: reqwest::Error) -> Self {
        Self(error.to_string())
    }
}

/// A WebSocket of a client.
struct Web(WebSocketStream<TcpStream>);

impl Web {
    async fn open(
        address: &str,
        path: &str,
        header: Option<(&'static str, &str)>,
    ) -> Result<Self, Gone> {
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        if let Some((name, value)) = header {
            let value = HeaderValue::from_str(value).map_err(|error| Gone(error.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let opening = timeout(PATIENCE, client_async(request, stream)).await;
        let (socket, answer) = opening.expect("an answer")?;
        if header.is_some_and(|(name, _)| name == PROTOCOL) {
            assert_eq!(answer.headers()[PROTOCOL], "bearer");
        }
        Ok(Self(socket))
    }

    async fn say(&mut self, text: &str) -> Result<(), Gone> {
        Ok(self.0.send(Message::text(text)).await?)
    }

    async fn hear(&mut self) -> Result<String, Gone> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a text") {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => return Err(Gone(format!("{frame:?}"))),
                Some(Ok(other)) => panic!("no text but {other:?}"),
                Some(Err(error)) => return Err(error.into()),
                None => return Err(Gone("the end".to_owned())),
            }
        }
    }
}

/// A socket of the raw chat.
pub struct RawSocket(Web);

impl RawSocket {
    /// A socket at a server, as a page of a browser opens it, which can send no header.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn open(address: &str, person: &Person) -> Self {
        Self::try_open(address, person, None).await.expect("opened")
    }

    /// The same, to be told what came after a cursor, or else what was not delivered.
    ///
    /// # Errors
    /// Why it does not come about.
    pub async fn try_open(
        address: &str,
        person: &Person,
        after: Option<u64>,
    ) -> Result<Self, Gone> {
        let after = after.map_or_else(String::new, |after| format!("?after={after}"));
        let path = format!("/ws/{}{after}", person.id);
        let protocol = format!("bearer, {}", person.token);
        let web = Web::open(address, &path, Some((PROTOCOL, &protocol))).await;
        Ok(Self(web?))
    }

    /// A socket whose client does not say who it is; a proxy says that it comes from there.
    ///
    /// # Errors
    /// Why it does not come about.
    pub async fn of_nobody(address: &str, network: &str) -> Result<Self, Gone> {
        let forwarded = Some((FORWARDED, network));
        Ok(Self(Web::open(address, "/ws/1", forwarded).await?))
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, frame: &Value) -> Result<(), Gone> {
        self.0.say(&frame.to_string()).await
    }

    /// The next frame.
    ///
    /// # Errors
    /// When the connection is gone.
    ///
    /// # Panics
    /// When none comes, or it is not JSON.
    pub async fn hear(&mut self) -> Result<Value, Gone> {
        let text = self.0.hear().await?;
        Ok(serde_json::from_str(&text).expect("JSON"))
    }

    /// Reads to the end: the code with which the server closes, if it does.
    ///
    /// # Panics
    /// When there is no end.
    pub async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        let reading = async {
            while let Some(Ok(message)) = self.0.0.next().await {
                if let Message::Close(Some(frame)) = message {
                    code = Some(frame.code.into());
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("an end");
        code
    }
}

/// What comes on a Socket.IO connection.
#[derive(Debug)]
pub enum Heard {
    /// An event and its payload.
    Event(String, Value),
    /// The answer to an event that was sent with this number.
    Answer(u64, Value),
}

/// Over what Socket.IO is spoken.
enum Wire {
    Web(Web),
    /// By requests.
    Polled {
        http: reqwest::Client,
        url: String,
        waiting: VecDeque<String>,
    },
}

/// A Socket.IO connection.
pub struct EventSocket {
    wire: Wire,
    asked: u64,
}

const SEPARATOR: char = '\u{1e}';

impl EventSocket {
    /// Connects over a WebSocket, with what a client authenticates with.
    ///
    /// # Errors
    /// Why it does not come about.
    pub async fn connect(address: &str, auth: &Value) -> Result<Self, Gone> {
        let mut socket = Self::open(address, None).await?;
        socket.greet(auth).await?;
        Ok(socket)
    }

    /// A connection over a WebSocket whose client does not say who it is; a proxy says that it
    /// comes from there.
    ///
    /// # Errors
    /// Why it does not come about.
    pub async fn of_nobody(address: &str, network: &str) -> Result<Self, Gone> {
        Self::open(address, Some((FORWARDED, network))).await
    }

    async fn open(address: &str, header: Option<(&'static str, &str)>) -> Result<Self, Gone> {
        let path = "/socket.io/?EIO=4&transport=websocket";
        let mut web = Web::open(address, path, header).await?;
        let opening = web.hear().await?;
        assert!(opening.starts_with("0{"), "{opening}");
        Ok(Self {
            wire: Wire::Web(web),
            asked: 0,
        })
    }

    /// The same over polling.
    ///
    /// # Errors
    /// Why it does not come about.
    pub async fn poll(address: &str, auth: &Value) -> Result<Self, Gone> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let http = http.build()?;
        let url = format!("http://{address}/socket.io/?EIO=4&transport=polling");
        let opening = http.get(&url).send().await?.error_for_status()?;
        let opening = opening.text().await?;
        let said: Value = serde_json::from_str(&opening[1..]).expect("JSON");
        let mut socket = Self {
            wire: Wire::Polled {
                url: format!("{url}&sid={}", said["sid"].as_str().expect("a session")),
                http,
                waiting: VecDeque::new(),
            },
            asked: 0,
        };
        socket.greet(auth).await?;
        Ok(socket)
    }

    async fn greet(&mut self, auth: &Value) -> Result<(), Gone> {
        self.send(&format!("40{auth}")).await?;
        let packet = self.packet().await?;
        if packet.starts_with("40") {
            return Ok(());
        }
        assert!(packet.starts_with("44"), "{packet}");
        Err(Gone(packet))
    }

    async fn send(&mut self, packet: &str) -> Result<(), Gone> {
        match &mut self.wire {
            Wire::Web(web) => web.say(packet).await,
            Wire::Polled { http, url, .. } => {
                let sent = http.post(&*url).body(packet.to_owned()).send().await?;
                sent.error_for_status()?;
                Ok(())
            }
        }
    }

    /// The next Socket.IO packet.
    async fn packet(&mut self) -> Result<String, Gone> {
        loop {
            let packet = match &mut self.wire {
                Wire::Web(web) => web.hear().await?,
                Wire::Polled { http, url, waiting } => {
                    if waiting.is_empty() {
                        let polled = http.get(&*url).send().await?.error_for_status()?;
                        let body = polled.text().await?;
                        waiting.extend(body.split(SEPARATOR).map(str::to_owned));
                    }
                    waiting.pop_front().expect("a packet")
                }
            };
            match packet.as_str() {
                "2" => self.send("3").await?,
                "6" => {}
                "1" | "41" => return Err(Gone("closed".to_owned())),
                _ => return Ok(packet),
            }
        }
    }

    /// The next thing.
    ///
    /// # Errors
    /// When the connection is gone.
    ///
    /// # Panics
    /// When it is nothing that a server says.
    pub async fn hear(&mut self) -> Result<Heard, Gone> {
        let packet = self.packet().await?;
        if let Some(event) = packet.strip_prefix("42") {
            let mut event: Value = serde_json::from_str(event).expect("JSON");
            let name = event[0].as_str().expect("a name").to_owned();
            return Ok(Heard::Event(name, event[1].take()));
        }
        let answer = packet.strip_prefix("43").expect("an answer");
        let (number, answer) = answer.split_at(answer.find('[').expect("a list"));
        let mut answer: Value = serde_json::from_str(answer).expect("JSON");
        Ok(Heard::Answer(
            number.parse().expect("a number"),
            answer[0].take(),
        ))
    }

    /// Sends an event, which is answered under the number that is returned.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, event: &str, data: &Value) -> Result<u64, Gone> {
        self.asked += 1;
        let asked = self.asked;
        self.send(&format!("42{asked}{}", json!([event, data])))
            .await?;
        Ok(asked)
    }

    /// Sends an event and waits for the answer. What else comes in between is not kept.
    ///
    /// # Errors
    /// When the connection is gone before it.
    pub async fn ask(&mut self, event: &str, data: &Value) -> Result<Value, Gone> {
        let asked = self.say(event, data).await?;
        loop {
            if let Heard::Answer(number, answer) = self.hear().await?
                && number == asked
            {
                return Ok(answer);
            }
        }
    }
}
