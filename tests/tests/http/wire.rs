//! What no well-behaved client sends: broken framing, floods, slow senders, half connections. The
//! server answers or closes in bounded time, and serves everybody else meanwhile.

use std::time::Duration;

use serde_json::json;
use telemed_tests::practice::Visit;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::raw::{Raw, RawAnswer};

async fn ask(visit: &Visit, bytes: &[u8]) -> Option<RawAnswer> {
    let mut raw = Raw::connect(visit).await;
    raw.send(bytes).await;
    raw.answer().await
}

async fn assert_alive(visit: &Visit) {
    let answer = visit.anonymous.get("/clinics?limit=1").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_framings_of_one_body_are_refused() {
    let visit = Visit::shared().await;
    let smuggled = "GET /api/v1/clinics HTTP/1.1\r\nHost: x\r\n\r\n";
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\ntransfer-encoding:\tchunked\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 4\r\n",
        "Transfer-Encoding: gzip, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let mut raw = Raw::connect(&visit).await;
        raw.send(format!("{head}{framing}\r\n0\r\n\r\n{smuggled}"))
            .await;
        // Whatever it says, it must not answer what was smuggled in.
        let mut answers = Vec::new();
        while let Some(answer) = raw.answer().await {
            answers.push(answer);
        }
        assert!(answers.len() <= 1, "{framing}: {answers:?}");
        if let Some(answer) = answers.first() {
            assert!(
                (400..502).contains(&answer.status) && answer.status != 500,
                "{framing}: {answer:?}"
            );
        }
    }
    assert_alive(&visit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_refused() {
    let visit = Visit::shared().await;
    for bytes in [
        &b"\r\n\r\n\r\n\r\nHELLO\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client\r\n\r\n",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/v1/clinics\r\n\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
        b"GET /api/v1/clinics HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"GET /api/v1/clinics HTTP/1.1\r\nHost: x\x00y\r\n\r\n",
        b"GET /api/v1/cl inics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut raw = Raw::connect(&visit).await;
        raw.send(bytes).await;
        raw.close_sending().await;
        if let Some(answer) = raw.answer().await {
            assert!(
                (400..=505).contains(&answer.status) && answer.status != 500,
                "{answer:?}"
            );
        }
        assert!(raw.is_closed().await);
    }
    assert_alive(&visit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_is_refused() {
    let visit = Visit::shared().await;
    let many: String = (0..5_000).map(|n| format!("X-Flood-{n}: x\r\n")).collect();
    let long = format!("X-Flood: {}\r\n", "x".repeat(64 * 1024));
    let path = "x".repeat(64 * 1024);
    for bytes in [
        format!("GET /api/v1/clinics HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("GET /api/v1/clinics HTTP/1.1\r\nHost: x\r\n{long}\r\n"),
        format!("GET /api/v1/{path} HTTP/1.1\r\nHost: x\r\n\r\n"),
    ] {
        if let Some(answer) = ask(&visit, bytes.as_bytes()).await {
            assert!([400, 414, 431].contains(&answer.status), "{answer:?}");
        }
    }
    // Something beneath the limit is served.
    let some = format!("X-Long: {}\r\n", "x".repeat(8 * 1024));
    let bytes = format!("GET /api/v1/clinics?limit=1 HTTP/1.1\r\nHost: x\r\n{some}\r\n");
    let answer = ask(&visit, bytes.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_headers_do_no_harm() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let token = &patient.token;
    for (headers, statuses) in [
        ("Host: x\r\nHost: y\r\n".to_owned(), &[400, 401][..]),
        (
            format!("Host: x\r\nAuthorization: Bearer {token}\r\nAuthorization: Bearer x\r\n"),
            &[400, 401],
        ),
        (
            format!(
                "Host: x\r\nAuthorization: Bearer {token}\r\nAccept-Language: ar\r\nAccept-Language: en\r\n"
            ),
            &[200],
        ),
    ] {
        let bytes = format!("GET /api/v1/auth/profile HTTP/1.1\r\n{headers}\r\n");
        let answer = ask(&visit, bytes.as_bytes()).await.unwrap();
        assert!(statuses.contains(&answer.status), "{headers}: {answer:?}");
        if answer.status != 400 {
            let _ = answer.json();
        }
    }
    // Two content types, and two keys: one meaning or a refusal.
    let body = r#"{"email":"a@b.example","password":"xxxxxxxx"}"#;
    let bytes = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(&visit, bytes.as_bytes()).await.unwrap();
    assert!([400, 401, 415, 422].contains(&answer.status), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_cut_off() {
    let visit = Visit::shared().await;
    let mut raw = Raw::connect(&visit).await;
    let started = Instant::now();
    raw.send("GET /api/v1/clinics HTTP/1.1\r\nHost: x\r\n")
        .await;
    let mut bytes = 0;
    // A byte now and then does not keep it open.
    while raw.send("X").await && started.elapsed() < Duration::from_secs(40) {
        bytes += 1;
        sleep(Duration::from_millis(500)).await;
    }
    assert!(
        started.elapsed() < Duration::from_secs(40),
        "still open after {bytes} bytes"
    );
    assert_alive(&visit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_cut_off() {
    let visit = Visit::shared().await;
    let mut raw = Raw::connect(&visit).await;
    let started = Instant::now();
    raw.send(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: 1000000\r\n\r\n{",
    )
    .await;
    while raw.send(" ").await && started.elapsed() < Duration::from_secs(50) {
        sleep(Duration::from_millis(500)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(50), "still read");
    if let Some(answer) = raw.answer().await {
        assert!([400, 408, 422].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.json()["error_code"], "VALIDATION_ERROR");
    }
    assert_alive(&visit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_keep_nobody_out() {
    let visit = Visit::shared().await;
    let mut held = Vec::new();
    for number in 0..200 {
        let mut raw = Raw::connect(&visit).await;
        match number % 4 {
            0 => {}
            1 => _ = raw.send("GET /api/v1").await,
            2 => {
                raw.send("GET /api/v1/clinics HTTP/1.1\r\nHost: x\r\n")
                    .await;
                raw.close_sending().await;
            }
            _ => {
                raw.send(
                    "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
                )
                .await;
                raw.close_sending().await;
            }
        }
        held.push(raw);
    }
    for _ in 0..10 {
        assert_alive(&visit).await;
    }
    drop(held);
    assert_alive(&visit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_no_trace_or_a_whole_one() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let people: Vec<_> = visit.crowd().await.into_iter().take(20).collect();
    let slot = visit.any_slot(&doctor, clinic, 50).await;
    let body = json!({"slot_id": slot}).to_string();
    let mut gone = JoinSet::new();
    for person in &people {
        let mut raw = Raw::connect(&visit).await;
        let request = format!(
            "POST /api/v1/appointments/book HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            person.token,
            body.len()
        );
        gone.spawn(async move {
            raw.send(request).await;
            // Dropped without waiting for the answer.
        });
    }
    let _ = gone.join_all().await;
    // Whoever asks again has it or gets it: exactly one each.
    for person in &people {
        let answer = visit.of(person).book(slot).await;
        if answer.status != 201 {
            answer.refused(409, "DUPLICATE_BOOKING");
        }
    }
    assert_eq!(visit.seats_taken(&doctor, slot, 50).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_one_connection_are_answered_in_order() {
    let visit = Visit::shared().await;
    let mut raw = Raw::connect(&visit).await;
    let mut bytes = String::new();
    for path in [
        "/api/v1/clinics?limit=1",
        "/api/v1/nowhere",
        "/api/v1/doctors?limit=0",
        "/health",
    ] {
        bytes.push_str(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    raw.send(bytes).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(raw.answer().await.unwrap().status);
    }
    assert_eq!(statuses, [200, 404, 422, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_comes_in_chunks_too() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let body = json!({"blood_group": "A+"}).to_string();
    let (one, two) = body.split_at(7);
    let bytes = format!(
        "PUT /api/v1/patients/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        patient.id,
        patient.token,
        one.len(),
        two.len()
    );
    let answer = ask(&visit, bytes.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["blood_group"], "A+");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_to_be_let_on_is() {
    let visit = Visit::shared().await;
    let patient = visit.patient().await;
    let body = json!({"blood_group": "A+"}).to_string();
    let mut raw = Raw::connect(&visit).await;
    raw.send(format!(
        "PUT /api/v1/patients/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        patient.id,
        patient.token,
        body.len()
    ))
    .await;
    assert_eq!(raw.answer().await.unwrap().status, 100);
    raw.send(body).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
}
