//! The bare relay that ours is measured beside: tokio-tungstenite as it comes, which hands every
//! text of a connection to the others that were opened under the same path. It knows nobody and
//! keeps nothing; or it keeps every text, with one fsync for each, before it hands it on.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::client::IN_THE_ROOM;

/// Who listens, by path and number.
type Rooms = Arc<Mutex<HashMap<String, Vec<(usize, mpsc::UnboundedSender<Utf8Bytes>)>>>>;

/// Serves until the process is ended. With a file, texts are kept in it.
pub async fn serve(file: Option<&Path>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    let keeper = file.map(keep);
    let rooms = Rooms::default();
    for number in 0.. {
        let (stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.set_nodelay(true);
        tokio::spawn(relay(stream, number, Arc::clone(&rooms), keeper.clone()));
    }
}

async fn relay(stream: TcpStream, number: usize, rooms: Rooms, keeper: Option<Keeper>) {
    let mut path = String::new();
    #[allow(clippy::result_large_err)]
    let learn = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, learn).await else {
        return;
    };
    let (teller, mut told) = mpsc::unbounded_channel();
    let locked = || rooms.lock().unwrap_or_else(PoisonError::into_inner);
    locked()
        .entry(path.clone())
        .or_default()
        .push((number, teller));
    let greeting = Message::text(IN_THE_ROOM);
    if socket.send(greeting).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            said = socket.next() => match said {
                Some(Ok(Message::Text(text))) => {
                    if let Some(keeper) = &keeper {
                        keeper.keep(text.clone()).await;
                    }
                    let rooms = locked();
                    let others = rooms[&path].iter().filter(|(other, _)| *other != number);
                    for (_, other) in others {
                        let _ = other.send(text.clone());
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            Some(text) = told.recv() => {
                if socket.send(Message::Text(text)).await.is_err() {
                    break;
                }
            }
        }
    }
    if let Some(room) = locked().get_mut(&path) {
        room.retain(|(other, _)| *other != number);
    }
}

/// The thread that writes.
#[derive(Clone)]
struct Keeper(std::sync::mpsc::Sender<(Utf8Bytes, oneshot::Sender<()>)>);

impl Keeper {
    async fn keep(&self, text: Utf8Bytes) {
        let (done, is_done) = oneshot::channel();
        self.0.send((text, done)).expect("the thread that writes");
        is_done.await.expect("the thread that writes");
    }
}

fn keep(path: &Path) -> Keeper {
    let mut file = File::create(path).expect("a file");
    let (sender, texts) = std::sync::mpsc::channel::<(Utf8Bytes, oneshot::Sender<()>)>();
    std::thread::spawn(move || {
        for (text, done) in texts {
            file.write_all(text.as_bytes()).expect("a write");
            file.sync_data().expect("an fsync");
            let _ = done.send(());
        }
    });
    Keeper(sender)
}
