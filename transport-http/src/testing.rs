//! What the tests of the surfaces share: an installation in memory and its people.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod sockets;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use telemed_core::actor::Actor;
use telemed_core::crypto::FixedKeyProvider;
use telemed_core::env::{ManualClock, SeededEntropy};
use telemed_core::identity::{
    CreateAdministrator, Email, FullName, HmacTokenSigner, NewPassword, Pbkdf2Hasher,
};
use telemed_core::journal::{LocalBus, MemoryCheckpoints};
use telemed_core::memory::MemoryStorage;
use telemed_core::notifications::MemoryNotifier;
use telemed_core::time::{TimeZone, Timestamp};
use telemed_core::{Engine, EngineParts, Settings};
use tower::ServiceExt;

use crate::router::{RouterConfig, surfaces};
use crate::surface::RouteEntry;

pub(crate) const PASSWORD: &str = "correct horse battery";
/// Where requests to the platform surface are sent.
pub(crate) const HOST: &str = "clinic.example";
/// The present of these tests: a Monday.
pub(crate) const NOW: &str = "2030-01-07T08:00:00Z";

/// An installation in memory, with an administrator and the surfaces over it.
pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) routes: Vec<RouteEntry>,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<MemoryStorage>,
    pub(crate) admin: String,
    next: AtomicU32,
}

/// A user of the tests.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: i64,
    pub(crate) token: String,
    pub(crate) email: String,
}

/// A doctor with a clinic.
pub(crate) struct Practice {
    pub(crate) doctor: Person,
    pub(crate) clinic: i64,
}

/// A patient and a doctor with a conversation.
pub(crate) struct Talk {
    pub(crate) doctor: Person,
    pub(crate) patient: Person,
    pub(crate) id: String,
}

