//! A call from its beginning to its figures.

use std::time::{Duration, Instant};

use telemed_tests::client::assert_utc;
use telemed_tests::practice::until;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_by_http_alone() {
    let care = Care::open().await;
    let (patient, doctor) = (care.patient(), care.doctor());
    let body = json!({"callee_id": care.doctor.id, "appointment_id": care.appointment,
        "call_type": "audio", "client_call_id": "mine"});
    let begun = ok(&post(&patient, "/calls/initiate", &body).await, 200);
    assert_eq!(begun["status"], "initiated");
    assert!(begun["ice_servers"].is_array());
    let call = begun["call_id"].as_str().unwrap();
    // Once in five seconds.
    let again = initiate(&patient, &care.doctor).await;
    refused(&again, 429, "RATE_LIMITED");
    let wait: u64 = again.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");

    let presence = format!("/presence/{}", care.doctor.id);
    assert_eq!(ok(&get(&patient, &presence).await, 200)["status"], "busy");
    let accepted = ok(&to(&doctor, call, "accept", json!({})).await, 200);
    assert_eq!(accepted["status"], "accepted");
    assert_eq!(accepted["room_id"], begun["room_id"]);
    let sample = json!({"rtt": 45, "packet_loss": 0.2});
    let taken = ok(&to(&doctor, call, "quality-metrics", sample).await, 200);
    assert_eq!(
        (&taken["rtt"], &taken["audio_quality"], &taken["user_id"]),
        (&json!(45), &json!("excellent"), &json!(care.doctor.id))
    );
    let sample = json!({"rtt": 250, "packet_loss": 2, "audio_quality": "good"});
    ok(
        &to(&patient, "mine", "quality-metrics", sample.clone()).await,
        200,
    );
    let often = to(&patient, call, "quality-metrics", sample).await;
    refused(&often, 429, "RATE_LIMITED");
    let path = format!("/calls/{call}/quality-metrics");
    let listed = ok(&get(&doctor, &path).await, 200);
    assert_eq!(listed.as_array().map(Vec::len), Some(2));

    let claim = json!({"reason": "user_hangup", "duration": 300});
    let ended = ok(&to(&patient, call, "hangup", claim).await, 200);
    let summary = &ended["call_summary"];
    assert_eq!(
        (&summary["status"], &summary["end_reason"]),
        (&json!("completed"), &json!("user_hangup"))
    );
    assert!(summary["duration"].as_u64().unwrap() < 200, "{summary}");
    assert_eq!(
        ok(&get(&patient, &presence).await, 200)["status"],
        "offline"
    );

    for (client, direction) in [(&patient, "outgoing"), (&doctor, "incoming")] {
        let page = ok(&get(client, "/call-history?status=ended").await, 200);
        assert_eq!(
            (&page["total"], &page["pages"], &page["current_page"]),
            (&json!(1), &json!(1), &json!(1))
        );
        let row = &page["calls"][0];
        for (field, expected) in [
            ("call_id", json!(call)),
            ("caller_id", json!(care.patient.id)),
            ("callee_id", json!(care.doctor.id)),
            ("call_type", json!("voice")),
            ("direction", json!(direction)),
            ("status", json!("completed")),
            ("quality_assessment", json!("fair")),
        ] {
            assert_eq!(row[field], expected, "{field}");
        }
        let other = format!("/call-history?status=ended&direction={direction}&call_type=video");
        assert_eq!(ok(&get(client, &other).await, 200)["total"], 0);
        let figures = ok(&get(client, "/call-statistics?period=7d").await, 200);
        assert_eq!(
            (
                &figures["total_calls"],
                &figures["completed_calls"],
                &figures["voice_calls"]
            ),
            (&json!(1), &json!(1), &json!(1))
        );
        let told = detail(client, call).await;
        for field in ["initiated_at", "accepted_at", "connected_at", "ended_at"] {
            assert_utc(&told[field]);
        }
        let medians = &told["quality_metrics"][care.patient.id.to_string()];
        assert_eq!(
            *medians,
            json!({"rtt": 250, "packet_loss": 2, "audio_quality": "good"})
        );
    }
}

// The server's clock is the machine's: it has rung for no less.
#[allow(clippy::disallowed_methods)]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_and_both_are_told_when_it_has_rung_long_enough() {
    let (care, _folder) = Care::with("[calls]\nring_seconds = 2\n").await;
    let begin = Instant::now();
    let call = care.begun().await;
    let status = async |client: Client| detail(&client, &call).await["status"].clone();
    until("it rings no longer", || async {
        status(care.doctor()).await == "missed"
    })
    .await;
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert_eq!(status(care.patient()).await, "missed");
    assert_eq!(
        detail(&care.doctor(), &call).await["end_reason"],
        "unreachable"
    );
    let about = format!("call={call}");
    until("the notice is in the log", || async {
        let log = care.visit.practice.folder.log();
        let log = String::from_utf8_lossy(&log).into_owned();
        log.lines()
            .any(|line| line.contains("kind=call_missed") && line.contains(&about))
    })
    .await;
    refused(
        &to(&care.doctor(), &call, "accept", json!({})).await,
        409,
        "CONFLICT",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_by_http() {
    let care = Care::open().await;
    let (patient, doctor) = (care.patient(), care.doctor());
    let says = json!({"status": "away", "device_type": "phone",
        "current_appointment_id": care.appointment});
    let said = ok(&post(&doctor, "/presence/update/", &says).await, 200);
    assert_eq!(
        (&said["user_id"], &said["status"]),
        (&json!(care.doctor.id), &json!("away"))
    );
    assert_utc(&said["last_heartbeat"]);
    let seen = ok(
        &get(&patient, &format!("/presence/{}", care.doctor.id)).await,
        200,
    );
    assert_eq!(
        (
            &seen["status"],
            &seen["device_type"],
            &seen["current_appointment_id"]
        ),
        (&json!("away"), &json!("phone"), &json!(care.appointment))
    );
    let online = ok(&get(&patient, "/presence/online-users").await, 200);
    let online = online.as_array().unwrap();
    assert_eq!(online.len(), 1, "{online:?}");
    assert_eq!(online[0]["user_id"], care.doctor.id);
    names(
        &post(&doctor, "/presence/update", &json!({"status": "here"})).await,
        "status",
    );
    names(
        &get(&patient, "/presence/online-users?role=x").await,
        "role",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_gives_out_the_relays_that_it_was_given() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("turn.secret");
    std::fs::write(&secret, "a shared secret\n").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let options = [
        "--ice-server",
        "stun:stun.example:3478,turn:turn.example:3478",
        "--turn-secret-file",
        secret.to_str().unwrap(),
    ];
    let care = Care::at(Visit::at(Practice::open(&options, &[]).await)).await;
    let own = async |client: &Client| get(client, "/ice").await.expect(200)["iceServers"].clone();
    let stun = json!({"urls": "stun:stun.example:3478"});
    assert_eq!(own(&care.patient()).await, json!([stun]));
    let call = care.begun().await;
    let servers = own(&care.doctor()).await;
    assert_eq!(servers[0], stun);
    let username = servers[1]["username"].as_str().unwrap();
    assert!(username.ends_with(&format!(":{call}")), "{username}");
    let log = care.visit.practice.folder.log();
    let log = String::from_utf8_lossy(&log);
    for secret in [
        "a shared secret",
        servers[1]["credential"].as_str().unwrap(),
    ] {
        assert!(!log.contains(secret));
    }
}
