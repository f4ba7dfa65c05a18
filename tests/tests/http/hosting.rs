//! The surfaces inside a foreign host: an axum application with a server and routes of its own,
//! into which the router is merged or nested. They answer as the standalone server does.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use reqwest::Method;
use serde_json::{Value, json};
use telemed_facade::http::{RouterConfig, router};
use telemed_facade::prelude::*;
use telemed_facade::{Config, ServerOptions, Telemed};
use telemed_tests::client::{Answer, Client, id_of};
use telemed_tests::practice::{PASSWORD, log_in, token_of};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const ADMIN: &str = "admin@host.example";

/// A foreign application around what is ours.
fn application(mount: impl FnOnce(Router) -> Router) -> Router {
    let own = Router::new()
        .route("/", get(async || "the host's page"))
        .route("/shop/{item}", get(async || "the host's page"));
    mount(own).fallback(async || (StatusCode::IM_A_TEAPOT, "the host's own answer"))
}

/// Serves an application with axum's server; `http://…` of it.
async fn host(application: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, application).await });
    base
}

async fn open() -> Telemed {
    let telemed = Telemed::open(Config::new("memory:")).await.unwrap();
    let request = CreateAdministrator {
        full_name: FullName::new("Admin").unwrap(),
        email: Email::new(ADMIN).unwrap(),
        password: NewPassword::new(PASSWORD).unwrap(),
    };
    let identity = telemed.engine().identity();
    identity
        .create_administrator(&Actor::operator(), request)
        .await
        .unwrap();
    telemed
}

/// An answer without what differs from run to run.
fn plain(answer: &Answer) -> (u16, Value, Vec<String>) {
    let mut body = serde_json::from_slice(&answer.bytes).unwrap_or_else(|_| answer.text().into());
    forget(&mut body);
    let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    headers.dedup();
    headers.retain(|name| name != "content-length");
    (answer.status, body, headers)
}

fn forget(value: &mut Value) {
    const PASSING: [&str; 6] = [
        "timestamp",
        "created_at",
        "updated_at",
        "last_login",
        "cancelled_at",
        "access_token",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !PASSING.contains(&name.as_str()));
            fields.values_mut().for_each(forget);
        }
        Value::Array(rows) => rows.iter_mut().for_each(forget),
        _ => {}
    }
}

/// A day at the practice: everything that is answered, in order.
async fn day(base: &str) -> Vec<(u16, Value, Vec<String>)> {
    let visitor = Client::new(base);
    let mut told = Vec::new();
    let admin = visitor.with_token(&log_in(&visitor, ADMIN, PASSWORD).await);
    let account = |email: &str, role: &str| json!({"name": "x", "email": email, "password": PASSWORD, "role": role});
    let clinic = admin.post("/clinics", &json!({"name": "x"})).await;
    told.push(plain(&clinic));
    let doctor = admin
        .post("/auth/register", &account("doctor@x.example", "doctor"))
        .await;
    told.push(plain(&doctor));
    let doctor_id = id_of(&doctor.json()["user"]);
    let profile = json!({
        "user_id": doctor_id, "clinic_id": id_of(&clinic.json()), "specialty": "x",
        "license_number": "x",
    });
    told.push(plain(&admin.post("/doctors", &profile).await));
    let slot = json!({
        "doctor_id": doctor_id, "clinic_id": id_of(&clinic.json()),
        "slot_datetime": "2090-01-31T09:00:00Z",
    });
    let slot = admin.post("/slots/", &slot).await;
    told.push(plain(&slot));
    let slot = id_of(&slot.json());
    let mut patients = Vec::new();
    for email in ["one@x.example", "two@x.example"] {
        let signed = visitor
            .post("/auth/register", &account(email, "patient"))
            .await;
        told.push(plain(&signed));
        patients.push(visitor.with_token(&token_of(&signed.json())));
    }
    let booked = patients[0].book(slot).await;
    told.push(plain(&booked));
    let appointment = id_of(&booked.json());
    told.push(plain(&patients[1].book(slot).await));
    told.push(plain(&patients[1].cancel(appointment).await));
    told.push(plain(&patients[0].cancel(appointment).await));
    told.push(plain(&patients[1].book(slot).await));
    for (method, path) in [
        (Method::GET, "/appointments"),
        (Method::GET, "/doctors"),
        (Method::HEAD, "/doctors"),
        (Method::OPTIONS, "/doctors/"),
        (Method::PATCH, "/doctors"),
        (Method::GET, "/slots?limit=0"),
        (Method::GET, "/patients/me"),
        (Method::GET, "/nowhere"),
        (Method::GET, "//health"),
        (Method::GET, "//ready"),
        (Method::GET, "//docs"),
        (Method::GET, "//openapi.json"),
    ] {
        told.push(plain(&admin.request(method, path).send().await));
    }
    told.push(plain(&visitor.get("/users").await));
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn merged_and_nested_it_answers_as_the_server_does() {
    let [standalone, merged, nested] = [open().await, open().await, open().await];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let stopped = async { _ = stopped.await };
        standalone
            .serve(listener, ServerOptions::default(), stopped)
            .await;
        standalone.close().await.unwrap();
    });
    let expected = day(&base).await;

    let own = router(merged.engine(), RouterConfig::default());
    let beside = host(application(|host| host.merge(own))).await;
    let own = router(nested.engine(), RouterConfig::default());
    let beneath = host(application(|host| host.nest("/clinics/{tenant}", own))).await;
    let prefixed = format!("{beneath}/clinics/north");
    for base in [&beside, &prefixed] {
        let told = day(base).await;
        for (told, expected) in told.iter().zip(&expected) {
            assert_eq!(told, expected, "{base}");
        }
        assert_eq!(told.len(), expected.len());
    }
    // What is the host's stays the host's.
    for base in [&beside, &beneath] {
        let client = Client::new(base);
        assert_eq!(client.get("//").await.text(), "the host's page");
        assert_eq!(client.get("//shop/7").await.text(), "the host's page");
        let unknown = client.get("//of-the-host").await;
        assert_eq!(
            (unknown.status, unknown.text().as_str()),
            (418, "the host's own answer")
        );
    }
    let _ = stop.send(());
    serving.await.unwrap();
    merged.close().await.unwrap();
    nested.close().await.unwrap();
}
