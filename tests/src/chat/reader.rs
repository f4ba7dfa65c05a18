//! Reading conversations, with connections that break off at any time and are made anew at any
//! server: every message once, in the order of its conversation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::sockets::{EventSocket, Gone, Heard, RawSocket};
use super::{Dice, text_of};
use crate::client::Client;
use crate::practice::Person;

/// How long the next message may take while some are still to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// In which way somebody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Socket.IO over a WebSocket in chat words, from the cursor.
    ChatWords,
    /// Socket.IO over a WebSocket in calls words, from the cursor.
    CallsWords,
    /// Socket.IO over polling, from the cursor.
    Polled,
    /// The raw chat, from the cursor.
    Raw,
    /// The raw chat, from the mark of delivery: what was sent and not seen to arrive comes again.
    RawByMark,
    /// `GET /api/events`.
    Http,
}

/// A message as a reader is told it.
#[derive(Debug)]
struct Line {
    /// The cursor from which the feed goes on after it.
    cursor: Option<u64>,
    /// The conversation; on the raw chat it is that with the sender.
    conversation: Option<String>,
    sender: i64,
    id: String,
    seq: u64,
}

/// Somebody who reads until he has seen everything.
pub struct Reader {
    /// The way.
    pub way: Reading,
    /// Who reads.
    pub person: Person,
    /// The conversations by whom they are with, and how many messages will come of each.
    pub expected: BTreeMap<i64, (String, usize)>,
    /// Where the servers are.
    pub servers: Vec<String>,
    /// The cursor after which everything is to be told.
    pub cursor: u64,
    /// When to break off, and where to go.
    pub dice: Arc<Dice>,
    /// What was told: the id and the number of each message, by conversation.
    pub seen: BTreeMap<String, Vec<(String, u64)>>,
    /// How often the connection was made.
    pub connections: usize,
}

enum Connection {
    Events(Box<EventSocket>),
    Raw(Box<RawSocket>),
    Http(Box<Client>),
}

