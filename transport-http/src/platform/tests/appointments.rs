//! Appointments by date.

use super::*;

#[tokio::test]
async fn a_booking_by_date_is_the_same_on_both_surfaces() {
    let house = House::open().await;
    let practice = house.with_hours("Africa/Cairo").await;
    let patient = house.patient().await;
    let visit = house
        .visited(&patient, &practice, &format!("{DAY}T09:00"))
        .await;
    assert_eq!(visit["appointment_date"], format!("{DAY}T07:00:00Z"));
    assert_eq!(visit["end"], format!("{DAY}T07:30:00Z"));
    assert_eq!(visit["time_zone"], "Africa/Cairo");
    assert_eq!(visit["status"], "scheduled");
    assert_eq!(visit["appointment_type"], "audio");
    assert_eq!(visit["symptoms"], "a cough");
    assert_eq!(visit["patient_id"], patient.id);
    assert_eq!(visit["patient_name"], "A patient");
    assert_eq!(visit["doctor_name"], "A doctor");
    assert_eq!(visit["doctor_specialty"], "Cardiology");
    let id = visit["id"].as_i64().unwrap();
    let there = house
        .get(&format!("/appointments/{id}"), Some(&patient.token))
        .await
        .expect(200);
    assert_eq!(there["status"], "pending");
    assert_eq!(there["slot_id"], visit["slot_id"]);

    // And the other way round.
    let slots = house
        .get(&format!("/slots?doctor_id={}", practice.doctor.id), None)
        .await
        .expect(200);
    let slot = slots.as_array().unwrap().last().unwrap()["id"]
        .as_i64()
        .unwrap();
    let other = house.patient().await;
    let booked = house.booked(&other, slot).await;
    let here = house
        .api(
            "GET",
            &format!("/appointments/{booked}"),
            &other.token,
            None,
        )
        .await
        .data(200);
    assert_eq!(here["appointment"]["id"], booked);
    assert_eq!(here["appointment"]["appointment_type"], "video");
    assert_eq!(here["appointment"]["status"], "scheduled");
    let command = format!("/appointments/{booked}/confirm");
    house
        .command(&command, &practice.doctor.token)
        .await
        .expect(200);
    let here = house
        .api(
            "GET",
            &format!("/appointments/{booked}"),
            &other.token,
            None,
        )
        .await
        .data(200);
    assert_eq!(here["appointment"]["status"], "confirmed");
}

#[tokio::test]
async fn every_way_to_write_a_time_books_the_right_slot() {
    let house = House::open().await;
    let practice = house.with_hours("Europe/Berlin").await;
    for (written, begins) in [
        ("2030-01-09T09:00", "2030-01-09T08:00:00Z"),
        ("2030-01-09 09:30:00", "2030-01-09T08:30:00Z"),
        ("2030-01-09T09:00:00Z", "2030-01-09T09:00:00Z"),
        ("2030-01-09T09:30Z", "2030-01-09T09:30:00Z"),
        ("2030-01-09T12:00:00.000+02:00", "2030-01-09T10:00:00Z"),
        // Nearly sixty days ahead.
        ("2030-03-04T09:00", "2030-03-04T08:00:00Z"),
    ] {
        let patient = house.patient().await;
        let visit = house.visited(&patient, &practice, written).await;
        assert_eq!(visit["appointment_date"], begins, "{written}");
    }
}

