//! Who has a conversation with whom, and what becomes of it.

use super::*;

#[tokio::test]
async fn a_conversation_is_the_same_from_both_ends() {
    let house = House::open().await;
    let talk = house.talk().await;
    let by_doctor = json!({"recipient_id": talk.patient.id.to_string(), "appointment_id": null});
    let again = house.open_with(&talk.doctor, by_doctor).await.data(200);
    assert_eq!(again["id"], talk.id.as_str());
    assert_eq!(again["conversation"]["id"], talk.id.as_str());
    house.say(&talk, &talk.patient, "hello").await;
    let listed = house.listed(&talk.doctor).await;
    assert_eq!(listed.len(), 1);
    let one = &listed[0];
    assert_eq!(one["participant"]["id"], talk.patient.id);
    assert_eq!(one["participant"]["user_type"], "patient");
    assert_eq!(one["participant"]["is_online"], false);
    assert_eq!(one["last_message"]["message"], "hello");
    assert_eq!(one["last_message_content"], "hello");
    assert_eq!(one["last_message_at"], one["last_message"]["created_at"]);
    assert_eq!(one["unread_count"], 1);
    assert_eq!(
        (&one["patient_id"], &one["doctor_id"]),
        (&json!(talk.patient.id), &json!(talk.doctor.id))
    );
    assert_eq!(one["patient_name"], "A patient");
    assert_eq!(one["doctor_name"], "A doctor");
    let info = &one["participant_info"];
    assert_eq!(
        info["patient"],
        json!({"id": talk.patient.id, "name": "A patient"})
    );
    assert_eq!(
        info["doctor"],
        json!({"id": talk.doctor.id, "name": "A doctor", "specialty": "Cardiology"})
    );
    assert_eq!(
        (&one["appointment_id"], &one["is_active"]),
        (&Value::Null, &json!(true))
    );
    assert!(one["created_at"].is_string());
    // Nobody else sees it.
    assert!(house.listed(&house.patient().await).await.is_empty());
}

#[tokio::test]
async fn who_may_write_to_whom() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let other = house.patient().await;
    for (by, body, field) in [
        (
            &patient,
            json!({"participant_id": other.id}),
            "participant_id",
        ),
        (
            &patient,
            json!({"participant_id": patient.id}),
            "participant_id",
        ),
        (&patient, json!({}), "participant_id"),
        (&patient, json!({"participant_id": "x"}), "participant_id"),
        (&patient, json!({"participant_id": 0}), "participant_id"),
        (
            &patient,
            json!({"participant_id": practice.doctor.id, "appointment_id": "x"}),
            "appointment_id",
        ),
        (
            &patient,
            json!({"participant_id": practice.doctor.id, "appointment_id": 99}),
            "appointment_id",
        ),
    ] {
        let answer = house.open_with(by, body.clone()).await;
        assert_eq!(
            answer.failed(400, "VALIDATION_ERROR")["field"],
            field,
            "{body}"
        );
    }
    let unknown = json!({"participant_id": 999_999});
    let answer = house.open_with(&patient, unknown).await;
    assert_eq!(
        answer.failed(404, "NOT_FOUND")["details"]["user_id"],
        999_999
    );
    // A doctor writes to patients of his.
    let body = json!({"participant_id": patient.id});
    let answer = house.open_with(&practice.doctor, body.clone()).await;
    answer.failed(403, "FORBIDDEN");
    let slot = house.slot(&practice, "2030-01-08T09:00", 1).await;
    let visit = house.booked(&patient, slot).await;
    let opened = house.open_with(&practice.doctor, body).await.data(200);
    let about = json!({"participant_id": practice.doctor.id, "appointment_id": visit});
    let again = house.open_with(&patient, about).await.data(200);
    assert_eq!(again["id"], opened["id"]);
    assert_eq!(again["appointment_id"], visit);
    // What is about an appointment says so.
    let body =
        json!({"conversation_id": opened["id"], "message": "before it", "appointment_id": visit});
    let sent = house.send_text(&patient, body).await.data(200);
    assert_eq!(sent["message"]["appointment_id"], visit);
    assert_eq!(house.listed(&patient).await[0]["appointment_id"], visit);
    let body =
        json!({"conversation_id": opened["id"], "message": "about another's", "appointment_id": 9});
    let answer = house.send_text(&patient, body).await;
    assert_eq!(
        answer.failed(400, "VALIDATION_ERROR")["field"],
        "appointment_id"
    );
}

