//! Answers that are given before the request's body has been read.

use super::*;
use axum::http::StatusCode;

/// Somewhat more than a body may have.
const TOO_LARGE: usize = crate::extract::JSON_LIMIT + 1;

fn refusing() -> Router {
    surface()
        .route("/nobody", post(async || StatusCode::UNAUTHORIZED))
        .route(
            "/first-frame",
            post(async |body: axum::body::Body| {
                use http_body_util::BodyExt;
                let mut body = body;
                let frame = body.frame().await;
                frame.map_or(StatusCode::OK, |_| StatusCode::FORBIDDEN)
            }),
        )
}

fn posted(path: &str, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

fn sized(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = posted(
        path,
        &format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n"),
    );
    [head.as_bytes(), body].concat()
}

fn chunked(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n");
    let mut bytes = posted(path, &headers).into_bytes();
    for chunk in body.chunks(50_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Requests that are refused before their body is read, or before its end is.
fn early() -> Vec<(Vec<u8>, &'static str)> {
    let (echo, json, text) = ("/api/v1/echo", "application/json", "text/plain");
    let large = vec![b' '; TOO_LARGE];
    let middling = vec![b'x'; 100_000];
    vec![
        (sized(echo, json, &large), "413"),
        (sized(echo, text, b"{}"), "415"),
        (sized(echo, text, &middling), "415"),
        (chunked(echo, text, b"{}"), "415"),
        (chunked(echo, text, &middling), "415"),
        (sized("/nobody", json, &middling), "401"),
        (chunked("/nobody", json, b"{}"), "401"),
        (sized("/api/v1/nowhere", json, &middling), "404"),
        (sized("/api/v1/hello", json, &middling), "405"),
        (sized("/first-frame", json, &middling), "403"),
        (chunked("/first-frame", json, &middling), "403"),
    ]
}

fn has_status(answer: &str, status: &str) -> bool {
    answer.starts_with(&format!("HTTP/1.1 {status} "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_outlives_answers_that_came_before_the_body() {
    let server = Running::start(refusing(), ServeOptions::default()).await;
    let mut stream = server.connect().await;
    let good = sized("/api/v1/echo", "application/json", b"{\"a\":1}");
    for round in 0..40 {
        for (request, status) in early() {
            stream.write_all(&request).await.unwrap();
            let answer = read_one(&mut stream).await;
            assert!(has_status(&answer, status), "round {round}: {answer}");
            assert!(!answer.contains("connection: close"), "{round}: {answer}");
            stream.write_all(&good).await.unwrap();
            let answer = read_one(&mut stream).await;
            assert!(has_status(&answer, "200"), "round {round}: {answer}");
        }
    }
    // One after the other without waiting for answers.
    let many: Vec<u8> = early()
        .into_iter()
        .flat_map(|(request, _)| [request, good.clone()].concat())
        .collect();
    let (mut reading, mut writing) = stream.split();
    let last = HELLO.replace("Host: a", "Host: a\r\nConnection: close");
    let send = async {
        writing.write_all(&many).await.unwrap();
        writing.write_all(last.as_bytes()).await.unwrap();
    };
    let mut answers = String::new();
    tokio::join!(send, async {
        reading.read_to_string(&mut answers).await.unwrap();
    });
    let answered = |status: &str| answers.matches(&format!("HTTP/1.1 {status} ")).count();
    assert_eq!(answered("200"), early().len() + 1, "{answers}");
    assert_eq!((answered("415"), answered("413")), (4, 1), "{answers}");
    assert_eq!(server.stop().await.cut_off, 0);
}

#[tokio::test]
async fn the_answer_does_not_wait_for_the_body() {
    let server = Running::start(refusing(), ServeOptions::default()).await;
    let mut stream = server.connect().await;
    let request = sized("/nobody", "application/json", &[b'x'; 100_000]);
    let (now, later) = request.split_at(1000);
    stream.write_all(now).await.unwrap();
    let answer = read_one(&mut stream).await;
    assert!(has_status(&answer, "401"), "{answer}");
    stream.write_all(later).await.unwrap();
    stream.write_all(HELLO.as_bytes()).await.unwrap();
    assert!(read_one(&mut stream).await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_too_much_to_throw_away_ends_the_connection_after_the_answer() {
    let server = Running::start(refusing(), ServeOptions::default()).await;
    let large = vec![b'x'; 12 * 1024 * 1024];
    for request in [
        sized("/nobody", "application/json", &large),
        chunked("/nobody", "application/json", &large),
        chunked("/api/v1/echo", "application/json", &large),
    ] {
        // A client that sends everything before it reads, and is not reset meanwhile.
        let mut stream = server.connect().await;
        stream.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            has_status(&answer, "401") || has_status(&answer, "413"),
            "{answer}"
        );
        assert!(answer.contains("connection: close"), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_was_not_asked_for_is_not_asked_for_by_throwing_it_away() {
    let server = Running::start(refusing(), ServeOptions::default()).await;
    let expecting = |path: &str, length: usize| {
        let headers = format!(
            "Content-Type: application/json\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\n"
        );
        posted(path, &headers)
    };
    let mut stream = server.connect().await;
    let request = expecting("/nobody", 2);
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(has_status(&answer, "401"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    // One that is wanted still is asked for, and the connection goes on.
    let mut stream = server.connect().await;
    let request = expecting("/api/v1/echo", 2);
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_one(&mut stream).await;
    assert!(has_status(&answer, "100"), "{answer}");
    stream.write_all(b"{}").await.unwrap();
    let answer = read_one(&mut stream).await;
    assert!(has_status(&answer, "200"), "{answer}");
    stream.write_all(HELLO.as_bytes()).await.unwrap();
    assert!(read_one(&mut stream).await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_left_has_the_deadlines_of_a_body() {
    let options = ServeOptions {
        body_grace: Duration::from_millis(150),
        ..ServeOptions::default()
    };
    let server = Running::start(refusing(), options).await;
    for request in [
        sized("/nobody", "application/json", &[b'x'; 100_000]),
        chunked("/nobody", "application/json", &[b'x'; 100_000]),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(&request[..1000]).await.unwrap();
        let answer = read_one(&mut stream).await;
        assert!(has_status(&answer, "401"), "{answer}");
        // A byte now and then does not keep it open.
        let mut sent = 0;
        while stream.write_all(b"x").await.is_ok() {
            sent += 1;
            assert!(sent < 500, "still open");
            sleep(Duration::from_millis(20)).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_was_rid_of_a_body_is_idle_after_it() {
    let options = ServeOptions {
        idle_timeout: Duration::from_millis(300),
        ..ServeOptions::default()
    };
    let server = Running::start(refusing(), options).await;
    let mut stream = server.connect().await;
    let request = sized("/nobody", "application/json", &[b'x'; 100_000]);
    stream.write_all(&request).await.unwrap();
    read_one(&mut stream).await;
    let begun = Instant::now();
    assert_eq!(read_all(&mut stream).await, "");
    // Sooner than anything else would end it.
    assert!(begun.elapsed() < Duration::from_secs(8));
    server.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_what_is_left() {
    let server = Running::start(refusing(), ServeOptions::default()).await;
    let request = sized("/nobody", "application/json", &[b'x'; 100_000]);
    let mut before = server.connect().await;
    before.write_all(&request[..1000]).await.unwrap();
    assert!(has_status(&read_one(&mut before).await, "401"));
    let mut during = server.connect().await;
    let address = server.address;
    let ending = tokio::spawn(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    during.write_all(&request[..1000]).await.unwrap();
    let answer = read_one(&mut during).await;
    assert!(has_status(&answer, "401"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    let stopped = timeout(Duration::from_secs(20), ending).await;
    assert_eq!(stopped.expect("in time").unwrap(), Stopped { cut_off: 0 });
}