impl Reader {
    /// Whether it is told only what others have written.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self.way, Reading::Raw | Reading::RawByMark)
    }

    fn is_done(&self) -> bool {
        self.expected.values().all(|(conversation, count)| {
            let seen = self.seen.get(conversation);
            seen.map_or(0, Vec::len) >= *count
        })
    }

    /// Reads everything.
    ///
    /// # Panics
    /// When a message is missing, comes twice, or comes out of order.
    #[must_use]
    pub async fn read(mut self) -> Self {
        while !self.is_done() {
            let server = self.dice.below(self.servers.len() as u64) as usize;
            let address = self.servers[server].clone();
            self.connections += 1;
            let Ok(mut connection) = self.connect(&address).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            // The end of a connection is not waited for, and what is on its way is lost.
            let stay = 1 + self.dice.below(60);
            for _ in 0..stay {
                if self.is_done() {
                    break;
                }
                let heard = timeout(PATIENCE, self.hear(&mut connection)).await;
                let heard = heard.unwrap_or_else(|_| {
                    panic!(
                        "nothing comes to {:?}: it has {:?}",
                        self.way,
                        self.counts()
                    )
                });
                match heard {
                    Ok(lines) => lines.into_iter().for_each(|line| self.note(line)),
                    Err(_) => break,
                }
            }
            drop(connection);
            tokio::time::sleep(Duration::from_millis(self.dice.below(30))).await;
        }
        self
    }

    fn counts(&self) -> Vec<usize> {
        self.seen.values().map(Vec::len).collect()
    }

    async fn connect(&self, address: &str) -> Result<Connection, Gone> {
        let auth =
            |words: &str| json!({"token": self.person.token, "after": self.cursor, "words": words});
        let events = |socket| Connection::Events(Box::new(socket));
        Ok(match self.way {
            Reading::ChatWords => events(EventSocket::connect(address, &auth("chat")).await?),
            Reading::CallsWords => events(EventSocket::connect(address, &auth("calls")).await?),
            Reading::Polled => events(EventSocket::poll(address, &auth("chat")).await?),
            Reading::Raw | Reading::RawByMark => {
                let after = (self.way == Reading::Raw).then_some(self.cursor);
                let raw = RawSocket::try_open(address, &self.person, after).await?;
                Connection::Raw(Box::new(raw))
            }
            Reading::Http => {
                let client = Client::new(&format!("http://{address}"));
                Connection::Http(Box::new(client.with_token(&self.person.token)))
            }
        })
    }

    async fn hear(&mut self, connection: &mut Connection) -> Result<Vec<Line>, Gone> {
        match connection {
            Connection::Events(socket) => match socket.hear().await? {
                Heard::Event(name, data) => Ok(event_line(&name, &data).into_iter().collect()),
                Heard::Answer(..) => Ok(Vec::new()),
            },
            Connection::Raw(socket) => {
                let frame = socket.hear().await?;
                let sender = text_of(&frame["sender_id"]).parse().expect("an id");
                Ok(vec![Line {
                    cursor: frame["feed_seq"].as_u64(),
                    conversation: None,
                    sender,
                    id: text_of(&frame["message_id"]),
                    seq: frame["seq"].as_u64().expect("a place"),
                }])
            }
            Connection::Http(client) => self.ask(client).await,
        }
    }

    async fn ask(&mut self, client: &Client) -> Result<Vec<Line>, Gone> {
        let limit = 1 + self.dice.below(20);
        let path = format!("//api/events?after={}&limit={limit}&wait=20", self.cursor);
        let page = client.request(Method::GET, &path).try_send().await?;
        let data = page.expect(200)["data"].take();
        let mut lines = Vec::new();
        for event in data["events"].as_array().expect("a list") {
            let name = text_of(&event["kind"]);
            assert_eq!(event["seq"], event["data"]["feed_seq"]);
            lines.extend(event_line(&name, &event["data"]));
        }
        // Nobody is told of what lies up to here any more.
        let next = data["next"].as_u64().expect("a cursor");
        assert!(next >= lines.last().and_then(|line| line.cursor).unwrap_or(0));
        if lines.is_empty() {
            self.cursor = self.cursor.max(next);
        }
        Ok(lines)
    }

    fn note(&mut self, line: Line) {
        if let Some(cursor) = line.cursor {
            assert!(
                cursor > self.cursor,
                "{:?}: the feed goes back: {line:?}",
                self.way
            );
            self.cursor = cursor;
        }
        let (with, is_raw) = (line.sender, self.is_raw());
        let conversation = line.conversation.clone().unwrap_or_else(|| {
            let (conversation, _) = &self.expected[&with];
            conversation.clone()
        });
        let seen = self.seen.entry(conversation).or_default();
        let last = seen.last().map_or(0, |(_, seq)| *seq);
        if self.way == Reading::RawByMark && line.seq <= last {
            let known = seen.iter().any(|one| *one == (line.id.clone(), line.seq));
            assert!(known, "out of order: {line:?} after {last}");
            return;
        }
        if is_raw {
            assert!(line.seq > last, "{:?}: {line:?} after {last}", self.way);
        } else {
            assert_eq!(line.seq, last + 1, "{:?}: {line:?}", self.way);
        }
        seen.push((line.id, line.seq));
    }
}

/// The message that an event tells, if it tells one.
fn event_line(name: &str, data: &Value) -> Option<Line> {
    let (message, id) = match name {
        "new_message" => (&data["message"], "id"),
        "chat:message" => (data, "message_id"),
        _ => return None,
    };
    Some(Line {
        cursor: Some(data["feed_seq"].as_u64().expect("a cursor")),
        conversation: Some(text_of(&data["conversation_id"])),
        sender: message["sender_id"].as_i64().expect("an id"),
        id: text_of(&message[id]),
        seq: message["seq"].as_u64().expect("a place"),
    })
}
