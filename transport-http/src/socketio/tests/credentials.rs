//! Who is let in, by what, and until when.

use serde_json::{Value, json};

use crate::auth::cookie::SESSION_COOKIE;
use crate::connection::SocketConfig;
use crate::cors::Cors;
use crate::router::RouterConfig;
use crate::testing::sockets::{Served, Ws};
use crate::testing::{PASSWORD, Person};

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// What a connection is answered with.
async fn answer(served: &Served, headers: &[(&str, &str)], auth: &str) -> (Ws, String) {
    let mut socket = served.socket(WEBSOCKET, headers).await;
    socket.text().await;
    socket.send(&format!("40{auth}")).await;
    let answer = socket.text().await;
    (socket, answer)
}

#[track_caller]
fn refused(answer: &str, code: &str) {
    let refusal = answer.strip_prefix("44");
    let refusal = refusal.unwrap_or_else(|| panic!("not refused: {answer}"));
    let refusal: Value = serde_json::from_str(refusal).unwrap();
    assert_eq!(refusal["data"]["error_code"], code, "{refusal}");
    assert!(!refusal["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_credential_is_no_connection() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let bearer = format!("Bearer {}", person.token);
    for auth in ["", "{}", r#"{"token":null}"#] {
        refused(&answer(&served, &[], auth).await.1, "UNAUTHORIZED");
    }
    for auth in [r#"{"token":""}"#, r#"{"token":"bad"}"#] {
        // Its own token is what it is judged by.
        let headers = [("authorization", bearer.as_str())];
        refused(&answer(&served, &headers, auth).await.1, "UNAUTHORIZED");
    }
    let headers = [("authorization", "Basic x")];
    refused(&answer(&served, &headers, "").await.1, "UNAUTHORIZED");
    let auth = json!({"token": person.token, "words": "latin"});
    let (mut socket, text) = answer(&served, &[], &auth.to_string()).await;
    refused(&text, "VALIDATION_ERROR");
    // The same connection may try again.
    let auth = json!({"token": person.token});
    socket.send(&format!("40{auth}")).await;
    assert!(socket.text().await.starts_with("40{"));
}

#[tokio::test]
async fn the_header_is_a_credential() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let bearer = format!("Bearer {}", person.token);
    let headers = [("authorization", bearer.as_str())];
    assert!(answer(&served, &headers, "").await.1.starts_with("40{"));
}

#[tokio::test]
async fn the_cookie_counts_on_allowed_pages_only() {
    let cors = Cors::new(["https://app.example.org"]).unwrap();
    let served = Served::configured(RouterConfig {
        cors,
        ..RouterConfig::default()
    })
    .await;
    let person = served.house.patient().await;
    let cookie = format!("{SESSION_COOKIE}={}", person.token);
    let own = format!("http://{}", served.address);
    let with = |origin: Option<String>| {
        let mut headers = vec![("cookie".to_owned(), cookie.clone())];
        headers.extend(origin.map(|origin| ("origin".to_owned(), origin)));
        headers
    };
    for (origin, refusal) in [
        (Some("https://app.example.org".to_owned()), None),
        (Some(own.clone()), None),
        (Some("https://evil.example".to_owned()), Some("FORBIDDEN")),
        (None, Some("UNAUTHORIZED")),
    ] {
        let headers = with(origin.clone());
        let headers: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let text = answer(&served, &headers, "").await.1;
        match refusal {
            None => assert!(text.starts_with("40{"), "{origin:?}: {text}"),
            Some(code) => refused(&text, code),
        }
        // A token of its own needs no page.
        let auth = json!({"token": person.token}).to_string();
        assert!(answer(&served, &headers, &auth).await.1.starts_with("40{"));
    }

    // A page of our own names itself with a post, and not with the poll that opens the session.
    let polling = "/socket.io/?EIO=4&transport=polling";
    for (origin, expected) in [(own.as_str(), "40{"), ("https://evil.example", "44{")] {
        let cookies = [("cookie", cookie.as_str())];
        let (_, body) = served.http("GET", polling, &cookies, "").await;
        let opening: Value = serde_json::from_str(&body[1..]).unwrap();
        let path = format!("{polling}&sid={}", opening["sid"].as_str().unwrap());
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        assert_eq!(served.http("POST", &path, &headers, "40").await.0, 200);
        let (_, body) = served.http("GET", &path, &cookies, "").await;
        assert!(body.starts_with(expected), "{origin}: {body}");
    }
}

#[tokio::test]
async fn polls_have_the_headers_of_cors() {
    let cors = Cors::new(["https://app.example.org"]).unwrap();
    let served = Served::configured(RouterConfig {
        cors,
        ..RouterConfig::default()
    })
    .await;
    let polling = "/socket.io/?EIO=4&transport=polling";
    let allowed = "access-control-allow-origin: https://app.example.org";
    for (origin, expected) in [
        ("https://app.example.org", true),
        ("https://evil.example", false),
    ] {
        let (_, head, _) = served
            .whole("GET", polling, &[("origin", origin)], "")
            .await;
        assert_eq!(head.contains(allowed), expected, "{head}");
        assert_eq!(
            head.contains("access-control-allow-credentials: true"),
            expected
        );
    }
}

async fn both(served: &Served, person: &Person) -> [Ws; 2] {
    [
        served.connected(person, json!({})).await,
        served.raw(person).await,
    ]
}

#[tokio::test]
async fn a_logout_closes_open_sockets() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let other = served.house.login(&person.email).await;
    let other = Person {
        token: other,
        ..person.clone()
    };
    let [mut socket, mut raw] = both(&served, &person).await;
    let mut stays = served.connected(&other, json!({})).await;
    served
        .house
        .api("POST", "/auth/logout", &person.token, None)
        .await
        .expect(200);
    assert_eq!(socket.text().await, "41");
    assert_eq!(socket.closed().await, Some(1008));
    assert_eq!(raw.closed().await, Some(1008));
    // Another session of the same user is another session.
    assert!(stays.hears_nothing().await.is_empty());
}

