//! Bytes on a connection, for what no HTTP client would send.

use std::time::Duration;

use serde_json::Value;
use telemed_tests::practice::Visit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing that a server does may take longer than this.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub struct Raw {
    stream: TcpStream,
    /// What was read and not yet looked at.
    read: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl RawAnswer {
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(
            self.head
                .to_ascii_lowercase()
                .contains("content-type: application/json"),
            "{self:?}"
        );
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Raw {
    pub async fn connect(visit: &Visit) -> Self {
        let stream = TcpStream::connect(visit.practice.server.address())
            .await
            .unwrap();
        let read = Vec::new();
        Self { stream, read }
    }

    /// Sends; a server that has closed already is no failure here.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the server takes the bytes or closes").is_ok()
    }

    pub async fn close_sending(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads more; `false` at the end.
    async fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let count = read.expect("the server answers or closes").unwrap_or(0);
        self.read.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// The next answer, or `None` when the server closes without one.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end);
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.trim().parse().ok())
            .unwrap_or(0_usize);
        while self.read.len() < length {
            if !self.more().await {
                return None;
            }
        }
        let body = self.read.drain(..length).collect();
        Some(RawAnswer { status, head, body })
    }

    /// Whether the server closes, whatever it says before.
    pub async fn is_closed(&mut self) -> bool {
        while self.more().await {}
        true
    }
}