#[tokio::test]
async fn outsiders_are_told_that_it_is_not_theirs() {
    let house = House::open().await;
    let talk = house.talk().await;
    house.say(&talk, &talk.patient, "between us").await;
    let outsider = house.patient().await;
    let text = json!({"content": "hello"});
    for (method, path, body) in [
        ("GET", "/messages/conversations/{}", None),
        ("PUT", "/messages/conversations/{}/archive", None),
        ("PUT", "/messages/conversations/{}/unarchive", None),
        ("POST", "/messages/conversations/{}/read", None),
        ("POST", "/messages/conversations/{}/messages", Some(text)),
        (
            "POST",
            "/messages",
            Some(json!({"conversation_id": "{}", "message": "hello"})),
        ),
        ("GET", "/messages/search?q=us&conversation_id={}", None),
    ] {
        for token in [&outsider.token, &house.admin] {
            for (id, status, code) in [
                (talk.id.as_str(), 403, "FORBIDDEN"),
                (NOBODYS, 404, "NOT_FOUND"),
                ("7", 400, "VALIDATION_ERROR"),
            ] {
                let path = path.replace("{}", id);
                let body = body
                    .as_ref()
                    .map(|body| serde_json::from_str(&body.to_string().replace("{}", id)).unwrap());
                let body = house.api(method, &path, token, body).await;
                let body = body.failed(status, code);
                match status {
                    400 => assert_eq!(body["field"], "conversation_id", "{path}"),
                    404 => assert_eq!(body["details"]["conversation_id"], NOBODYS, "{path}"),
                    _ => {}
                }
            }
        }
    }
    let path = format!("/messages/conversations/{}", talk.id);
    house
        .ask("GET", &path, &[], None)
        .await
        .failed(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn an_archived_conversation_comes_back_with_a_message() {
    let house = House::open().await;
    let talk = house.talk().await;
    let put = async |what: &str| {
        let path = format!("/messages/conversations/{}/{what}", talk.id);
        house.api("PUT", &path, &talk.doctor.token, None).await
    };
    let data = put("archive").await.data(200);
    assert_eq!(
        (&data["is_active"], &data["conversation"]["is_active"]),
        (&json!(false), &json!(false))
    );
    assert!(house.listed(&talk.doctor).await.is_empty());
    assert_eq!(house.listed(&talk.patient).await.len(), 1);
    let path = "/messages/conversations?include_archived=true";
    let all = house.api("GET", path, &talk.doctor.token, None).await;
    assert_eq!(all.data(200)["conversations"][0]["is_active"], false);
    assert_eq!(put("unarchive/").await.data(200)["is_active"], true);
    assert_eq!(house.listed(&talk.doctor).await.len(), 1);
    put("archive").await.data(200);
    house.say(&talk, &talk.patient, "are you there?").await;
    assert_eq!(house.listed(&talk.doctor).await[0]["is_active"], true);
}

#[tokio::test]
async fn somebody_who_was_heard_of_just_now_is_online() {
    let house = House::open().await;
    let talk = house.talk().await;
    let is_online =
        async || house.listed(&talk.patient).await[0]["participant"]["is_online"].clone();
    let says = async |status: &str| {
        let body = json!({"status": status});
        let path = "/presence/update";
        let said = house.api("POST", path, &talk.doctor.token, Some(body));
        said.await.data(200);
    };
    assert_eq!(is_online().await, false);
    says("online").await;
    assert_eq!(is_online().await, true);
    says("offline").await;
    assert_eq!(is_online().await, false);
    says("do_not_disturb").await;
    house.clock.advance(std::time::Duration::from_secs(89));
    assert_eq!(is_online().await, true);
    house.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(is_online().await, false);
}

#[tokio::test]
async fn what_is_under_the_prefix_and_no_route_is_answered_in_the_same_shape() {
    let house = House::open().await;
    let token = &house.patient().await.token;
    for (method, path, status, code) in [
        ("GET", "/messages", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/messages/nowhere", 404, "NOT_FOUND"),
        ("GET", "/messages/1/mark-read/", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/messages/search", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/conversations/x", 404, "NOT_FOUND"),
    ] {
        let answer = house.api(method, path, token, None).await;
        answer.failed(status, code);
    }
    let options = house
        .api("OPTIONS", "/messages/conversations/", token, None)
        .await;
    assert_eq!(options.status, 204);
    assert_eq!(options.header("allow"), "GET, HEAD, POST, OPTIONS");
}