#[tokio::test]
async fn deactivation_and_a_new_password_close_open_sockets() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let sockets = both(&served, &person).await;
    let path = format!("/users/{}/deactivate", person.id);
    served
        .house
        .command(&path, &served.house.admin)
        .await
        .expect(200);
    for mut socket in sockets {
        assert_eq!(socket.closed().await, Some(1008));
    }

    let person = served.house.patient().await;
    let other = Person {
        token: served.house.login(&person.email).await,
        ..person.clone()
    };
    let sockets = both(&served, &other).await;
    let change = json!({"current_password": PASSWORD, "new_password": "quite another one"});
    served
        .house
        .api("POST", "/auth/change-password", &person.token, Some(change))
        .await
        .expect(200);
    for mut socket in sockets {
        assert_eq!(socket.closed().await, Some(1008));
    }
}

#[tokio::test]
async fn sockets_close_when_their_token_expires() {
    let served = Served::open().await;
    let person = served.house.patient().await;
    let sockets = both(&served, &person).await;
    served.house.advance(8 * 24);
    for mut socket in sockets {
        assert_eq!(socket.closed().await, Some(1008));
    }
}

#[tokio::test]
async fn a_command_of_an_ended_session_is_not_done() {
    let served = Served::open().await;
    let talk = served.house.talk().await;
    let mut socket = served.connected(&talk.patient, json!({})).await;
    // Nobody is told: as when another server has ended it, and its word is still on its way.
    served.house.advance(8 * 24);
    socket
        .try_send(&format!(
            "421{}",
            json!(["chat:message", crate::testing::sockets::line(&talk, "late")])
        ))
        .await;
    assert_eq!(socket.closed().await, Some(1008));
    let doctor = served.house.login(&talk.doctor.email).await;
    let path = format!("/conversations/{}/messages", talk.id);
    let messages = served
        .house
        .api("GET", &path, &doctor, None)
        .await
        .data(200);
    assert_eq!(messages["total"], 0);
}

#[tokio::test]
async fn a_user_has_so_many_sockets() {
    let served = Served::with(SocketConfig {
        most_of_a_user: 2,
        ..SocketConfig::default()
    })
    .await;
    let person = served.house.patient().await;
    let [first, _second] = both(&served, &person).await;
    let auth = json!({"token": person.token}).to_string();
    refused(&answer(&served, &[], &auth).await.1, "RATE_LIMITED");
    let bearer = format!("Bearer {}", person.token);
    let path = format!("/ws/{}", person.id);
    let third = served
        .try_socket(&path, &[("authorization", &bearer)])
        .await;
    assert_eq!(third.err().unwrap().0, 429);
    // Others have theirs, and a place that is left is free.
    let other = served.house.patient().await;
    served.connected(&other, json!({})).await;
    drop(first);
    loop {
        if answer(&served, &[], &auth).await.1.starts_with("40{") {
            break;
        }
    }
}

#[tokio::test]
async fn who_polls_no_longer_gives_way_to_who_comes() {
    let served = Served::with(SocketConfig {
        most_of_a_user: 2,
        ..SocketConfig::default()
    })
    .await;
    let person = served.house.patient().await;
    let packet = format!("40{}", json!({"token": person.token}));
    let polling = "/socket.io/?EIO=4&transport=polling";
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let (_, opening) = served.http("GET", polling, &[], "").await;
        let opening: Value = serde_json::from_str(&opening[1..]).unwrap();
        let path = format!("{polling}&sid={}", opening["sid"].as_str().unwrap());
        assert_eq!(served.http("POST", &path, &[], &packet).await.0, 200);
        let (_, polled) = served.http("GET", &path, &[], "").await;
        assert!(polled.starts_with("40{"), "{polled}");
        sessions.push(path);
    }
    // One of the two polls on, and the other's client is gone.
    let coming = async {
        let begun = tokio::time::Instant::now();
        let auth = json!({"token": person.token}).to_string();
        while !answer(&served, &[], &auth).await.1.starts_with("40{") {
            // A session ends by itself after 85 s.
            assert!(begun.elapsed().as_secs() < 40, "it holds its place");
        }
        let gone = served.http("GET", &sessions[1], &[], "").await;
        assert_eq!(gone.0, 400, "{gone:?}");
        assert_eq!(served.http("POST", &sessions[0], &[], "2here").await.0, 200);
    };
    let (polled, ()) = tokio::join!(served.http("GET", &sessions[0], &[], ""), coming);
    assert_eq!(polled, (200, "3here".to_owned()));
}