#[tokio::test]
async fn hours_stay_wall_clock_hours_and_what_no_clock_shows_is_refused() {
    let mut house = House::open().await;
    // Clocks go forward in Berlin on 31 March 2030, and back on 27 October.
    house.advance(24 * 60);
    house.admin = house.login("admin@example.org").await;
    let practice = house.with_hours("Europe/Berlin").await;
    house.set_hours(&practice, "00:00", "12:00").await;
    let patient = house.sign_in(&house.patient().await.email).await.data(200);
    let token = patient["access_token"].as_str().unwrap();
    let book = async |date: &str| {
        let body = json!({"doctor_id": practice.doctor.id, "appointment_date": date});
        house.api("POST", "/appointments", token, Some(body)).await
    };
    for (date, begins) in [
        ("2030-03-30T09:00", "2030-03-30T08:00:00Z"),
        ("2030-03-31T09:00", "2030-03-31T07:00:00Z"),
    ] {
        assert_eq!(
            book(date).await.data(201)["appointment"]["appointment_date"],
            begins
        );
    }
    let gap = book("2030-03-31T02:30")
        .await
        .failed(400, "VALIDATION_ERROR");
    assert_eq!(gap["field"], "appointment_date");
    let message = gap["message"].as_str().unwrap();
    assert!(
        message.contains("2030-03-31T01:30:00Z") && message.contains("2030-03-31T00:30:00Z"),
        "{message}"
    );
    let fold = book("2030-10-27T02:30")
        .await
        .failed(400, "VALIDATION_ERROR");
    let message = fold["message"].as_str().unwrap();
    assert!(
        message.contains("2030-10-27T00:30:00Z") && message.contains("2030-10-27T01:30:00Z"),
        "{message}"
    );
}

