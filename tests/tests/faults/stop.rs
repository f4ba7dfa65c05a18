//! SIGTERM under load: every request in flight is answered, and the process ends well.

use std::sync::Arc;

use serde_json::{Value, json};
use telemed_tests::client::id_of;
use telemed_tests::practice::{Practice, Visit, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How many requests are half sent when the signal comes.
const IN_FLIGHT: usize = 32;

/// Reads to the end of the head, and of what belongs to it.
async fn read_answer(stream: &mut TcpStream) -> Option<(u16, Value)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, length)| length.trim().parse().unwrap());
            if body.len() >= length {
                return Some((status, serde_json::from_str(body).unwrap_or_default()));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_answered() {
    let visit = Visit::at(Practice::open(&[], &[]).await);
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let mut people = Vec::new();
    for _ in 0..IN_FLIGHT {
        people.push(visit.patient().await);
    }
    let slot = visit.any_slot(&doctor, clinic, 100).await;
    let address = visit.practice.server.address().to_owned();
    let body = json!({"slot_id": slot}).to_string();
    let (first, rest) = body.split_at(3);

    // The server has read the head of each of these, and says so.
    let mut in_flight = Vec::new();
    for person in &people {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /api/v1/appointments/book HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            person.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (status, _) = read_answer(&mut stream).await.expect("to be let on");
        assert_eq!(status, 100);
        stream.write_all(first.as_bytes()).await.unwrap();
        in_flight.push(stream);
    }
    // Beside them, traffic that comes and goes on connections of its own.
    let mut traffic = JoinSet::new();
    let people = Arc::new(people);
    for number in 0..8 {
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .no_proxy();
        let base = &visit.practice.server.base;
        let client = telemed_tests::client::Client::over(http.build().unwrap(), base);
        let client = client.with_token(&people[number].token);
        traffic.spawn(async move {
            let mut answered = 0_usize;
            while let Ok(answer) = client
                .request(reqwest::Method::GET, "/auth/profile")
                .try_send()
                .await
            {
                assert_eq!(answer.status, 200, "{}", answer.text());
                answered += 1;
            }
            answered
        });
    }
    until("traffic flows", || async {
        let metrics = visit.anonymous.get("//metrics").await.text();
        metrics.contains("/auth/profile")
    })
    .await;

    visit.practice.server.terminate();
    until("no new connection is taken", || async {
        TcpStream::connect(&address).await.is_err()
    })
    .await;
    let mut ids = Vec::new();
    for stream in &mut in_flight {
        stream
            .write_all(rest.as_bytes())
            .await
            .expect("it is still read");
        let (status, answer) = read_answer(stream).await.expect("it is still answered");
        assert_eq!(status, 201, "{answer}");
        ids.push(id_of(&answer));
    }
    drop(in_flight);
    let answered: usize = traffic.join_all().await.into_iter().sum();
    assert!(answered > 0);

    let Visit {
        practice,
        anonymous,
        admin,
    } = visit;
    drop((anonymous, admin));
    let mut practice = Arc::into_inner(practice).expect("nobody else is here");
    let status = practice.server.wait();
    assert!(status.is_some_and(|status| status.success()), "{status:?}");

    // What was answered is there at the next start.
    let database = rusqlite::Connection::open(practice.folder.database()).unwrap();
    let count = |sql: &str| -> usize {
        let count: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    };
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), IN_FLIGHT);
    assert_eq!(
        count("SELECT count(*) FROM appointments WHERE status = 'pending'"),
        IN_FLIGHT
    );
    drop(database);
    let (code, said) = practice.folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");
}