/// A patient and a doctor with a care relation.
pub(crate) struct Care {
    pub(crate) doctor: Person,
    pub(crate) patient: Person,
    pub(crate) appointment: i64,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The view, if the status is the expected one.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self.json()
    }

    /// What was asked for, from the platform's envelope.
    #[track_caller]
    pub(crate) fn data(&self, status: u16) -> Value {
        let body = self.expect(status);
        assert_eq!(body["success"], true, "{body}");
        assert_eq!(body["code"], status, "{body}");
        assert_eq!(body["status_code"], status, "{body}");
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{body}"
        );
        assert!(
            body["timestamp"]
                .as_str()
                .is_some_and(|at| at.ends_with('Z')),
            "{body}"
        );
        body["data"].clone()
    }

    /// Checks a refusal in the platform's envelope.
    #[track_caller]
    pub(crate) fn failed(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["success"], false, "{body}");
        assert_eq!(body["error_code"], code, "{body}");
        assert_eq!(body["code"], status, "{body}");
        assert_eq!(body["status_code"], status, "{body}");
        assert_eq!(body["error"], body["message"], "{body}");
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{body}"
        );
        assert!(
            body["timestamp"]
                .as_str()
                .is_some_and(|at| at.ends_with('Z')),
            "{body}"
        );
        assert_eq!(body["field"], body["details"]["field"], "{body}");
        body
    }

    /// Checks a refusal and answers the fields that it names.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Vec<String> {
        let body = self.expect(status);
        assert_eq!(body["error_code"], code, "{body}");
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{body}"
        );
        assert!(
            body["timestamp"]
                .as_str()
                .is_some_and(|at| at.ends_with('Z')),
            "{body}"
        );
        let fields = body["errors"].as_array().into_iter().flatten();
        fields
            .map(|field| {
                field["loc"]
                    .as_array()
                    .unwrap()
                    .last()
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(RouterConfig::default()).await
    }

    pub(crate) async fn with(config: RouterConfig) -> Self {
        Self::over(LocalBus::default(), config).await
    }

    /// The same over this bus.
    pub(crate) async fn over(bus: LocalBus, config: RouterConfig) -> Self {
        Self::settled(bus, config, Settings::default()).await
    }

    /// The same with these settings of the engine.
    pub(crate) async fn settled(bus: LocalBus, config: RouterConfig, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::at(
            Timestamp::parse(NOW, &TimeZone::utc()).unwrap(),
        ));
        let entropy = Arc::new(SeededEntropy::new(7));
        let bus = Arc::new(bus);
        let store = Arc::new(MemoryStorage::new(bus.clone()));
        let parts = EngineParts {
            storage: store.clone(),
            bus,
            clock: clock.clone(),
            entropy: entropy.clone(),
            hasher: Arc::new(Pbkdf2Hasher::new(1, entropy)),
            signer: Arc::new(HmacTokenSigner::new([1; 32])),
            notifier: Arc::new(MemoryNotifier::default()),
            checkpoints: Arc::new(MemoryCheckpoints::default()),
            settings,
        };
        let engine = Engine::open(parts, &FixedKeyProvider::new([2; 32]))
            .await
            .unwrap();
        let admin = CreateAdministrator {
            full_name: FullName::new("Ada Admin").unwrap(),
            email: Email::new("admin@example.org").unwrap(),
            password: NewPassword::new(PASSWORD).unwrap(),
        };
        engine
            .identity()
            .create_administrator(&Actor::operator(), admin)
            .await
            .unwrap();
        let (router, routes, _) = surfaces(&engine, config);
        let mut house = Self {
            router,
            routes,
            engine,
            clock,
            store,
            admin: String::new(),
            next: AtomicU32::new(1),
        };
        house.admin = house.login("admin@example.org").await;
        house
    }

    /// A request to the platform surface, with nothing but these headers.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api{path}"))
            .header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// The same with a token.
    pub(crate) async fn api(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        self.ask(method, path, &[("authorization", &bearer)], body.as_ref())
            .await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.call("GET", path, token, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("POST", path, Some(token), &[], Some(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(token), &[], Some(&body)).await
    }

    /// A command without a body.
    pub(crate) async fn command(&self, path: &str, token: &str) -> Answer {
        self.call("POST", path, Some(token), &[], None).await
    }

    pub(crate) async fn login(&self, email: &str) -> String {
        let body = json!({"email": email, "password": PASSWORD});
        let answer = self
            .call("POST", "/auth/login", None, &[], Some(&body))
            .await
            .expect(200);
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) async fn person(&self, role: &str) -> Person {
        let email = format!("{role}{}@example.org", self.number());
        let body = json!({"name": format!("A {role}"), "email": email, "password": PASSWORD, "role": role});
        let token = (role != "patient").then_some(self.admin.as_str());
        let signed = self
            .call("POST", "/auth/register", token, &[], Some(&body))
            .await
            .expect(201);
        Person {
            id: signed["user"]["id"].as_i64().unwrap(),
            token: signed["access_token"].as_str().unwrap().to_owned(),
            email,
        }
    }

    pub(crate) async fn patient(&self) -> Person {
        self.person("patient").await
    }

    pub(crate) async fn clinic(&self, time_zone: &str) -> i64 {
        let body = json!({"name": "Clinic", "city": "Cairo", "time_zone": time_zone});
        self.post("/clinics", &self.admin, body).await.expect(201)["id"]
            .as_i64()
            .unwrap()
    }

    pub(crate) async fn practice(&self) -> Practice {
        self.practice_with("UTC", 10).await
    }

    pub(crate) async fn practice_with(&self, time_zone: &str, daily_limit: i64) -> Practice {
        let clinic = self.clinic(time_zone).await;
        let doctor = self.person("doctor").await;
        let body = json!({
            "user_id": doctor.id, "clinic_id": clinic, "specialty": "Cardiology",
            "license_number": format!("LIC-{}", self.number()), "max_patients_per_day": daily_limit,
        });
        self.post("/doctors", &self.admin, body).await.expect(201);
        Practice { doctor, clinic }
    }

    /// Offers a slot on the day after the present, or so.
    pub(crate) async fn slot(&self, practice: &Practice, at: &str, capacity: i64) -> i64 {
        let body = json!({
            "doctor_id": practice.doctor.id, "clinic_id": practice.clinic,
            "slot_datetime": at, "capacity": capacity,
        });
        let slot = self
            .post("/slots", &practice.doctor.token, body)
            .await
            .expect(201);
        slot["id"].as_i64().unwrap()
    }

    pub(crate) async fn book(&self, patient: &Person, slot: i64) -> Answer {
        self.post(
            "/appointments/book",
            &patient.token,
            json!({"slot_id": slot}),
        )
        .await
    }

    pub(crate) async fn booked(&self, patient: &Person, slot: i64) -> i64 {
        self.book(patient, slot).await.expect(201)["id"]
            .as_i64()
            .unwrap()
    }

    /// A patient and a doctor with a conversation, which the patient has opened.
    pub(crate) async fn talk(&self) -> Talk {
        let practice = self.practice().await;
        let patient = self.patient().await;
        let body = json!({"participant_id": practice.doctor.id});
        let path = "/messages/conversations";
        let opened = self.api("POST", path, &patient.token, Some(body)).await;
        Talk {
            id: opened.data(200)["id"].as_str().unwrap().to_owned(),
            doctor: practice.doctor,
            patient,
        }
    }

    /// A patient and a doctor with a care relation: an appointment on the next day.
    pub(crate) async fn care(&self) -> Care {
        let practice = self.practice().await;
        let patient = self.patient().await;
        let slot = self.slot(&practice, "2030-01-08T09:00", 1).await;
        Care {
            appointment: self.booked(&patient, slot).await,
            doctor: practice.doctor,
            patient,
        }
    }

    /// Begins a call and answers it, as its caller sees it.
    pub(crate) async fn begun(&self, by: &Person, callee: &Person) -> Value {
        // One in five seconds.
        self.clock.advance(Duration::from_secs(5));
        let body = json!({"callee_id": callee.id, "call_type": "video"});
        let begun = self.api("POST", "/calls/initiate", &by.token, Some(body));
        begun.await.data(200)
    }

    /// Does something to a call.
    pub(crate) async fn to_call(
        &self,
        by: &Person,
        call: &Value,
        what: &str,
        body: Value,
    ) -> Answer {
        let call = call["call_id"]
            .as_str()
            .unwrap_or_else(|| call.as_str().unwrap());
        let path = format!("/calls/{call}/{what}");
        self.api("POST", &path, &by.token, Some(body)).await
    }

    /// The same person on another device.
    pub(crate) async fn elsewhere(&self, person: &Person) -> Person {
        Person {
            token: self.login(&person.email).await,
            ..person.clone()
        }
    }

    /// Sends a text and answers the message.
    pub(crate) async fn say(&self, talk: &Talk, by: &Person, text: &str) -> Value {
        let body = json!({"conversation_id": talk.id, "message": text});
        let sent = self.api("POST", "/messages", &by.token, Some(body)).await;
        sent.data(200)["message"].clone()
    }

    pub(crate) fn advance(&self, hours: u64) {
        self.clock.advance(Duration::from_secs(hours * 3600));
    }
}
