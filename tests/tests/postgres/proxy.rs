//! A wire between a store and its server that can be cut.

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
    loses: Loses,
    task: JoinHandle<()>,
}

/// What is in the command whose answer is to be lost.
type Loses = Arc<Mutex<Option<&'static [u8]>>>;

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
        let loses = Loses::default();
        let lost = Arc::clone(&loses);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, loses) = (target.clone(), Arc::clone(&lost));
                tokio::spawn(async move {
                    match target {
                        Target::Socket(path) => {
                            let server = UnixStream::connect(path).await.unwrap();
                            let (from, to) = server.into_split();
                            pass(client, from, to, loses).await;
                        }
                        Target::Port(host, port) => {
                            let server = TcpStream::connect((host, port)).await.unwrap();
                            let (from, to) = server.into_split();
                            pass(client, from, to, loses).await;
                        }
                    }
                });
            }
        });
        Self { port, loses, task }
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

    /// The next COMMIT reaches the server, and its answer is lost with the connection.
    pub fn lose_the_next_commit(&self) {
        // A simple query: its text ends with a zero.
        *self.loses.lock().unwrap() = Some(b"COMMIT\0");
    }

    /// The same of the next function that writes and commits by itself: by what it leaves behind.
    pub fn lose_the_next_function(&self) {
        *self.loses.lock().unwrap() = Some(b"{\"audit\":[");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    client: TcpStream,
    mut from_server: impl AsyncRead + Unpin + Send + 'static,
    mut to_server: impl AsyncWrite + Unpin + Send,
    loses: Loses,
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
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        let part = &buffer[..length];
        let is_lost = {
            let mut loses = loses.lock().unwrap();
            let is_meant = |words: &mut &[u8]| part.windows(words.len()).any(|it| it == *words);
            loses.take_if(is_meant).is_some()
        };
        if is_lost {
            // From here on nothing goes back, and the client is cut off when the server has done.
            is_silent.store(true, Ordering::SeqCst);
            let _ = to_server.write_all(part).await;
            let _ = to_server.flush().await;
            // The server ends when it reads that nothing more comes, after it has committed.
            let _ = to_server.shutdown().await;
            let _ = (&mut back).await;
            return;
        }
        if to_server.write_all(part).await.is_err() {
            break;
        }
    }
    back.abort();
}
