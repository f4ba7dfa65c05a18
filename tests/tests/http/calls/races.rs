//! Races over calls: one device answers, one call begins, one end counts.

use std::future::Future;
use std::sync::Arc;

use telemed_tests::practice::{PASSWORD, log_in};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;

/// Sends all requests at one moment; the answers come in the order of the requests.
async fn at_once<F>(requests: Vec<F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let line = Arc::new(Barrier::new(requests.len()));
    let mut running = JoinSet::new();
    for (at, request) in requests.into_iter().enumerate() {
        let line = Arc::clone(&line);
        running.spawn(async move {
            line.wait().await;
            (at, request.await)
        });
    }
    let mut answers = running.join_all().await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn send(by: Client, path: String, body: Value) -> Answer {
    post(&by, &path, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_devices_answers() {
    for _ in 0..4 {
        let care = Care::open().await;
        let visit = &care.visit;
        let token = log_in(&visit.anonymous, &care.doctor.email, PASSWORD).await;
        let devices = [care.doctor(), visit.anonymous.with_token(&token)];
        let call = care.begun().await;
        let path = format!("/calls/{call}/accept");
        let requests = (0..16)
            .map(|at| send(devices[at % 2].clone(), path.clone(), json!({})))
            .collect();
        let answers = at_once(requests).await;
        let winner = answers.iter().position(|one| one.status == 200).unwrap() % 2;
        for (at, answer) in answers.iter().enumerate() {
            if at % 2 == winner {
                assert_eq!(ok(answer, 200)["call_id"], call);
            } else {
                let body = refused(answer, 409, "CONFLICT");
                assert_eq!(
                    body["details"],
                    json!({"call_id": call, "status": "connected"})
                );
            }
        }
        ok(&to(&care.patient(), &call, "hangup", json!({})).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_call_each_other_at_once_have_one_call() {
    let (care, _folder) = Care::with(OFTEN).await;
    for _ in 0..20 {
        let (patient, doctor) = (care.patient(), care.doctor());
        let video = |callee: i64| json!({"callee_id": callee, "call_type": "video"});
        let path = "/calls/initiate".to_owned();
        let answers = at_once(vec![
            send(patient.clone(), path.clone(), video(care.doctor.id)),
            send(doctor.clone(), path, video(care.patient.id)),
        ])
        .await;
        let [one, two] = [ok(&answers[0], 200), ok(&answers[1], 200)];
        assert_eq!(one["call_id"], two["call_id"]);
        // One has begun it, the other has met it.
        let met = [&one, &two]
            .iter()
            .filter(|call| call["glare"] == true)
            .count();
        assert_eq!(met, 1, "{one} {two}");
        let call = one["call_id"].as_str().unwrap();
        assert_eq!(detail(&patient, call).await["status"], "connected");
        ok(&to(&doctor, call, "hangup", json!({})).await, 200);
    }
    let listed = ok(&get(&care.patient(), "/call-history").await, 200);
    assert_eq!(listed["total"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_callers_gets_through() {
    const CALLERS: usize = 16;
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let slot = visit.any_slot(&doctor, clinic, 16).await;
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let patient = visit.patient().await;
        visit.booked(&patient, slot).await;
        callers.push(visit.of(&patient));
    }
    let body = json!({"callee_id": doctor.id, "call_type": "voice"});
    let path = "/calls/initiate".to_owned();
    let requests = callers.iter();
    let requests = requests.map(|caller| send(caller.clone(), path.clone(), body.clone()));
    let answers = at_once(requests.collect()).await;
    let through = answers.iter().filter(|one| one.status == 200).count();
    assert_eq!(through, 1);
    for answer in answers.iter().filter(|one| one.status != 200) {
        let body = refused(answer, 409, "CONFLICT");
        assert_eq!(body["details"]["status"], "busy");
    }
    let path = "/call-history?status=missed";
    let missed = ok(&get(&visit.of(&doctor), path).await, 200);
    assert_eq!(missed["total"], CALLERS - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_once_whoever_ends_it() {
    let (care, _folder) = Care::with(OFTEN).await;
    for _ in 0..20 {
        let (patient, doctor) = (care.patient(), care.doctor());
        let call = care.begun().await;
        let path = |what: &str| format!("/calls/{call}/{what}");
        let answers = at_once(vec![
            send(doctor.clone(), path("accept"), json!({})),
            send(patient.clone(), path("hangup"), json!({})),
            send(doctor.clone(), path("decline"), json!({})),
            send(doctor.clone(), path("hangup"), json!({})),
        ])
        .await;
        for answer in &answers {
            assert!([200, 409].contains(&answer.status), "{}", answer.text());
        }
        // Each who has hung up was told how it went, and it has stayed so.
        let end = detail(&patient, &call).await;
        for (answer, client) in [(&answers[1], &patient), (&answers[3], &doctor)] {
            let summary = ok(answer, 200)["call_summary"].clone();
            let now = detail(client, &call).await;
            for field in ["status", "end_reason", "ended_at", "duration"] {
                assert_eq!(summary[field], now[field], "{field}");
            }
        }
        let was_accepted = answers[0].status == 200;
        assert_eq!(end["accepted_at"].is_string(), was_accepted, "{end}");
        assert_eq!(end["status"] == "completed", was_accepted, "{end}");
    }
}
