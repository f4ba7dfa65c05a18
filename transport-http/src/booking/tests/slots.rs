//! `/slots`.

use super::*;

#[tokio::test]
async fn a_slot_is_offered_and_found() {
    let house = House::open().await;
    let practice = house.practice().await;
    let body = json!({
        "doctor_id": practice.doctor.id.to_string(), "clinic_id": practice.clinic,
        "slot_datetime": "2030-01-08T10:00:00Z", "duration_minutes": 45, "capacity": 3,
    });
    let slot = house
        .post("/slots", &practice.doctor.token, body)
        .await
        .expect(201);
    assert_eq!(slot["slot_datetime"], "2030-01-08T10:00:00Z");
    assert_eq!(slot["duration_minutes"], 45);
    assert_eq!(slot["capacity"], 3);
    assert_eq!(slot["booked_count"], 0);
    assert_eq!(slot["available_slots"], 3);
    assert_eq!(slot["is_booked"], false);
    assert_eq!(slot["is_active"], true);

    let found = house.get("/slots", None).await;
    assert_eq!(found.expect(200), json!([slot]));
    assert_eq!(found.header("x-total-count"), "1");
    assert_eq!(found.header("cache-control"), "no-store");
    assert_eq!(found.header("etag"), "");
}

#[tokio::test]
async fn a_slot_may_be_said_by_its_ends() {
    let house = House::open().await;
    let practice = house.practice().await;
    let with = |start: &str, end: &str| {
        json!({"doctor_id": practice.doctor.id, "clinic_id": practice.clinic,
               "start_time": start, "end_time": end})
    };
    let token = &practice.doctor.token;
    let slot = house
        .post(
            "/slots",
            token,
            with("2030-01-08T10:00", "2030-01-08T10:20:00"),
        )
        .await;
    assert_eq!(slot.expect(201)["duration_minutes"], 20);
    for (start, end, status, field) in [
        ("2030-01-09T10:00Z", "2030-01-09T10:00Z", 400, "end_time"),
        ("2030-01-09T10:00Z", "2030-01-09T09:00Z", 400, "end_time"),
        ("2030-01-09T10:00Z", "2030-01-09T10:01Z", 422, "end_time"),
        ("2030-01-09T10:00Z", "2030-01-10T10:01Z", 422, "end_time"),
        ("2030-01-09T10:00Z", "2030-01-09T10:20:30Z", 422, "end_time"),
        ("2029-01-09T10:00Z", "2029-01-09T10:20Z", 400, "start_time"),
        ("tomorrow", "2030-01-09T10:20Z", 422, "start_time"),
    ] {
        let answer = house.post("/slots", token, with(start, end)).await;
        assert_eq!(
            answer.refused(status, "VALIDATION_ERROR"),
            [field],
            "{start} {end}"
        );
    }
}

