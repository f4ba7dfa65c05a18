//! Slow, large, many and ambiguous requests.

use super::*;

#[tokio::test]
async fn two_lengths_are_refused_and_the_connection_ends() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let te = "Transfer-Encoding: chunked\r\n";
    let cl = "Content-Length: 4\r\n";
    for headers in [format!("{te}{cl}"), format!("{cl}{te}")] {
        let smuggled = format!(
            "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{headers}\r\n\
             2\r\n{{}}\r\n0\r\n\r\n{HELLO}"
        );
        let answer = server.exchange(&smuggled).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("VALIDATION_ERROR") && answer.contains("connection: close"));
        assert!(!answer.contains("hello"), "{answer}");
        // Behind a good request, too.
        let answer = server.exchange(format!("{HELLO}{smuggled}")).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("HTTP/1.1 400"),
            "{answer}"
        );
        assert_eq!(answer.matches("hello").count(), 1, "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_length_behind_padding_is_refused_and_the_connection_ends() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let padding = " ".repeat(100);
    for more in ["", "Transfer-Encoding: chunked\r\n"] {
        let smuggled = format!(
            "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             {more}Content-Length:{padding}2\r\n\r\n{{}}{HELLO}"
        );
        let answer = server.exchange(format!("{HELLO}{smuggled}")).await;
        assert!(answer.contains("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(answer.matches("hello").count(), 1, "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn chunked_bodies_alone_are_fine() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let answer = server
        .exchange(
            "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
        )
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("1"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn large_heads_are_refused() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let fits = format!(
        "GET /api/v1/hello HTTP/1.1\r\nConnection: close\r\nX: {}\r\n\r\n",
        "a".repeat(12_000)
    );
    assert!(server.exchange(fits).await.starts_with("HTTP/1.1 200"));
    let large = format!(
        "GET /api/v1/hello HTTP/1.1\r\nX: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    assert!(server.exchange(large).await.starts_with("HTTP/1.1 431"));
    server.stop().await;
}

fn impatient() -> ServeOptions {
    ServeOptions {
        header_timeout: Duration::from_millis(150),
        idle_timeout: Duration::from_millis(400),
        body_grace: Duration::from_millis(150),
        ..ServeOptions::default()
    }
}

#[tokio::test]
async fn slow_heads_and_silent_clients_are_cut_off() {
    let server = Running::start(surface(), impatient()).await;
    for start in ["", "GET", "GET /api/v1/hello HTTP/1.1\r\nHost: a\r\n"] {
        let begun = Instant::now();
        let answer = server.exchange(start).await;
        assert!(
            !answer.contains("200") && begun.elapsed() < Duration::from_secs(10),
            "{answer}"
        );
    }
    // A byte now and then does not help, in whichever request.
    let echo = "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\n\r\n{}";
    for before in ["", HELLO, echo] {
        let mut stream = server.connect().await;
        if !before.is_empty() {
            stream.write_all(before.as_bytes()).await.unwrap();
            read_one(&mut stream).await;
        }
        let mut sent = 0;
        for byte in HELLO
            .bytes()
            .take(30)
            .chain(std::iter::repeat(b'x'))
            .take(100)
        {
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            sent += 1;
            sleep(Duration::from_millis(20)).await;
        }
        assert!(sent < 30, "{sent} bytes in time");
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_watcher_takes_for_a_body_is_timed_as_a_head_when_nothing_is_answered() {
    let traffic = guard::Traffic::new(Arc::new(Idle::default()).connection());
    let (mut client, server) = tokio::io::duplex(1024);
    let options = Arc::new(ServeOptions::default());
    let mut guarded = guard::Guarded::new(server, options, Arc::clone(&traffic));
    let head = b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut buffer = [0u8; 64];
    guarded.read_exact(&mut buffer[..head.len()]).await.unwrap();
    // Its request was answered without the body, but the connection lives on.
    sleep(Duration::from_secs(30)).await;
    drop(traffic.begin());
    let begun = Instant::now();
    tokio::spawn(async move {
        while client.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    let error = loop {
        match guarded.read(&mut buffer).await {
            Ok(count) => assert!(count > 0),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let took = begun.elapsed().as_secs();
    assert!((10..12).contains(&took), "{took} s");
}

#[tokio::test]
async fn an_idle_connection_ends_later_than_a_silent_one() {
    let server = Running::start(surface(), impatient()).await;
    let mut stream = server.connect().await;
    stream.write_all(HELLO.as_bytes()).await.unwrap();
    read_one(&mut stream).await;
    let begun = Instant::now();
    assert_eq!(read_all(&mut stream).await, "");
    assert!(begun.elapsed() > Duration::from_millis(300));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_handler_is_waited_for() {
    let release = Arc::new(Notify::new());
    let router = {
        let release = Arc::clone(&release);
        Router::new().route(
            "/slow",
            get(async move || {
                release.notified().await;
                "done"
            }),
        )
    };
    let server = Running::start(router, impatient()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    // Longer than any of the client's deadlines.
    sleep(Duration::from_millis(700)).await;
    release.notify_one();
    assert!(read_one(&mut stream).await.ends_with("done"));
    server.stop().await;
}

#[tokio::test]
async fn slow_bodies_get_408_in_json() {
    let server = Running::start(surface(), impatient()).await;
    let answer = server
        .exchange(
            "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             Content-Length: 100\r\n\r\n{\"a\":",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("VALIDATION_ERROR") && answer.contains("connection: close"));
    server.stop().await;
}

#[tokio::test]
async fn bodies_beyond_the_memory_for_them_are_told_to_come_back() {
    let clock = ManualClock::at(Timestamp::from_micros(0));
    let shared = Shared::new(Arc::new(clock), Cors::default(), Metrics::new());
    let shared = Arc::new(shared.with_body_budget(100));
    let server = Running::start(surface_of(shared), ServeOptions::default()).await;
    let head = |length: usize| {
        format!(
            "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    // One body holds most of it and does not end.
    let mut slow = server.connect().await;
    let begun = format!("{}{{\"a\":\"{}", head(90), "x".repeat(80));
    slow.write_all(begun.as_bytes()).await.unwrap();
    let other = format!("{}{{\"a\":\"{}\"}}", head(38), "x".repeat(30));
    let refused = loop {
        let mut stream = server.connect().await;
        stream.write_all(other.as_bytes()).await.unwrap();
        let answer = read_one(&mut stream).await;
        if !answer.starts_with("HTTP/1.1 200") {
            break answer;
        }
    };
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(
        refused.contains("UNAVAILABLE") && refused.contains("retry-after: 5"),
        "{refused}"
    );
    // What is small enough fits beside it, and what it held is free after it.
    let small = format!("{}{{}}", head(2));
    for (rest, request) in [(None, &small), (Some("xx\"}"), &other), (None, &other)] {
        if let Some(rest) = rest {
            slow.write_all(rest.as_bytes()).await.unwrap();
            let answer = read_one(&mut slow).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_one(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_declared_length_above_the_limit_is_refused_at_once() {
    let server = Running::start(surface(), ServeOptions::default()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(
            b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
              Content-Length: 10000000\r\n\r\n{",
        )
        .await
        .unwrap();
    assert!(read_one(&mut stream).await.starts_with("HTTP/1.1 413"));
    server.stop().await;
}

#[tokio::test]
async fn connections_wait_for_a_seat() {
    let options = ServeOptions {
        max_connections: 1,
        ..ServeOptions::default()
    };
    let server = Running::start(surface(), options).await;
    let mut first = server.connect().await;
    // A request in the middle of its body.
    let echo = "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    first.write_all(echo.as_bytes()).await.unwrap();
    assert!(read_one(&mut first).await.starts_with("HTTP/1.1 100"));
    let mut second = server.connect().await;
    second.write_all(HELLO.as_bytes()).await.unwrap();
    let mut byte = [0u8; 1];
    let waits = timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(
        waits.is_err(),
        "the second is not served while the first is busy"
    );
    first.write_all(b"{}").await.unwrap();
    assert!(read_one(&mut first).await.starts_with("HTTP/1.1 200"));
    // Now the first has nothing to do.
    assert!(read_one(&mut second).await.starts_with("HTTP/1.1 200"));
    assert_eq!(read_all(&mut first).await, "");
    server.stop().await;
}

#[tokio::test]
async fn who_says_nothing_keeps_nobody_out() {
    let options = ServeOptions {
        max_connections: 50,
        ..ServeOptions::default()
    };
    let server = Running::start(surface(), options).await;
    let mut regular = server.connect().await;
    let mut crowd = Vec::new();
    for number in 0..300 {
        let mut silent = server.connect().await;
        let start = ["", "GET", HELLO][number % 3];
        silent.write_all(start.as_bytes()).await.unwrap();
        crowd.push(silent);
        // Who comes back now and then is never the one that has waited longest.
        if number % 20 == 0 {
            regular.write_all(HELLO.as_bytes()).await.unwrap();
            assert!(read_one(&mut regular).await.ends_with("hello"));
        }
    }
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.write_all(HELLO.as_bytes()).await.unwrap();
        let answer = timeout(Duration::from_secs(2), read_one(&mut client)).await;
        assert!(answer.expect("at once").ends_with("hello"));
        crowd.push(client);
    }
    server.stop().await;
}

#[test]
fn one_network_cannot_take_every_seat() {
    let networks = Arc::new(Networks::default());
    let [one, other] = ["203.0.113.7", "203.0.113.8"].map(|text| text.parse().unwrap());
    let held = [(); 2].map(|()| networks.enter(one, Some(2)).unwrap());
    assert!(networks.enter(one, Some(2)).is_none());
    assert!(networks.enter(other, Some(2)).is_some());
    assert!(networks.enter(one, None).is_some());
    drop(held);
    assert!(networks.enter(one, Some(2)).is_some());
}

#[test]
fn the_cap_of_a_network_is_for_strangers() {
    let most = |behind_proxy: bool, peer: &str| {
        let options = ServeOptions {
            behind_proxy,
            ..ServeOptions::default()
        };
        most_of_a_network(&options, peer.parse().unwrap())
    };
    for behind_proxy in [false, true] {
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(most(behind_proxy, here), None, "{here}");
        }
        assert_eq!(most(behind_proxy, "203.0.113.7"), Some(512));
        assert_eq!(most(behind_proxy, "2001:db8::1"), Some(512));
    }
    assert_eq!(most(false, "10.0.0.7"), Some(512));
    assert_eq!(most(true, "10.0.0.7"), None);
}

#[tokio::test]
async fn a_network_that_has_its_connections_is_closed_to() {
    // The loopback of these tests is exempt: a place that is taken stands for a full network.
    let (phase, _) = watch::channel(Phase::Open);
    let mut server = Server {
        seats: Arc::new(Semaphore::new(10)),
        networks: Arc::default(),
        idle: Arc::default(),
        options: Arc::new(ServeOptions {
            max_connections_per_network: Some(1),
            ..ServeOptions::default()
        }),
        router: surface(),
        phase,
        connections: JoinSet::new(),
        all_seats: 0,
    };
    let stranger: SocketAddr = "203.0.113.7:9".parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(connecting, listener.accept());
        let seat = server.seat().await.unwrap();
        if let Some(place) = server.place_of(stranger) {
            server.admit(accepted.unwrap().0, stranger, seat, place);
        }
        clients.push(client.unwrap());
    }
    assert_eq!(read_all(&mut clients[1]).await, "");
    clients[0].write_all(HELLO.as_bytes()).await.unwrap();
    assert!(read_one(&mut clients[0]).await.ends_with("hello"));
    assert_eq!(server.seats.available_permits(), 9);
}

#[test]
fn connections_leave_descriptors_to_others() {
    assert_eq!(seats(10_000, Some(896)), 896);
    assert_eq!(seats(10, Some(896)), 10);
    assert_eq!(seats(10_000, None), 10_000);
    // What no semaphore holds is no panic.
    assert_eq!(seats(usize::MAX, None), u32::MAX as usize);
}

#[test]
fn an_ipv6_network_is_a_64() {
    let network = |text: &str| network_of(text.parse().unwrap()).to_string();
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(network("203.0.113.7"), "203.0.113.7");
    assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
}

#[tokio::test(start_paused = true)]
async fn a_body_earns_its_time_by_its_bytes() {
    use axum::body::Bytes;
    use http_body_util::BodyExt;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Frames of so many bytes, one each second.
    struct Drip(usize, usize, Option<Pin<Box<tokio::time::Sleep>>>);

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
            if self.1 == 0 {
                return Poll::Pending;
            }
            let timer = self
                .2
                .get_or_insert_with(|| Box::pin(sleep(Duration::from_secs(1))));
            std::task::ready!(timer.as_mut().poll(context));
            self.2 = None;
            self.1 -= 1;
            Poll::Ready(Some(Ok(http_body::Frame::data(vec![0; self.0].into()))))
        }
    }

    for (bytes, frames, seconds) in [
        // Below the rate, above it, and so fast that a second MiB has come by then.
        (100, 1000, 10..13),
        (2000, 1000, 60..62),
        (30_000, 100, 115..117),
        // Nothing comes, or nothing more.
        (100, 0, 10..12),
        (100_000, 3, 18..20),
    ] {
        let begun = Instant::now();
        let mut body =
            body::TimedBody::new(Drip(bytes, frames, None), Arc::new(ServeOptions::default()));
        let error = loop {
            if let Err(error) = body.frame().await.unwrap() {
                break error;
            }
        };
        assert!(error.is::<BodyTimeout>());
        let took = begun.elapsed().as_secs();
        assert!(
            seconds.contains(&took),
            "{bytes} bytes {frames} times ended after {took} s"
        );
    }
}
