//! The feed of events over HTTP.

use std::time::Duration;

use telemed_tests::practice::Practice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

async fn cursor(client: &Client) -> u64 {
    let page = ok(&get(client, "/events").await, 200);
    assert_eq!(page["events"], json!([]));
    page["next"].as_u64().unwrap()
}

/// Everything after a cursor, read in pages.
async fn feed(client: &Client, mut after: u64, limit: u32) -> Vec<Value> {
    let mut all = Vec::new();
    for _ in 0..200 {
        let path = format!("/events?after={after}&limit={limit}");
        let page = ok(&get(client, &path).await, 200);
        let next = page["next"].as_u64().unwrap();
        assert!(next >= after);
        all.extend(page["events"].as_array().unwrap().clone());
        // Others use the same server: the cursor may go on without an event for this one.
        if page["events"].as_array().unwrap().is_empty() && next == after {
            return all;
        }
        after = next;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_told_once() {
    let talk = Talk::at(Visit::at(Practice::open(&[], &[]).await)).await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    let start = cursor(&doctor).await;
    let mut sent = Vec::new();
    for text in ["one", "two"] {
        sent.push(talk.say(&patient, text).await["id"].clone());
    }
    ok(&get(&doctor, &talk.calls("/messages")).await, 200);
    ok(&get(&doctor, &talk.chat("")).await, 200);
    for limit in [1, 3, 100] {
        let events = feed(&doctor, start, limit).await;
        let kinds = each(&Value::from(events.clone()), "kind");
        assert_eq!(
            kinds,
            [
                "chat:message",
                "chat:message",
                "chat:delivered",
                "chat:read"
            ],
            "{limit}"
        );
        let seqs: Vec<_> = events.iter().map(|one| one["seq"].as_u64()).collect();
        assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
        assert_eq!(events[0]["data"]["message_id"], sent[0]);
        assert_eq!(events[0]["data"]["body"], "one");
        assert_eq!(events[3]["data"]["message_id"], sent[1]);
        assert_eq!(events[3]["data"]["user_id"], talk.doctor.id);
        assert_eq!(events[3]["data"]["message_ids"], json!(sent));
        for one in &events {
            telemed_tests::client::assert_utc(&one["at"]);
        }
    }
    let outsider = talk.outsider().await;
    assert!(feed(&outsider, start, 100).await.is_empty());
    for (query, field) in [
        ("after=x", "after"),
        ("after=-1", "after"),
        ("after=0&limit=0", "limit"),
        ("after=0&wait=soon", "wait"),
    ] {
        names(&get(&doctor, &format!("/events?{query}")).await, field);
    }
    refused(
        &get(&talk.visit.anonymous, "/events?after=0").await,
        401,
        "UNAUTHORIZED",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_an_event() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    let start = cursor(&doctor).await;
    let waits = {
        let doctor = doctor.clone();
        let path = format!("/events?after={start}&wait=30");
        tokio::spawn(async move { get(&doctor, &path).await })
    };
    // Whether it waits already or comes later makes no difference to what it is told.
    tokio::time::sleep(Duration::from_millis(200)).await;
    talk.say(&patient, "wake up").await;
    let page = ok(&waits.await.unwrap(), 200);
    assert_eq!(page["events"][0]["data"]["body"], "wake up");
    // A wait that nothing ends is an empty answer.
    let next = page["next"].as_u64().unwrap();
    let path = format!("/events?after={next}&wait=1");
    let page = ok(&get(&doctor, &path).await, 200);
    assert_eq!(page["events"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_every_wait() {
    let talk = Talk::at(Visit::at(Practice::open(&[], &[]).await)).await;
    let start = cursor(&talk.doctor()).await;
    let server = &talk.visit.practice.server;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "GET /api/events?after={start}&wait=30 HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
        server.address(),
        talk.doctor.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.terminate();
    let mut answer = String::new();
    // Much less than the wait, with room for a busy machine.
    let answered = timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
    answered.expect("the wait ends with the server").unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"events\":[]"),
        "{answer}"
    );
}