#[tokio::test]
async fn slots_keep_the_rules() {
    let house = House::open().await;
    let practice = house.practice().await;
    let other_clinic = house.clinic("UTC").await;
    let with = |changes: Value| {
        let mut body = json!({"doctor_id": practice.doctor.id, "clinic_id": practice.clinic,
                              "slot_datetime": "2030-01-08T10:00:00Z"});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (changes, status, code, field) in [
        (json!({"doctor_id": 999}), 404, "RESOURCE_NOT_FOUND", None),
        (json!({"clinic_id": 999}), 404, "RESOURCE_NOT_FOUND", None),
        (
            json!({"clinic_id": other_clinic}),
            400,
            "VALIDATION_ERROR",
            Some("clinic_id"),
        ),
        (
            json!({"slot_datetime": NOW}),
            400,
            "VALIDATION_ERROR",
            Some("slot_datetime"),
        ),
        (
            json!({"slot_datetime": "soon"}),
            422,
            "VALIDATION_ERROR",
            Some("slot_datetime"),
        ),
        (
            json!({"slot_datetime": null}),
            422,
            "VALIDATION_ERROR",
            Some("slot_datetime"),
        ),
        (
            json!({"slot_datetime": 5}),
            422,
            "VALIDATION_ERROR",
            Some("slot_datetime"),
        ),
        (
            json!({"duration_minutes": 4}),
            422,
            "VALIDATION_ERROR",
            Some("duration_minutes"),
        ),
        (
            json!({"duration_minutes": 241}),
            422,
            "VALIDATION_ERROR",
            Some("duration_minutes"),
        ),
        (
            json!({"capacity": 0}),
            422,
            "VALIDATION_ERROR",
            Some("capacity"),
        ),
        (
            json!({"capacity": 101}),
            422,
            "VALIDATION_ERROR",
            Some("capacity"),
        ),
        (
            json!({"capacity": 9_223_372_036_854_775_807_i64}),
            422,
            "VALIDATION_ERROR",
            Some("capacity"),
        ),
    ] {
        let answer = house
            .post("/slots", &house.admin, with(changes.clone()))
            .await;
        assert_eq!(
            answer.refused(status, code),
            Vec::from_iter(field),
            "{changes}"
        );
    }
    house
        .post("/slots", &house.admin, with(json!({})))
        .await
        .expect(201);
    let overlapping = with(json!({"slot_datetime": "2030-01-08T10:29:00Z"}));
    house
        .post("/slots", &house.admin, overlapping)
        .await
        .refused(409, "CONFLICT");
    let touching = with(json!({"slot_datetime": "2030-01-08T10:30:00Z"}));
    house
        .post("/slots", &house.admin, touching)
        .await
        .expect(201);
}

#[tokio::test]
async fn only_the_doctor_and_administrators_offer_slots() {
    let house = House::open().await;
    let practice = house.practice().await;
    let other = house.practice().await.doctor;
    let patient = house.patient().await;
    let unverified = house.person("doctor").await;
    let body = json!({"doctor_id": practice.doctor.id, "clinic_id": practice.clinic,
                      "slot_datetime": "2030-01-08T10:00:00Z"});
    for token in [&other.token, &patient.token, &unverified.token] {
        let answer = house.post("/slots", token, body.clone()).await;
        answer.refused(403, "AUTHORIZATION_ERROR");
    }
    let answer = house.call("POST", "/slots", None, &[], Some(&body)).await;
    answer.refused(401, "AUTHENTICATION_ERROR");
}

#[tokio::test]
async fn naive_times_are_the_clinics() {
    let house = House::open().await;
    let practice = house.practice_with("Africa/Cairo", 10).await;
    let id = house.slot(&practice, "2030-01-08T10:00", 1).await;
    let (clinic, doctor) = (practice.clinic, practice.doctor.id);
    let ids = async |query: String| -> Vec<i64> {
        let list = house
            .get(&format!("/slots?{query}"), None)
            .await
            .expect(200);
        list.as_array()
            .unwrap()
            .iter()
            .map(|slot| slot["id"].as_i64().unwrap())
            .collect()
    };
    let all = house.get("/slots", None).await.expect(200);
    assert_eq!(all[0]["slot_datetime"], "2030-01-08T08:00:00Z");
    for of in [format!("clinic_id={clinic}"), format!("doctor_id={doctor}")] {
        assert_eq!(
            ids(format!(
                "{of}&date_from=2030-01-08T10:00&date_to=2030-01-08T10:00"
            ))
            .await,
            [id]
        );
        assert_eq!(
            ids(format!("{of}&date_from=2030-01-08T10:01")).await,
            Vec::<i64>::new()
        );
        assert_eq!(
            ids(format!("{of}&date_from=2030-01-08&date_to=2030-01-08")).await,
            [id]
        );
    }
    assert_eq!(
        ids("date_from=2030-01-08T08:00Z&date_to=2030-01-08T08:00Z".into()).await,
        [id]
    );
    assert_eq!(
        ids("date_from=2030-01-08T10:00:00+02:00".into()).await,
        [id]
    );
    assert_eq!(
        ids("date_from=2030-01-08T10:00:01%2B02:00".into()).await,
        Vec::<i64>::new()
    );
    let answer = house.get("/slots?date_from=yesterday", None).await;
    assert_eq!(answer.refused(422, "VALIDATION_ERROR"), ["date_from"]);
}

#[tokio::test]
async fn a_local_time_that_is_none_or_two_names_both_candidates() {
    let house = House::open().await;
    let practice = house.practice_with("Europe/Berlin", 10).await;
    for at in ["2030-03-31T02:30:00", "2030-10-27T02:30:00"] {
        let body = json!({"doctor_id": practice.doctor.id, "clinic_id": practice.clinic, "slot_datetime": at});
        let answer = house.post("/slots", &practice.doctor.token, body).await;
        assert_eq!(answer.refused(400, "VALIDATION_ERROR"), ["slot_datetime"]);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail.matches("30:00Z").count(), 2, "{detail}");
    }
}

#[tokio::test]
async fn a_slot_is_taken_back_unless_it_is_booked() {
    let house = House::open().await;
    let practice = house.practice().await;
    let patient = house.patient().await;
    let stranger = house.practice().await.doctor;
    let slot = house.slot(&practice, "2030-01-08T10:00:00Z", 1).await;
    let path = format!("/slots/{slot}");
    let delete = async |token: &str| house.call("DELETE", &path, Some(token), &[], None).await;
    delete(&patient.token)
        .await
        .refused(403, "AUTHORIZATION_ERROR");
    delete(&stranger.token)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");

    let appointment = house.booked(&patient, slot).await;
    delete(&practice.doctor.token)
        .await
        .refused(409, "CONFLICT");
    let reason = json!({"cancelled_reason": "away"});
    house
        .post(
            &format!("/appointments/{appointment}/cancel"),
            &patient.token,
            reason,
        )
        .await
        .expect(200);
    let answer = delete(&practice.doctor.token).await.expect(200);
    assert_eq!(answer, json!({"message": "Slot deleted successfully"}));
    assert_eq!(house.get("/slots", None).await.expect(200), json!([]));
    house
        .book(&patient, slot)
        .await
        .refused(409, "SLOT_UNAVAILABLE");
    let unknown = house
        .call("DELETE", "/slots/999", Some(&house.admin), &[], None)
        .await;
    unknown.refused(404, "RESOURCE_NOT_FOUND");
}
