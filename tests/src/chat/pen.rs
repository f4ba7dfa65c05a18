//! Writing messages, each under an id of its own, in every way there is.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::sockets::{EventSocket, Gone, RawSocket};
use super::{Talk, text_of};
use crate::client::Client;
use crate::practice::Person;

/// In which way somebody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The chat's route, with `client_msg_id`.
    Chat,
    /// The chat's route, with `Idempotency-Key` alone.
    Keyed,
    /// The calls' route, with `client_msg_id`.
    Calls,
    /// Socket.IO over a WebSocket.
    Events,
    /// Socket.IO over polling.
    Polled,
    /// The raw chat.
    Raw,
}

impl Way {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::Raw,
        Self::Events,
        Self::Keyed,
        Self::Calls,
        Self::Polled,
    ];
}

/// A message that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Its place in the conversation.
    pub seq: u64,
}

/// What came of writing a message.
#[derive(Debug)]
pub enum Sent {
    /// It is acknowledged.
    Stored(Stored),
    /// The server has asked to come back.
    Later,
    /// There was no answer.
    Nothing,
}

enum Socket {
    Events(Box<EventSocket>),
    Raw(Box<RawSocket>),
}

/// Somebody who writes in a conversation.
pub struct Pen {
    /// The way.
    pub way: Way,
    talk: Talk,
    /// Which of the two writes.
    side: usize,
    address: String,
    client: Client,
    socket: Option<Socket>,
}

impl Pen {
    /// For one of the two of a conversation, at a server.
    #[must_use]
    pub fn new(way: Way, talk: &Talk, side: usize, address: &str) -> Self {
        Self {
            way,
            talk: talk.clone(),
            side,
            client: client_of(talk, side, address),
            address: address.to_owned(),
            socket: None,
        }
    }

    /// What the writer asks for over HTTP.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where he writes.
    #[must_use]
    pub fn talk(&self) -> &Talk {
        &self.talk
    }

    /// Goes on at this server.
    pub fn turn_to(&mut self, address: &str) {
        if self.address != address {
            self.client = client_of(&self.talk, self.side, address);
            address.clone_into(&mut self.address);
            self.socket = None;
        }
    }

    fn person(&self) -> &Person {
        &self.talk.pair[self.side]
    }

    /// Writes a text under an id; under the same id it is the same message.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn write(&mut self, id: &str, text: &str) -> Sent {
        match self.way {
            Way::Chat | Way::Keyed | Way::Calls => self.post(id, text).await,
            Way::Events | Way::Polled | Way::Raw => match self.say(id, text).await {
                Ok(sent) => sent,
                Err(_) => {
                    self.socket = None;
                    Sent::Nothing
                }
            },
        }
    }

    async fn post(&self, id: &str, text: &str) -> Sent {
        let chat = json!({"conversation_id": self.talk.id, "message": text});
        let (path, mut body) = match self.way {
            Way::Calls => (
                format!("//api/conversations/{}/send-message", self.talk.id),
                json!({ "body": text }),
            ),
            _ => ("//api/messages".to_owned(), chat),
        };
        let mut request = self.client.request(Method::POST, &path);
        if self.way == Way::Keyed {
            request = request.key(id);
        } else {
            body["client_msg_id"] = id.into();
        }
        let Ok(answer) = request.json(&body).try_send().await else {
            return Sent::Nothing;
        };
        if answer.status == 503 {
            return Sent::Later;
        }
        let data = answer.expect(200)["data"].take();
        Sent::Stored(match self.way {
            Way::Calls => stored(&data, "message_id"),
            _ => stored(&data["message"], "id"),
        })
    }

    async fn say(&mut self, id: &str, text: &str) -> Result<Sent, Gone> {
        if self.socket.is_none() {
            self.socket = Some(self.open().await?);
        }
        match &mut self.socket {
            Some(Socket::Events(socket)) => {
                let message = json!({
                    "conversation_id": self.talk.id, "body": text, "client_msg_id": id,
                });
                let answer = socket.ask("chat:message", &message).await?;
                if answer["error_code"] == "UNAVAILABLE" {
                    return Ok(Sent::Later);
                }
                assert_eq!(answer["success"], true, "{answer}");
                Ok(Sent::Stored(stored(&answer["data"], "message_id")))
            }
            Some(Socket::Raw(socket)) => {
                let receiver = self.talk.pair[1 - self.side].id.to_string();
                let frame = json!({
                    "receiver_id": receiver, "message_text": text, "client_msg_id": id,
                });
                socket.say(&frame).await?;
                loop {
                    let frame = socket.hear().await?;
                    if frame["client_msg_id"] == id {
                        if frame["error_code"] == "UNAVAILABLE" {
                            return Ok(Sent::Later);
                        }
                        assert_eq!(frame["type"], "ack", "{frame}");
                        return Ok(Sent::Stored(stored(&frame, "message_id")));
                    }
                }
            }
            None => Ok(Sent::Nothing),
        }
    }

    async fn open(&self) -> Result<Socket, Gone> {
        let auth = json!({"token": self.person().token});
        Ok(match self.way {
            Way::Polled => Socket::Events(Box::new(EventSocket::poll(&self.address, &auth).await?)),
            Way::Raw => {
                let raw = RawSocket::try_open(&self.address, self.person(), None);
                Socket::Raw(Box::new(raw.await?))
            }
            _ => Socket::Events(Box::new(EventSocket::connect(&self.address, &auth).await?)),
        })
    }

    /// Writes until it is acknowledged, each time at the next of these servers.
    ///
    /// # Panics
    /// When it never is.
    pub async fn insist(&mut self, servers: &[String], id: &str, text: &str) -> Stored {
        /// For a minute or more.
        const TRIES: usize = 3_000;
        for attempt in 0..TRIES {
            match self.write(id, text).await {
                Sent::Stored(stored) => return stored,
                Sent::Later | Sent::Nothing => {
                    self.turn_to(&servers[attempt % servers.len()]);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        panic!("never acknowledged: {id} by {:?}", self.way);
    }
}

fn client_of(talk: &Talk, side: usize, address: &str) -> Client {
    Client::new(&format!("http://{address}")).with_token(&talk.pair[side].token)
}

fn stored(message: &Value, id: &str) -> Stored {
    Stored {
        id: text_of(&message[id]),
        seq: message["seq"].as_u64().expect("a place"),
    }
}
