//! A wire between a store and its server that can be cut.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

/// Passes connections on to a server, until it is to lose an answer.
pub struct Proxy {
    port: u16,
    doomed: Doomed,
    task: JoinHandle<()>,
}

/// A word of the next statement whose answer is to be lost.
type Doomed = Arc<Mutex<Option<&'static str>>>;

/// Where the server listens.
#[derive(Clone)]
enum Target {
    Socket(PathBuf),
    Port(String, u16),
}

impl Proxy {
    /// A wire to the server of this URL.
    pub async fn to(url: &str) -> Self {
        let address: PgConnectOptions = url.parse().unwrap();
        let target = match address.get_socket() {
            Some(folder) => Target::Socket(folder.join(format!(".s.PGSQL.{}", address.get_port()))),
            None => Target::Port(address.get_host().to_owned(), address.get_port()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let doomed = Doomed::default();
        let of_all = Arc::clone(&doomed);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, doomed) = (target.clone(), Arc::clone(&of_all));
                tokio::spawn(async move {
                    match target {
                        Target::Socket(path) => {
                            let server = UnixStream::connect(path).await.unwrap();
                            let (from, to) = server.into_split();
                            pass(client, from, to, doomed).await;
                        }
                        Target::Port(host, port) => {
                            let server = TcpStream::connect((host, port)).await.unwrap();
                            let (from, to) = server.into_split();
                            pass(client, from, to, doomed).await;
                        }
                    }
                });
            }
        });
        Self { port, doomed, task }
    }

    /// The URL of a database behind the wire.
    pub fn url(&self, url: &str) -> String {
        let address: PgConnectOptions = url.parse().unwrap();
        format!(
            "postgres://{}@127.0.0.1:{}/{}?sslmode=disable",
            address.get_username(),
            self.port,
            address.get_database().unwrap()
        )
    }

    /// The next statement with this word in it reaches the server, and its answer is lost with the
    /// connection.
    pub fn lose_the_next_answer_to(&self, word: &'static str) {
        *self.doomed.lock().unwrap() = Some(word);
    }

    /// Whether the answer was lost meanwhile.
    pub fn has_lost_it(&self) -> bool {
        self.doomed.lock().unwrap().is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a client says, in messages.
#[derive(Default)]
struct Messages {
    /// What has come and was not passed on.
    waiting: Vec<u8>,
    has_begun: bool,
    /// The texts of statements, by the names under which they were prepared.
    prepared: HashMap<Vec<u8>, Vec<u8>>,
}

impl Messages {
    /// The next whole message.
    fn next(&mut self) -> Option<Vec<u8>> {
        // The first one has no letter before its length.
        let start = usize::from(self.has_begun);
        let length = self.waiting.get(start..start + 4)?;
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if self.waiting.len() < start + length {
            return None;
        }
        self.has_begun = true;
        Some(self.waiting.drain(..start + length).collect())
    }

    /// The text of the statement that the message runs, if it runs one.
    fn runs(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let (letter, body) = message.split_first()?;
        let mut parts = body.get(4..).unwrap_or_default().split(|byte| *byte == 0);
        let mut next = || parts.next().unwrap_or_default();
        match letter {
            b'Q' => Some(next().to_vec()),
            // Prepared under a name, and run under it later.
            b'P' => {
                let (name, text) = (next().to_vec(), next().to_vec());
                self.prepared.insert(name, text);
                None
            }
            b'B' => {
                let (_portal, name) = (next(), next());
                self.prepared.get(name).cloned()
            }
            _ => None,
        }
    }
}

async fn pass(
    client: TcpStream,
    mut from_server: impl AsyncRead + Unpin + Send + 'static,
    mut to_server: impl AsyncWrite + Unpin + Send,
    doomed: Doomed,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let is_silent = Arc::new(AtomicBool::new(false));
    let is_back_silent = Arc::clone(&is_silent);
    let mut back = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let is_lost = is_back_silent.load(Ordering::SeqCst);
            if !is_lost && to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        to_client
    });
    let mut messages = Messages::default();
    while let Ok(1..) = from_client.read_buf(&mut messages.waiting).await {
        let mut part = Vec::new();
        while let Some(message) = messages.next() {
            let statement = messages.runs(&message).unwrap_or_default();
            let is_meant = |word: &mut &str| {
                statement
                    .windows(word.len())
                    .any(|it| it == word.as_bytes())
            };
            if doomed.lock().unwrap().take_if(is_meant).is_some() {
                // From here on nothing goes back.
                is_silent.store(true, Ordering::SeqCst);
            }
            part.extend(message);
        }
        if to_server.write_all(&part).await.is_err() {
            break;
        }
        // What runs a statement ends with it or with a Sync, and is sent at once.
        if is_silent.load(Ordering::SeqCst) && messages.waiting.is_empty() {
            // The client is cut off when the server has done: it ends when it reads that nothing
            // more comes, after it has committed.
            let _ = to_server.flush().await;
            let _ = to_server.shutdown().await;
            let _ = (&mut back).await;
            return;
        }
    }
    back.abort();
}
