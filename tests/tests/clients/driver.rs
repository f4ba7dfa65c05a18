//! A program with real Socket.IO clients in it, told line by line what they shall do.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use telemed_tests::clients::Program;
use tokio::process::Command;

/// What every socket hears at some time, and none of these scenes waits for.
const UNASKED: [&str; 6] = [
    "connection_response",
    "presence:updated",
    "presence:update",
    "user:online",
    "user:offline",
    "user_status",
];

/// Whose client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// npm's `socket.io-client`.
    Node,
    /// PyPI's `python-socketio`.
    Python,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "node",
            Self::Python => "python",
        })
    }
}

/// Over what a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    WebSocket,
    Polling,
    /// It begins with polling and goes on with a WebSocket.
    Upgrading,
}

impl Transports {
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::Polling, Self::Upgrading];

    fn names(self) -> Value {
        match self {
            Self::WebSocket => json!(["websocket"]),
            Self::Polling => json!(["polling"]),
            Self::Upgrading => json!(["polling", "websocket"]),
        }
    }
}

impl fmt::Display for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "websocket",
            Self::Polling => "polling",
            Self::Upgrading => "upgrading",
        })
    }
}

impl Kind {
    fn folder(self) -> PathBuf {
        telemed_tests::clients::folder().join(self.to_string())
    }

    /// Why it cannot be had, if it cannot.
    pub fn missing(self) -> Option<&'static str> {
        let is_there = self.folder().join("made-from").is_file();
        match self {
            _ if is_there => None,
            Self::Node => Some("socket.io-client is not installed: run tests/clients/prepare"),
            Self::Python => Some("python-socketio is not installed: run tests/clients/prepare"),
        }
    }

    fn command(self) -> Command {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        match self {
            Self::Node => {
                let mut command = Command::new("node");
                command
                    .arg(sources.join("node/client.js"))
                    .arg(self.folder());
                command
            }
            Self::Python => {
                let mut command = Command::new(self.folder().join("bin/python"));
                command.arg(sources.join("python/client.py"));
                command
            }
        }
    }
}

/// A program with clients of one kind in it.
pub struct Driver {
    program: Program,
    transports: Transports,
    acks: u64,
}

impl Driver {
    pub async fn start(kind: Kind, transports: Transports) -> Self {
        Self {
            program: Program::start(kind.command()).await,
            transports,
            acks: 0,
        }
    }

    async fn tell(&mut self, command: &Value) {
        self.program.tell(command).await;
    }

    /// The first thing it says that fits; the others are kept.
    pub async fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.program.wait(what, fits).await
    }

    /// Begins to connect a socket.
    pub async fn connect(&mut self, socket: &str, url: &str, options: Value) {
        let mut options = options;
        options["transports"] = self.transports.names();
        let command = json!({"do": "connect", "socket": socket, "url": url, "options": options});
        self.tell(&command).await;
    }

    /// Waits until a socket is connected, and where it changes its transport, has changed it.
    pub async fn connected(&mut self, socket: &str) {
        let what = format!("{socket} connected");
        self.wait(&what, |said| {
            said["socket"] == socket && said["what"] == "connected"
        })
        .await;
        if self.transports == Transports::Upgrading {
            let upgraded = self
                .wait("upgrade", |said| {
                    said["socket"] == socket && said["what"] == "upgraded"
                })
                .await;
            assert_eq!(upgraded["transport"], "websocket");
        }
        let status = self.event(socket, "connection_status").await;
        assert_eq!(status["status"], "connected");
    }

    pub async fn refused(&mut self, socket: &str) -> Value {
        self.wait("refusal", |said| {
            said["socket"] == socket && said["what"] == "refused"
        })
        .await
    }

    pub async fn disconnected(&mut self, socket: &str) {
        self.wait("end", |said| {
            said["socket"] == socket && said["what"] == "disconnected"
        })
        .await;
    }

    pub async fn emit(&mut self, socket: &str, event: &str, data: &Value) {
        let command = json!({"do": "emit", "socket": socket, "event": event, "args": [data]});
        self.tell(&command).await;
    }

    /// Emits with an acknowledgement, and answers it.
    pub async fn ask(&mut self, socket: &str, event: &str, data: &Value) -> Value {
        self.acks += 1;
        let ack = self.acks;
        let command =
            json!({"do": "emit", "socket": socket, "event": event, "args": [data], "ack": ack});
        self.tell(&command).await;
        let mut said = self
            .wait("acknowledgement", |said| {
                said["what"] == "ack" && said["ack"] == ack
            })
            .await;
        said["args"][0].take()
    }

    pub async fn binary(&mut self, socket: &str, event: &str) {
        let command = json!({"do": "binary", "socket": socket, "event": event});
        self.tell(&command).await;
    }

    pub async fn close(&mut self, socket: &str) {
        self.tell(&json!({"do": "close", "socket": socket})).await;
        self.disconnected(socket).await;
    }

    /// The payload of the next event of this name on a socket.
    pub async fn event(&mut self, socket: &str, event: &str) -> Value {
        let what = format!("{event} on {socket}");
        let mut said = self
            .wait(&what, |said| {
                said["socket"] == socket && said["what"] == "event" && said["event"] == event
            })
            .await;
        said["args"][0].take()
    }

    /// The names of the events that a socket has heard and nobody has asked for, but for those that
    /// come when they come: that it is open, and who else comes and goes. What was told
    /// before is here: the answer to a question comes after it.
    pub async fn left_over(&mut self, socket: &str) -> Vec<String> {
        let answer = self.ask(socket, "no such event", &json!({})).await;
        assert_eq!(answer["success"], false);
        let events = self.program.said().iter();
        events
            .filter(|said| said["socket"] == socket && said["what"] == "event")
            .map(|said| said["event"].as_str().unwrap().to_owned())
            .filter(|event| !UNASKED.contains(&event.as_str()))
            .collect()
    }
}
