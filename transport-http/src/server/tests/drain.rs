//! A stop in the middle of work.

use super::*;

#[tokio::test]
async fn a_stop_answers_what_is_in_flight() {
    let release = Arc::new(Notify::new());
    let begun = Arc::new(AtomicUsize::new(0));
    let router = {
        let (release, begun) = (Arc::clone(&release), Arc::clone(&begun));
        Router::new().route(
            "/slow",
            post(async move |body: String| {
                begun.fetch_add(1, Ordering::SeqCst);
                release.notified().await;
                body
            }),
        )
    };
    let server = Running::start(router, ServeOptions::default()).await;
    let mut busy = Vec::new();
    for _ in 0..8 {
        let mut stream = server.connect().await;
        let request = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwork";
        stream.write_all(request.as_bytes()).await.unwrap();
        busy.push(stream);
    }
    let idle = server.connect().await;
    while begun.load(Ordering::SeqCst) < 8 {
        tokio::task::yield_now().await;
    }
    let address = server.address;
    let ending = tokio::spawn(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // One of the eight is answered only after idle connections are closed already.
    sleep(LAME_DUCK + Duration::from_millis(50)).await;
    release.notify_waiters();
    for mut stream in busy {
        let answer = read_all(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("work"),
            "{answer}"
        );
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(ending.await.unwrap(), Stopped { cut_off: 0 });
    drop(idle);
}

#[tokio::test]
async fn a_request_on_its_way_is_answered_during_a_stop() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(HELLO.as_bytes()).await.unwrap();
    read_one(&mut stream).await;
    let address = server.address;
    let ending = tokio::spawn(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(HELLO.as_bytes()).await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
    assert_eq!(ending.await.unwrap(), Stopped { cut_off: 0 });
}

#[tokio::test]
async fn a_stop_has_a_deadline() {
    let router = Router::new().route("/stuck", get(std::future::pending::<String>));
    let options = ServeOptions {
        drain_deadline: Duration::from_millis(400),
        ..ServeOptions::default()
    };
    let server = Running::start(router, options).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(server.stop().await, Stopped { cut_off: 1 });
}

#[tokio::test]
async fn http_2_carries_requests_side_by_side_and_ends_with_the_server() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let release = Arc::new(Notify::new());
    let begun = Arc::new(AtomicUsize::new(0));
    let router = {
        let (release, begun) = (Arc::clone(&release), Arc::clone(&begun));
        let slow = async move || {
            begun.fetch_add(1, Ordering::SeqCst);
            release.notified().await;
            "done"
        };
        surface().route("/slow", get(slow))
    };
    let server = Running::start(router, ServeOptions::default()).await;
    let stream = TokioIo::new(server.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake::<
        _,
        _,
        Empty<axum::body::Bytes>,
    >(TokioExecutor::new(), stream)
    .await
    .unwrap();
    let connection = tokio::spawn(connection);
    let ask = async |path: &str| {
        let uri = format!("http://a{path}");
        let request = axum::http::Request::get(uri).body(Empty::new()).unwrap();
        let response = sender.clone().send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let whole_life = async {
        while begun.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        // The slow one does not hold the quick one up.
        assert_eq!(ask("/api/v1/hello").await, "hello");
        let ending = tokio::spawn(server.stop());
        sleep(LAME_DUCK + Duration::from_millis(50)).await;
        release.notify_one();
        ending.await.unwrap()
    };
    let (slow, stopped) = tokio::join!(ask("/slow"), whole_life);
    assert_eq!(slow, "done");
    assert_eq!(stopped, Stopped { cut_off: 0 });
    connection.await.unwrap().unwrap();
}
