//! What happens between the head of a request and the end of its body.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use tokio::sync::oneshot;

use super::*;

/// A body that comes when it is told to.
struct Held {
    body: Option<Bytes>,
    begun: Option<oneshot::Sender<()>>,
    release: oneshot::Receiver<()>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if let Some(begun) = self.begun.take() {
            begun.send(()).unwrap();
        }
        if self.body.is_some() {
            let released = Pin::new(&mut self.release).poll(context);
            std::task::ready!(released).unwrap();
        }
        Poll::Ready(
            self.body
                .take()
                .map(|body| Ok(http_body::Frame::data(body))),
        )
    }
}

/// Sends a request whose body comes only after `meanwhile`, as much later as `late` says.
async fn slowly(
    house: &House,
    [method, path, token]: [&str; 3],
    body: &Value,
    late: Duration,
    meanwhile: impl Future<Output = ()>,
) -> Answer {
    let (begun, is_read) = oneshot::channel();
    let (release, released) = oneshot::channel();
    let body = Held {
        body: Some(body.to_string().into()),
        begun: Some(begun),
        release: released,
    };
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("content-type", "application/json");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::new(body)).unwrap();
    let others = async {
        is_read.await.unwrap();
        meanwhile.await;
        tokio::time::pause();
        tokio::time::advance(late).await;
        tokio::time::resume();
        release.send(()).unwrap();
    };
    tokio::join!(house.send(request), others).0
}

const LATE: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_session_that_ended_while_the_body_came_does_nothing_more() {
    let house = House::open().await;
    let practice = house.practice().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 5).await;
    let patient = house.patient().await;
    let body = json!({"slot_id": slot});
    let log_out = async {
        house
            .command("/auth/logout", &patient.token)
            .await
            .expect(200);
    };
    let book = ["POST", "/appointments/book", &patient.token];
    let answer = slowly(&house, book, &body, LATE, log_out).await;
    answer.refused(401, "AUTHENTICATION_ERROR");
    // A user who was turned away.
    let other = house.patient().await;
    let deactivate = async {
        let path = format!("/users/{}/deactivate", other.id);
        house.command(&path, &house.admin).await.expect(200);
    };
    let book = ["POST", "/appointments/book", &other.token];
    let answer = slowly(&house, book, &body, LATE, deactivate).await;
    answer.refused(401, "AUTHENTICATION_ERROR");
    let appointments = house.get("/appointments", Some(&house.admin)).await;
    assert_eq!(appointments.expect(200), json!([]));
}

#[tokio::test]
async fn an_administrator_who_signed_out_registers_nobody_either() {
    let house = House::open().await;
    let token = house.login("admin@example.org").await;
    let body = json!({"name": "A doctor", "email": "late@example.org", "password": PASSWORD,
                      "role": "doctor"});
    let log_out = async {
        house.command("/auth/logout", &token).await.expect(200);
    };
    let register = ["POST", "/auth/register", &token];
    let answer = slowly(&house, register, &body, LATE, log_out).await;
    answer.refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test]
async fn a_slow_body_of_somebody_good_is_welcome() {
    let house = House::open().await;
    let practice = house.practice().await;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 5).await;
    let patient = house.patient().await;
    let body = json!({"slot_id": slot});
    let book = ["POST", "/appointments/book", &patient.token];
    let answer = slowly(&house, book, &body, LATE, async {}).await;
    answer.expect(201);
    let body = json!({"email": patient.email, "password": PASSWORD});
    let log_in = ["POST", "/auth/login", ""];
    slowly(&house, log_in, &body, LATE, async {})
        .await
        .expect(200);
}
