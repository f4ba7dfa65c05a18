//! A call over two servers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use telemed_tests::practice::{Visit, until};
use telemed_tests::server::SharedDatabase;

use super::pair::{Pair, platform};

/// A call that one server has begun stops ringing on time, though that server is gone at once.
// The servers' clock is the machine's.
#[allow(clippy::disallowed_methods)]
pub async fn a_call_stops_ringing_without_its_server(database: SharedDatabase) {
    const RINGS: Duration = Duration::from_secs(3);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("telemed.toml");
    std::fs::write(
        &file,
        format!("[calls]\nring_seconds = {}\n", RINGS.as_secs()),
    )
    .unwrap();
    let pair = Pair::with(database, &["--config", file.to_str().unwrap()]).await;
    let (clinic, doctor) = pair.one.clinic_and_doctor().await;
    let patient = pair.one.patient().await;
    let slot = pair.one.any_slot(&doctor, clinic, 1).await;
    pair.one.booked(&patient, slot).await;

    let body = json!({"callee_id": doctor.id, "call_type": "video"});
    let caller = pair.two.of(&patient);
    let begin = Instant::now();
    let begun = platform(&caller, Method::POST, "/calls/initiate", &body).await;
    let call = begun.expect(200)["data"]["call_id"].clone();
    let Pair { one, two, .. } = pair;
    let Visit { practice, .. } = two;
    let gone = Arc::into_inner(practice).expect("nobody else is here");
    gone.server.kill();
    assert!(begin.elapsed() < RINGS, "the server went too late");

    let callee = one.of(&doctor);
    let path = format!("/call-history/{}", call.as_str().unwrap());
    let status = async || {
        let told = platform(&callee, Method::GET, &path, &Value::Null).await;
        told.expect(200)["data"]["status"].clone()
    };
    assert_eq!(status().await, "initiated");
    until("it rings no longer", || async {
        status().await == "missed"
    })
    .await;
    let took = begin.elapsed();
    assert!(took >= RINGS, "{took:?}");
}
