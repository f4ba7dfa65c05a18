//! A client that costs as little as it can: prepared requests on connections that stay open.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::seed::SIDE;

/// Sends the requests over [`SIDE`] connections, one after the other on each, and returns how many
/// were answered in a second.
pub async fn rate(port: u16, requests: &[Vec<u8>], expected: u16) -> f64 {
    let mut streams = Vec::new();
    for _ in 0..SIDE {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        streams.push(stream);
    }
    let start = Instant::now();
    let mut tasks = Vec::new();
    for (number, mut stream) in streams.into_iter().enumerate() {
        let own: Vec<Vec<u8>> = requests
            .iter()
            .skip(number)
            .step_by(SIDE)
            .cloned()
            .collect();
        tasks.push(tokio::spawn(async move {
            for request in own {
                let (status, _) = ask(&mut stream, &request).await;
                assert_eq!(status, expected, "the server refused");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a client");
    }
    requests.len() as f64 / start.elapsed().as_secs_f64()
}

/// Sends one request and reads its answer: the status and the length of the body.
pub async fn ask(stream: &mut TcpStream, request: &[u8]) -> (u16, usize) {
    stream.write_all(request).await.expect("a write");
    let mut answer = Vec::with_capacity(2048);
    loop {
        let read = stream.read_buf(&mut answer).await.expect("a read");
        assert!(read > 0, "the server hung up");
        let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&answer[..head])
            .expect("a head")
            .to_ascii_lowercase();
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.trim().parse().ok())
            .expect("a length");
        if answer.len() >= head + 4 + length {
            let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
            return (status.expect("a status"), length);
        }
    }
}
