//! The session cookie: who sets it, who may use it, and from where.

use super::*;
use axum::body::Body;
use axum::http::Request;

const OWN: &str = "https://clinic.example";
const LISTED: &str = "https://app.example";
const FOREIGN: &str = "https://evil.example";

async fn open() -> House {
    House::with(RouterConfig {
        cors: Cors::new([LISTED]).unwrap(),
        ..RouterConfig::default()
    })
    .await
}

/// A patient's cookie.
async fn signed_in(house: &House) -> String {
    let person = house.patient().await;
    cookie_of(&house.sign_in(&person.email).await).0
}

#[tokio::test]
async fn login_gives_a_cookie_that_is_a_session_on_both_surfaces() {
    let house = open().await;
    let person = house.patient().await;
    let answer = house.sign_in(&person.email).await;
    let (cookie, attributes) = cookie_of(&answer);
    assert_eq!(
        attributes,
        "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure"
    );
    assert_eq!(
        cookie,
        format!(
            "telemed_session={}",
            answer.data(200)["access_token"].as_str().unwrap()
        )
    );
    let with = [("cookie", cookie.as_str())];
    assert_eq!(
        house.ask("GET", "/auth/me", &with, None).await.data(200)["id"],
        person.id
    );
    assert_eq!(
        house
            .ask("GET", "/v1/auth/profile", &with, None)
            .await
            .expect(200)["id"],
        person.id
    );
    // The header is the only credential where there is one.
    let both = [("cookie", cookie.as_str()), ("authorization", "Bearer x")];
    house
        .ask("GET", "/auth/me", &both, None)
        .await
        .failed(401, "UNAUTHORIZED");
    house
        .ask("GET", "/v1/doctors", &both, None)
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    // One that has ended is none.
    let stale = [("cookie", "telemed_session=x")];
    house
        .ask("GET", "/users/doctors", &stale, None)
        .await
        .data(200);
    house
        .ask("GET", "/auth/me", &stale, None)
        .await
        .failed(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn attributes_follow_the_configuration() {
    for (secure, cross_site, ending) in [
        (false, false, "SameSite=Lax"),
        (true, true, "SameSite=None; Secure"),
        (false, true, "SameSite=None; Secure"),
    ] {
        let house = House::with(RouterConfig {
            cookies: CookieConfig { secure, cross_site },
            ..RouterConfig::default()
        })
        .await;
        let person = house.patient().await;
        let attributes = cookie_of(&house.sign_in(&person.email).await).1;
        assert!(
            attributes.ends_with(&format!("HttpOnly; {ending}")),
            "{attributes}"
        );
    }
}

/// Every route that changes something, on both surfaces.
fn unsafe_routes(house: &House) -> Vec<(String, String)> {
    let routes = house.routes.iter().filter(|route| {
        route.method != "GET"
            && route.path.starts_with("/api/")
            && !["login", "register", "refresh"]
                .iter()
                .any(|name| route.path.ends_with(name))
    });
    let filled = routes.map(|route| {
        let path: Vec<_> = route
            .path
            .trim_start_matches("/api")
            .split('/')
            .map(|part| if part.starts_with('{') { "999" } else { part })
            .collect();
        (route.method.clone(), path.join("/"))
    });
    filled.collect()
}

#[tokio::test]
async fn a_foreign_page_with_the_cookie_is_refused_on_every_unsafe_route() {
    let house = open().await;
    let cookie = signed_in(&house).await;
    let routes = unsafe_routes(&house);
    assert!(routes.len() > 25, "{}", routes.len());
    for (method, path) in routes {
        for origin in [
            Some(FOREIGN),
            Some("null"),
            Some("http://clinic.example.evil.example"),
            None,
        ] {
            let mut headers = vec![("cookie", cookie.as_str()), ("x-csrftoken", "guessed")];
            headers.extend(origin.map(|origin| ("origin", origin)));
            let answer = house.ask(&method, &path, &headers, Some(&json!({}))).await;
            assert_eq!(answer.status, 403, "{method} {path} from {origin:?}");
            if path.starts_with("/v1/") {
                answer.refused(403, "AUTHORIZATION_ERROR");
            } else {
                answer.failed(403, "FORBIDDEN");
            }
        }
    }
    // Nothing has happened: the session is there still.
    house
        .ask("GET", "/auth/me", &[("cookie", &cookie)], None)
        .await
        .data(200);
}

#[tokio::test]
async fn the_token_or_a_known_origin_lets_the_cookie_change_something() {
    let house = open().await;
    let cookie = signed_in(&house).await;
    let with = [("cookie", cookie.as_str())];
    let token = house.ask("GET", "/auth/csrf", &with, None).await.data(200)["csrf_token"].clone();
    let token = token.as_str().unwrap();
    let body = json!({"full_name": "A Name"});
    for proof in [
        ("x-csrftoken", token),
        ("x-csrf-token", token),
        ("origin", OWN),
        ("origin", LISTED),
    ] {
        let headers = [with[0], proof];
        house
            .ask("PUT", "/users/profile", &headers, Some(&body))
            .await
            .data(200);
    }
    // Another session's token is none.
    let other = signed_in(&house).await;
    let headers = [("cookie", other.as_str()), ("x-csrftoken", token)];
    house
        .ask("PUT", "/users/profile", &headers, Some(&body))
        .await
        .failed(403, "FORBIDDEN");
    house
        .ask("GET", "/auth/csrf", &[], None)
        .await
        .failed(401, "UNAUTHORIZED");
    // With the header no cookie counts, and no token is needed.
    let person = house.patient().await;
    let bearer = format!("Bearer {}", person.token);
    let headers = [
        ("cookie", other.as_str()),
        ("authorization", &bearer),
        ("origin", FOREIGN),
    ];
    let data = house
        .ask("PUT", "/users/profile", &headers, Some(&body))
        .await
        .data(200);
    assert_eq!(data["id"], person.id);
}

#[tokio::test]
async fn forms_carry_the_token_in_a_field() {
    let house = open().await;
    let cookie = signed_in(&house).await;
    let token = house
        .ask("GET", "/auth/csrf", &[("cookie", &cookie)], None)
        .await
        .data(200);
    let token = token["csrf_token"].as_str().unwrap();
    let send = async |path: &str, body: String| {
        let request = Request::put(format!("/api{path}"))
            .header("cookie", &cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        house.send(request.body(Body::from(body)).unwrap()).await
    };
    send("/users/profile", "full_name=Form+Name".to_owned())
        .await
        .failed(403, "FORBIDDEN");
    let data = send(
        "/users/profile",
        format!("full_name=Form+Name&csrf_token={token}"),
    )
    .await;
    assert_eq!(data.data(200)["full_name"], "Form Name");
    let large = format!("full_name={}&csrf_token={token}", "x".repeat(1024 * 1024));
    send("/users/profile", large)
        .await
        .failed(413, "PAYLOAD_TOO_LARGE");
    // An upload form of the own page needs none; what it sends is another question.
    let request = Request::post("/api/auth/logout")
        .header("host", HOST)
        .header("cookie", &cookie)
        .header("origin", OWN)
        .header("content-type", "multipart/form-data; boundary=b");
    let body =
        Body::from("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n");
    house.send(request.body(body).unwrap()).await.data(200);
}

#[tokio::test]
async fn foreign_pages_sign_nobody_in() {
    let house = open().await;
    let person = house.patient().await;
    let login =
        json!({"login_identifier": person.email, "email": person.email, "password": PASSWORD});
    for path in [
        "/auth/login",
        "/auth/register",
        "/auth/refresh",
        "/v1/auth/login",
        "/v1/auth/register",
    ] {
        for (origin, refused) in [
            (FOREIGN, true),
            ("null", true),
            (OWN, false),
            (LISTED, false),
        ] {
            let answer = house
                .ask("POST", path, &[("origin", origin)], Some(&login))
                .await;
            assert_eq!(
                answer.status == 403,
                refused,
                "{path} from {origin}: {}",
                answer.status
            );
        }
    }
}

#[tokio::test]
async fn logout_takes_the_session_and_the_cookie_back_everywhere() {
    let house = open().await;
    let person = house.patient().await;
    let answer = house.sign_in(&person.email).await;
    let cookie = cookie_of(&answer).0;
    let token = answer.data(200)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let headers = [("cookie", cookie.as_str()), ("origin", OWN)];
    let answer = house.ask("POST", "/auth/logout", &headers, None).await;
    answer.data(200);
    let (pair, attributes) = cookie_of(&answer);
    assert_eq!(pair, "telemed_session=");
    assert!(
        attributes.contains("Max-Age=0") && attributes.contains("HttpOnly"),
        "{attributes}"
    );
    house
        .ask("GET", "/auth/me", &[("cookie", &cookie)], None)
        .await
        .failed(401, "UNAUTHORIZED");
    house
        .api("GET", "/auth/me", &token, None)
        .await
        .failed(401, "UNAUTHORIZED");
    house
        .get("/auth/profile", Some(&token))
        .await
        .refused(401, "AUTHENTICATION_ERROR");
    // The other session of the same person lives on.
    house
        .api("GET", "/auth/me", &person.token, None)
        .await
        .data(200);
    let gone = house.command("/auth/logout", &person.token).await;
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
}

#[tokio::test]
async fn who_registers_somebody_else_keeps_his_own_session() {
    let house = open().await;
    let body = json!({"full_name": "A", "email": "a@b.example", "password": PASSWORD});
    let answer = house
        .api("POST", "/auth/register", &house.admin, Some(body))
        .await;
    answer.data(201);
    assert_eq!(answer.header("set-cookie"), "");
}

/// A whole visit with the cookie alone, as a page of the server's own makes it.
#[tokio::test]
async fn everything_can_be_done_with_the_cookie_alone() {
    let house = open().await;
    let practice = house.with_hours("UTC").await;
    let cookie = signed_in(&house).await;
    let headers = [("cookie", cookie.as_str()), ("origin", OWN)];
    let send = async |method: &str, path: &str, body: Option<Value>| {
        house.ask(method, path, &headers, body.as_ref()).await
    };
    let body =
        json!({"doctor_id": practice.doctor.id, "appointment_date": format!("{DAY}T09:00Z")});
    let booked = send("POST", "/appointments", Some(body)).await.data(201);
    let id = booked["appointment"]["id"].as_i64().unwrap();
    let path = format!("/appointments/{id}");
    let body = json!({"new_appointment_date": format!("{DAY}T10:00Z")});
    send("PUT", &format!("{path}/reschedule"), Some(body))
        .await
        .data(200);
    send("PUT", &path, Some(json!({"notes": "a note"})))
        .await
        .data(200);
    send("GET", "/appointments?page=1", None).await.data(200);
    send("DELETE", &path, None).await.data(200);
    // And on the other surface.
    let slots = send(
        "GET",
        &format!("/v1/slots?doctor_id={}", practice.doctor.id),
        None,
    )
    .await;
    let slot = slots.expect(200)[0]["id"].clone();
    send(
        "POST",
        "/v1/appointments/book",
        Some(json!({"slot_id": slot})),
    )
    .await
    .expect(201);
}