#[tokio::test]
async fn what_cannot_be_booked_says_why() {
    let house = House::open().await;
    let practice = house.with_hours("UTC").await;
    let (one, two) = (house.patient().await, house.patient().await);
    let date = format!("{DAY}T09:00");
    house.visited(&one, &practice, &date).await;
    let text = |answer: Answer| {
        answer.failed(409, "CONFLICT")["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(text(house.visit(&two, &practice, &date).await).contains("already booked"));
    assert!(text(house.visit(&one, &practice, &date).await).contains("already booked"));
    let body = json!({"date": DAY, "start_time": "10:00", "end_time": "11:00"});
    house
        .api(
            "POST",
            "/availability/block-time",
            &practice.doctor.token,
            Some(body),
        )
        .await
        .data(200);
    assert!(text(house.visit(&two, &practice, &format!("{DAY}T10:00")).await).contains("blocked"));

    let field = |answer: Answer| answer.failed(400, "VALIDATION_ERROR")["field"].clone();
    for date in [
        format!("{DAY}T09:10"),
        format!("{DAY}T08:00"),
        "2020-01-01T09:00".into(),
        "soon".into(),
    ] {
        let answer = house.visit(&two, &practice, &date).await;
        assert_eq!(field(answer), "appointment_date", "{date}");
    }
    let book = async |token: &str, body: Value| {
        house.api("POST", "/appointments", token, Some(body)).await
    };
    let unknown = book(
        &two.token,
        json!({"doctor_id": 999, "appointment_date": date}),
    )
    .await;
    let unknown = unknown.failed(400, "VALIDATION_ERROR");
    assert_eq!(
        (&unknown["field"], &unknown["message"]),
        (&json!("doctor_id"), &json!("Doctor not found"))
    );
    assert_eq!(field(book(&two.token, json!({})).await), "doctor_id");
    assert_eq!(
        field(book(&two.token, json!({"doctor_id": practice.doctor.id})).await),
        "appointment_date"
    );
    let body = json!({"doctor_id": practice.doctor.id, "appointment_date": format!("{DAY}T09:30"),
        "appointment_type": "telepathy"});
    assert_eq!(field(book(&two.token, body).await), "appointment_type");
    book(&two.token, json!({"slot_id": 999}))
        .await
        .failed(404, "NOT_FOUND");
    let body = json!({"doctor_id": practice.doctor.id, "appointment_date": format!("{DAY}T09:30"),
        "patient_id": one.id});
    book(&two.token, body.clone())
        .await
        .failed(403, "FORBIDDEN");
    book(&practice.doctor.token, body.clone())
        .await
        .failed(403, "FORBIDDEN");
    // An administrator books for him.
    let visit = book(&house.admin, body).await.data(201);
    assert_eq!(visit["appointment"]["patient_id"], one.id);
    // A slot by its id, with a doctor that is not its own.
    let slot = visit["appointment"]["slot_id"].clone();
    let other = house.practice().await;
    let answer = book(
        &two.token,
        json!({"slot_id": slot, "doctor_id": other.doctor.id}),
    )
    .await;
    answer.failed(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_keyed_booking_takes_effect_once() {
    let house = House::open().await;
    let practice = house.with_hours("UTC").await;
    let patient = house.patient().await;
    let bearer = format!("Bearer {}", patient.token);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let body = json!({"doctor_id": practice.doctor.id, "appointment_date": format!("{DAY}T09:00")});
    let one = house
        .ask("POST", "/appointments", &headers, Some(&body))
        .await
        .data(201);
    let two = house
        .ask("POST", "/appointments", &headers, Some(&body))
        .await
        .data(201);
    assert_eq!(one, two);
    let body = json!({"doctor_id": practice.doctor.id, "appointment_date": format!("{DAY}T09:30")});
    let other = house
        .ask("POST", "/appointments", &headers, Some(&body))
        .await;
    other.failed(422, "IDEMPOTENCY_MISMATCH");
}

#[tokio::test]
async fn both_parties_list_their_own() {
    let house = House::open().await;
    let practice = house.with_hours("Africa/Cairo").await;
    let (one, two) = (house.patient().await, house.patient().await);
    let mut ids = Vec::new();
    for time in ["09:00", "09:30", "10:00"] {
        let visit = house
            .visited(&one, &practice, &format!("{DAY}T{time}"))
            .await;
        ids.push(visit["id"].as_i64().unwrap());
    }
    house.visited(&two, &practice, "2030-01-10T09:00").await;
    let list = async |token: &str, query: &str| {
        let answer = house
            .api("GET", &format!("/appointments{query}"), token, None)
            .await;
        let data = answer.data(200);
        let found: Vec<_> = data["appointments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_i64().unwrap())
            .collect();
        (found, answer.json()["meta"].clone())
    };
    let (own, meta) = list(&one.token, "").await;
    assert_eq!(own.len(), 3);
    assert_eq!(
        (&meta["total"], &meta["per_page"]),
        (&json!(3), &json!(500))
    );
    let (page, meta) = list(&one.token, "?page=2&per_page=2").await;
    assert_eq!((page.len(), &meta["has_prev"]), (1, &json!(true)));
    assert_eq!(list(&one.token, "?page=1").await.1["per_page"], 10);
    assert_eq!(list(&practice.doctor.token, "").await.0.len(), 4);
    let query = format!("?patient_id={}", one.id);
    assert_eq!(list(&practice.doctor.token, &query).await.0.len(), 3);
    assert_eq!(list(&house.admin, &query).await.0.len(), 3);
    assert_eq!(list(&one.token, "?status=scheduled").await.0.len(), 3);
    assert_eq!(list(&one.token, "?status=confirmed").await.0.len(), 0);
    assert_eq!(
        list(&practice.doctor.token, &format!("?from={DAY}&to={DAY}"))
            .await
            .0
            .len(),
        3
    );
    // Nine in Cairo is seven in the world.
    assert_eq!(
        list(&practice.doctor.token, &format!("?to={DAY}T09:00"))
            .await
            .0,
        [ids[0]]
    );
    assert_eq!(
        list(&one.token, &format!("?to={DAY}T07:00Z")).await.0,
        [ids[0]]
    );
    house
        .ask("GET", "/appointments", &[], None)
        .await
        .failed(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn strangers_do_not_see_that_it_exists() {
    let house = House::open().await;
    let (practice, other) = (house.with_hours("UTC").await, house.practice().await);
    let (one, two) = (house.patient().await, house.patient().await);
    let id = house
        .visited(&one, &practice, &format!("{DAY}T09:00"))
        .await["id"]
        .as_i64()
        .unwrap();
    let path = format!("/appointments/{id}");
    for stranger in [&two.token, &other.doctor.token] {
        for (method, path, body) in [
            ("GET", path.clone(), None),
            ("PUT", path.clone(), Some(json!({"notes": "x"}))),
            ("DELETE", path.clone(), None),
            ("PUT", format!("{path}/cancel"), Some(json!({}))),
            (
                "PUT",
                format!("{path}/reschedule"),
                Some(json!({"appointment_date": format!("{DAY}T10:00")})),
            ),
        ] {
            let answer = house.api(method, &path, stranger, body).await;
            let body = answer.failed(404, "APPOINTMENT_NOT_FOUND");
            assert_eq!(body["details"]["appointment_id"], id);
        }
    }
    for token in [&one.token, &practice.doctor.token, &house.admin] {
        house.api("GET", &path, token, None).await.data(200);
    }
}
