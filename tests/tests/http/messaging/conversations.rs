//! Opening, listing, putting away.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_has_one_conversation_however_many_open_it() {
    let visit = Visit::shared().await;
    let (_, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let mut running = tokio::task::JoinSet::new();
    for at in 0..32 {
        let client = visit.of(&patient);
        let other = doctor.id;
        running.spawn(async move {
            // Half of them on each surface.
            let answer = if at % 2 == 0 {
                let body = json!({"participant_id": other});
                post(&client, "/messages/conversations", &body).await
            } else {
                let body = json!({"participant_ids": [other], "conversation_type": "direct"});
                post(&client, "/conversations", &body).await
            };
            let opened = ok(&answer, 200);
            let id = opened.get("id").or(opened.get("conversation_id"));
            id.and_then(Value::as_str).unwrap().to_owned()
        });
    }
    let mut ids = running.join_all().await;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    for client in [visit.of(&patient), visit.of(&doctor)] {
        let listed = ok(&get(&client, "/messages/conversations").await, 200);
        assert_eq!(each(&listed["conversations"], "id"), [json!(ids[0])]);
        let listed = ok(&get(&client, "/conversations").await, 200);
        assert_eq!(
            each(&listed["conversations"], "conversation_id"),
            [json!(ids[0])]
        );
        assert_eq!(
            (&listed["total"], &listed["pages"], &listed["current_page"]),
            (&json!(1), &json!(1), &json!(1))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_has_its_people_and_its_last_message() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    let one = talk.listed(&doctor).await.unwrap();
    assert_eq!(
        (&one["last_message"], &one["last_message_at"]),
        (&Value::Null, &Value::Null)
    );
    let sent = talk.say(&patient, "how are you?").await;
    let one = talk.listed(&doctor).await.unwrap();
    assert_eq!(one["participant"]["id"], talk.patient.id);
    assert_eq!(one["participant"]["user_type"], "patient");
    assert_eq!(one["participant"]["is_online"], false);
    assert_eq!(one["last_message"]["id"], sent["id"]);
    assert_eq!(one["last_message_content"], "how are you?");
    assert_eq!(one["last_message_at"], sent["created_at"]);
    assert_eq!(one["unread_count"], 1);
    assert_eq!(
        (&one["patient_id"], &one["doctor_id"]),
        (&json!(talk.patient.id), &json!(talk.doctor.id))
    );
    assert_eq!(one["participant_info"]["patient"]["id"], talk.patient.id);
    assert_eq!(one["participant_info"]["doctor"]["id"], talk.doctor.id);
    assert_eq!(one["participant_info"]["doctor"]["specialty"], "Cardiology");
    assert_eq!(
        one["participant_info"]["patient"]["name"],
        one["patient_name"]
    );
    assert_eq!(one["is_active"], true);
    for field in ["appointment_id", "doctor_name", "created_at"] {
        assert!(one.get(field).is_some(), "no {field}: {one}");
    }
    assert_eq!(talk.unread(&patient).await, 0);
    // The same on the other surface.
    let listed = ok(&get(&doctor, "/conversations?page=1").await, 200);
    let line = &listed["conversations"][0];
    assert_eq!(line["conversation_id"], talk.id.as_str());
    assert_eq!(
        (&line["unread_count"], &line["conversation_type"]),
        (&json!(1), &json!("direct"))
    );
    let people = line["participant_ids"].as_array().unwrap();
    assert!(people.contains(&json!(talk.patient.id)) && people.contains(&json!(talk.doctor.id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn patients_and_doctors_write_to_one_another_and_nobody_else() {
    let talk = Talk::open().await;
    let visit = &talk.visit;
    let patient = talk.patient();
    let other = visit.patient().await;
    let unverified = visit.unverified_doctor().await;
    let path = "/messages/conversations";
    for body in [
        json!({"participant_id": other.id}),
        json!({"participant_id": talk.patient.id}),
        json!({}),
        json!({"participant_id": "somebody"}),
        json!({"participant_id": [1]}),
    ] {
        names(&post(&patient, path, &body).await, "participant_id");
    }
    let body = json!({"participant_id": 999_999_999});
    refused(&post(&patient, path, &body).await, 404, "NOT_FOUND");
    // A doctor who is not listed, and a patient whom the doctor has nothing to do with.
    let body = json!({"participant_id": unverified.id});
    refused(&post(&patient, path, &body).await, 403, "FORBIDDEN");
    let doctor = talk.doctor();
    let body = json!({"participant_id": other.id});
    refused(&post(&doctor, path, &body).await, 403, "FORBIDDEN");
    let body = json!({"participant_ids": [other.id]});
    let answer = post(&doctor, "/conversations", &body).await;
    refused(&answer, 403, "FORBIDDEN");
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    visit.booked(&other, slot).await;
    let body = json!({"participant_ids": [other.id]});
    ok(
        &post(&visit.of(&doctor), "/conversations", &body).await,
        200,
    );
    refused(
        &post(&visit.anonymous, path, &body).await,
        401,
        "UNAUTHORIZED",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_conversation_comes_back_with_the_next_message() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    let archive = talk.chat("/archive");
    let archived = api(&doctor, Method::PUT, &archive).send().await;
    assert_eq!(ok(&archived, 200)["is_active"], false);
    assert!(talk.listed(&doctor).await.is_none());
    assert!(talk.listed(&patient).await.is_some());
    let unarchived = api(&doctor, Method::PUT, &talk.chat("/unarchive/"))
        .send()
        .await;
    assert_eq!(ok(&unarchived, 200)["is_active"], true);
    assert!(talk.listed(&doctor).await.is_some());
    ok(&put(&doctor, &archive, &json!({})).await, 200);
    ok(&put(&doctor, &archive, &json!({})).await, 200);
    assert!(talk.listed(&doctor).await.is_none());
    talk.say(&patient, "are you there?").await;
    assert_eq!(talk.listed(&doctor).await.unwrap()["is_active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreigners_are_refused_as_each_surface_does() {
    let talk = Talk::open().await;
    let sent = talk.say(&talk.patient(), "between us").await;
    let outsider = talk.outsider().await;
    let message = sent["id"].as_str().unwrap();
    for (method, path, body) in [
        (Method::GET, "/messages/conversations/ID", json!({})),
        (Method::PUT, "/messages/conversations/ID/archive", json!({})),
        (
            Method::PUT,
            "/messages/conversations/ID/unarchive",
            json!({}),
        ),
        (Method::POST, "/messages/conversations/ID/read", json!({})),
        (
            Method::POST,
            "/messages/conversations/ID/messages",
            json!({"content": "hello"}),
        ),
        (
            Method::POST,
            "/messages",
            json!({"conversation_id": "ID", "message": "hello"}),
        ),
        (
            Method::GET,
            "/messages/search?q=between&conversation_id=ID",
            json!({}),
        ),
    ] {
        for client in [&outsider, &talk.visit.admin] {
            for (id, status, code) in [
                (talk.id.as_str(), 403, "FORBIDDEN"),
                (NOBODYS, 404, "NOT_FOUND"),
            ] {
                let body: Value =
                    serde_json::from_str(&body.to_string().replace("ID", id)).unwrap();
                let request = api(client, method.clone(), &path.replace("ID", id));
                refused(&request.json(&body).send().await, status, code);
            }
        }
        // A foreigner's words change nothing and are nowhere.
        let request = api(&talk.visit.anonymous, method, &path.replace("ID", &talk.id));
        let answer = request.json(&body).send().await;
        refused(&answer, 401, "UNAUTHORIZED");
    }
    for id in [talk.id.as_str(), NOBODYS] {
        let path = format!("/conversations/{id}/messages");
        refused(&get(&outsider, &path).await, 404, "NOT_FOUND");
        let path = format!("/conversations/{id}/send-message");
        let answer = post(&outsider, &path, &json!({"body": "hello"})).await;
        refused(&answer, 404, "NOT_FOUND");
    }
    for id in [message, NOBODYS] {
        let path = format!("/messages/{id}/mark-read");
        let answer = post(&outsider, &path, &json!({})).await;
        refused(&answer, 404, "NOT_FOUND");
    }
    assert_eq!(talk.unread(&talk.doctor()).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_has_its_slash_its_head_and_its_options() {
    let talk = Talk::open().await;
    let patient = talk.patient();
    for (path, allowed) in [
        ("/messages/conversations".to_owned(), "GET, HEAD, POST"),
        (talk.chat(""), "GET, HEAD"),
        ("/messages/search?q=x".to_owned(), "GET, HEAD"),
        ("/conversations".to_owned(), "GET, HEAD, POST"),
        (talk.calls("/messages"), "GET, HEAD"),
        ("/events".to_owned(), "GET, HEAD"),
    ] {
        let slashed = path.replacen('?', "/?", 1);
        let slashed = if slashed == path {
            format!("{path}/")
        } else {
            slashed
        };
        for path in [path, slashed] {
            ok(&get(&patient, &path).await, 200);
            let head = api(&patient, Method::HEAD, &path).send().await;
            assert_eq!((head.status, head.bytes.len()), (200, 0), "{path}");
            let options = api(&patient, Method::OPTIONS, &path).send().await;
            let allow = options.header("allow").unwrap_or_default();
            assert_eq!(allow, format!("{allowed}, OPTIONS"), "{path}");
            let patch = api(&patient, Method::PATCH, &path).send().await;
            refused(&patch, 405, "METHOD_NOT_ALLOWED");
        }
    }
    refused(&get(&patient, "/messages/x/y/z").await, 404, "NOT_FOUND");
}
