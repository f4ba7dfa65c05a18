//! Who may do what with calls and presence, and that strangers cannot tell what exists.

use reqwest::Method;

use super::*;

/// One cell of the table: the status that is answered.
type Row = (Method, String, Value, [u16; 6]);

#[tokio::test(flavor = "multi_thread")]
async fn every_route_for_every_caller() {
    let care = Care::open().await;
    let visit = &care.visit;
    let (_, foreign) = visit.clinic_and_doctor().await;
    let callers = [
        ("visitor", visit.anonymous.clone()),
        ("stranger", visit.of(&visit.patient().await)),
        (
            "unverified doctor",
            visit.of(&visit.unverified_doctor().await),
        ),
        ("foreign doctor", visit.of(&foreign)),
        ("administrator", visit.admin.clone()),
        ("callee", care.doctor()),
    ];
    let call = care.begun().await;
    let to_patient = json!({"callee_id": care.patient.id, "call_type": "video"});
    let (get_, post_) = (Method::GET, Method::POST);
    let of = |what: &str| format!("/calls/{call}/{what}");
    let none = Value::Null;
    let table: Vec<Row> = vec![
        (
            post_.clone(),
            "/calls/initiate".into(),
            to_patient,
            [401, 403, 403, 403, 403, 0],
        ),
        (
            post_.clone(),
            of("accept"),
            json!({}),
            [401, 404, 403, 404, 403, 0],
        ),
        (
            post_.clone(),
            of("decline"),
            json!({}),
            [401, 404, 403, 404, 403, 0],
        ),
        (
            post_.clone(),
            of("hangup"),
            json!({}),
            [401, 404, 403, 404, 403, 0],
        ),
        (
            post_.clone(),
            of("quality-metrics"),
            json!({"rtt": 1}),
            [401, 404, 403, 404, 403, 409],
        ),
        (
            get_.clone(),
            of("quality-metrics"),
            none.clone(),
            [401, 404, 403, 404, 200, 200],
        ),
        (
            get_.clone(),
            format!("/call-history/{call}"),
            none.clone(),
            [401, 404, 403, 404, 200, 200],
        ),
        (
            get_.clone(),
            "/call-history".into(),
            none.clone(),
            [401, 200, 403, 200, 200, 200],
        ),
        (
            get_.clone(),
            "/call-statistics".into(),
            none.clone(),
            [401, 200, 403, 200, 200, 200],
        ),
        (
            get_.clone(),
            "/ice".into(),
            none.clone(),
            [401, 200, 200, 200, 200, 200],
        ),
        (
            get_.clone(),
            format!("/presence/{}", care.patient.id),
            none.clone(),
            [401, 404, 404, 404, 200, 200],
        ),
        (
            get_,
            "/presence/online-users".into(),
            none,
            [401, 200, 200, 200, 200, 200],
        ),
        (
            post_,
            "/presence/update".into(),
            json!({"status": "away"}),
            [401, 200, 200, 200, 200, 200],
        ),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, cells) in &table {
        for ((caller, client), cell) in callers.iter().zip(cells) {
            if *cell == 0 {
                // It would change what the other cells see.
                continue;
            }
            let request = api(client, method.clone(), path);
            let request = match body {
                Value::Null => request,
                body => request.json(body),
            };
            let answer = request.send().await;
            if answer.status != *cell {
                let status = answer.status;
                wrong.push(format!(
                    "{method} {path} as {caller}: {status} instead of {cell}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(detail(&care.patient(), &call).await["status"], "initiated");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_tell_what_exists() {
    let care = Care::open().await;
    let call = care.begun().await;
    let nobodys = "0193b3a4-7d3e-7c3a-8f00-000000000000";
    let stranger = care.visit.of(&care.visit.patient().await);
    for (method, path, body) in [
        (Method::POST, "/calls/ID/accept", json!({})),
        (Method::POST, "/calls/ID/decline", json!({"reason": 5})),
        (Method::POST, "/calls/ID/hangup", json!({"duration": -1})),
        (Method::POST, "/calls/ID/quality-metrics", json!({"rtt": 1})),
        (
            Method::POST,
            "/calls/ID/quality-metrics",
            json!({"rtt": -1}),
        ),
        (Method::GET, "/calls/ID/quality-metrics", Value::Null),
        (Method::GET, "/call-history/ID", Value::Null),
    ] {
        let ask = async |id: &str| {
            let request = api(&stranger, method.clone(), &path.replace("ID", id));
            let answer = match &body {
                Value::Null => request.send().await,
                body => request.json(body).send().await,
            };
            let mut said = answer.json();
            said["timestamp"].take();
            (answer.status, said.to_string().replace(id, "ID"))
        };
        let real = ask(&call).await;
        assert!((400..405).contains(&real.0), "{path}");
        assert_eq!(real, ask(nobodys).await, "{path} {body}");
    }
}
