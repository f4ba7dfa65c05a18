//! Slots: made by a doctor or an administrator, searched by everybody, taken back.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use telemed_tests::client::{Answer, assert_utc, id_of};
use telemed_tests::practice::{Person, Visit, hour};

fn body(doctor: &Person, clinic: i64, at: &str) -> Value {
    json!({"doctor_id": doctor.id, "clinic_id": clinic, "slot_datetime": at})
}

/// The instant of a row's start.
fn start(slot: &Value) -> Timestamp {
    slot["slot_datetime"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_made_by_its_doctor_and_by_an_administrator() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let day = visit.new_day();
    let at = hour(day, 9).to_string();
    let mut request = body(&doctor, clinic, &at);
    request["duration_minutes"] = 45.into();
    request["capacity"] = 3.into();
    let slot = visit.of(&doctor).post("/slots", &request).await.expect(201);
    for (field, value) in [
        ("doctor_id", json!(doctor.id)),
        ("clinic_id", json!(clinic)),
        ("duration_minutes", json!(45)),
        ("capacity", json!(3)),
        ("booked_count", json!(0)),
        ("is_booked", json!(false)),
        ("available_slots", json!(3)),
        ("is_active", json!(true)),
    ] {
        assert_eq!(slot[field], value, "{field}");
    }
    assert_utc(&slot["slot_datetime"]);
    assert_eq!(start(&slot), hour(day, 9));
    assert_utc(&slot["created_at"]);
    assert_utc(&slot["updated_at"]);
    // Defaults, and ids as numeric strings.
    let request = json!({
        "doctor_id": doctor.id.to_string(),
        "clinic_id": clinic.to_string(),
        "slot_datetime": hour(day, 11).to_string(),
    });
    let slot = visit.admin.post("/slots", &request).await.expect(201);
    assert_eq!(slot["duration_minutes"], 30);
    assert_eq!(slot["capacity"], 1);
    assert_eq!(slot["doctor_id"], doctor.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_named_by_start_and_end_too() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let day = visit.new_day();
    let request = |start: i64, end: i64| {
        json!({
            "doctor_id": doctor.id,
            "clinic_id": clinic,
            "start_time": hour(day, start).to_string(),
            "end_time": hour(day, end).to_string(),
        })
    };
    let slot = visit
        .admin
        .post("/slots", &request(9, 10))
        .await
        .expect(201);
    assert_eq!(start(&slot), hour(day, 9));
    assert_eq!(slot["duration_minutes"], 60);
    // An end before its start is a broken rule, a length out of its range a wrong shape.
    let backwards = visit.admin.post("/slots", &request(12, 11)).await;
    backwards.refused(400, "VALIDATION_ERROR");
    let endless = visit.admin.post("/slots", &request(12, 20)).await;
    assert!([400, 422].contains(&endless.status), "{}", endless.text());
    endless.refused(endless.status, "VALIDATION_ERROR");
    assert_eq!(visit.open_slots(&doctor).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_slot_is_refused_with_its_field() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let at = hour(visit.new_day(), 9).to_string();
    for (field, value) in [
        ("doctor_id", json!("x")),
        ("doctor_id", json!(0)),
        ("doctor_id", json!(null)),
        ("clinic_id", json!(-4)),
        ("slot_datetime", json!("tomorrow")),
        ("slot_datetime", json!(1_700_000_000)),
        ("slot_datetime", json!("2090-02-30T10:00:00Z")),
        ("slot_datetime", json!("2090-01-01")),
        ("slot_datetime", json!(null)),
        ("duration_minutes", json!(4)),
        ("duration_minutes", json!(241)),
        ("duration_minutes", json!(-30)),
        ("duration_minutes", json!("half an hour")),
        ("duration_minutes", json!(30.5)),
        ("capacity", json!(0)),
        ("capacity", json!(101)),
        ("capacity", json!(i64::MIN)),
        ("capacity", json!(1e99)),
        ("capacity", json!(true)),
    ] {
        let mut request = body(&doctor, clinic, &at);
        request[field] = value.clone();
        let answer = visit.admin.post("/slots", &request).await;
        assert_eq!(answer.status, 422, "{field} {value}: {}", answer.text());
        answer.names(422, field);
    }
    for field in ["doctor_id", "clinic_id", "slot_datetime"] {
        let mut request = body(&doctor, clinic, &at);
        request.as_object_mut().unwrap().remove(field);
        let answer = visit.admin.post("/slots", &request).await;
        assert_eq!(answer.status, 422, "without {field}: {}", answer.text());
        answer.refused(422, "VALIDATION_ERROR");
    }
    // A start in the past is a broken rule.
    let past = body(&doctor, clinic, "2020-01-01T10:00:00Z");
    visit
        .admin
        .post("/slots", &past)
        .await
        .names(400, "slot_datetime");
    // Unknown doctor or clinic; a clinic that is not the doctor's.
    let mut request = body(&doctor, clinic, &at);
    request["doctor_id"] = 999_999_999.into();
    visit
        .admin
        .post("/slots", &request)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    let mut request = body(&doctor, clinic, &at);
    request["clinic_id"] = 999_999_999.into();
    visit
        .admin
        .post("/slots", &request)
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    let elsewhere = visit.clinic("UTC").await;
    let answer = visit
        .admin
        .post("/slots", &body(&doctor, elsewhere, &at))
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.names(400, "clinic_id");
    assert!(
        visit.open_slots(&doctor).await.is_empty(),
        "none of them made a slot"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendar_has_an_end() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    for at in [
        "9998-12-31T23:59:59.999999Z",
        "9998-12-31T23:40:00Z",
        "9999-06-01T00:00:00Z",
        "9999-12-31T23:59:59",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "+012026-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "-009999-01-02T02:00:00Z",
    ] {
        let answer = visit.admin.post("/slots", &body(&doctor, clinic, at)).await;
        assert!(
            [400, 422].contains(&answer.status),
            "{at}: {}",
            answer.text()
        );
        answer.names(answer.status, "slot_datetime");
        let path = format!("/slots?date_from={}&date_to={at}", at.replace('+', "%2B"));
        let answer = visit.anonymous.get(&path.replace("=+", "=%2B")).await;
        assert!(
            [200, 422].contains(&answer.status),
            "{path}: {}",
            answer.text()
        );
    }
    // A full slot before the end is one like any other.
    let last = body(&doctor, clinic, "9997-12-30T23:00:00Z");
    let slot = visit.admin.post("/slots", &last).await.expect(201);
    assert_eq!(slot["duration_minutes"], 30);
    let patient = visit.patient().await;
    let _ = visit.booked(&patient, id_of(&slot)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_has_one_slot_at_a_time() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let other = visit.doctor(clinic).await;
    let day = visit.new_day();
    let make = |doctor: &Person, minute: i64, length: i64| {
        let at = hour(day, 10) + SignedDuration::from_mins(minute);
        let mut request = body(doctor, clinic, &at.to_string());
        request["duration_minutes"] = length.into();
        let admin = visit.admin.clone();
        async move { admin.post("/slots", &request).await }
    };
    let first = make(&doctor, 0, 30).await.expect(201);
    for (minute, length) in [
        (0, 30),
        (0, 5),
        (15, 30),
        (-15, 30),
        (-60, 240),
        (29, 5),
        (10, 10),
    ] {
        make(&doctor, minute, length).await.refused(409, "CONFLICT");
    }
    // What only touches does not overlap; another doctor's time is his own.
    let _ = make(&doctor, 30, 30).await.expect(201);
    let _ = make(&doctor, -30, 30).await.expect(201);
    let _ = make(&other, 0, 30).await.expect(201);
    assert_eq!(visit.open_slots(&doctor).await.len(), 3);
    // A slot that was taken back leaves its time free.
    let _ = visit
        .admin
        .delete(&format!("/slots/{}", id_of(&first)))
        .await
        .expect(200);
    let _ = make(&doctor, 5, 20).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_read_in_the_clinics_zone() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("Asia/Kolkata").await;
    let doctor = visit.doctor(clinic).await;
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    for (form, is_local) in [
        ("%Y-%m-%dT%H:%M:%SZ", false),
        ("%Y-%m-%dT%H:%M:%S.000Z", false),
        ("%Y-%m-%dT%H:%M:%S+05:30", true),
        ("%Y-%m-%dT%H:%M:%S", true),
        ("%Y-%m-%dT%H:%M", true),
    ] {
        let at = hour(visit.new_day(), 9) + SignedDuration::from_mins(30);
        let shown = if is_local { &zone } else { &TimeZone::UTC };
        let text = at.to_zoned(shown.clone()).strftime(form).to_string();
        let slot = visit
            .admin
            .post("/slots", &body(&doctor, clinic, &text))
            .await
            .expect(201);
        assert_eq!(start(&slot), at, "{text}");
        assert_utc(&slot["slot_datetime"]);
    }
}

/// The instants that a text names.
fn instants(answer: &Answer) -> Vec<Timestamp> {
    let text = answer.json().to_string();
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "-+:.".contains(c)))
        .filter_map(|word| word.trim_end_matches(['.', ':']).parse().ok())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_time_that_is_skipped_or_doubled_is_refused_with_both_meanings() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("America/New_York").await;
    let doctor = visit.doctor(clinic).await;
    let zone = TimeZone::get("America/New_York").unwrap();
    let soon = Timestamp::now() + SignedDuration::from_hours(30 * 24);
    for transition in zone.following(soon).take(2) {
        // Half an hour past two o'clock in spring, past one in autumn.
        let goes_forward = transition.dst().is_dst();
        let after = transition.timestamp().to_zoned(zone.clone()).datetime();
        let local = if goes_forward {
            after.checked_sub(30.minutes()).unwrap()
        } else {
            after.checked_add(30.minutes()).unwrap()
        };
        let text = local.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let answer = visit
            .admin
            .post("/slots", &body(&doctor, clinic, &text))
            .await;
        assert_eq!(answer.status, 400, "{text}: {}", answer.text());
        answer.names(400, "slot_datetime");
        let named = instants(&answer);
        for offset in [-4, -5] {
            let meant = jiff::tz::Offset::constant(offset)
                .to_timestamp(local)
                .unwrap();
            assert!(named.contains(&meant), "{text}: {meant} in {named:?}");
        }
        // Said with its offset, it is a time like any other.
        let text = local.strftime("%Y-%m-%dT%H:%M:%S-05:00").to_string();
        let _ = visit
            .admin
            .post("/slots", &body(&doctor, clinic, &text))
            .await
            .expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_offers_what_can_be_booked_by_time() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let day = visit.new_day();
    let mut ids = Vec::new();
    for at in [15, 9, 12, 10] {
        ids.push((at, visit.slot(&doctor, clinic, hour(day, at), 2).await));
    }
    ids.sort_unstable();
    let ids: Vec<_> = ids.into_iter().map(|(_, id)| id).collect();
    let search = |query: String| {
        let path = format!("/slots?doctor_id={}{query}", doctor.id);
        let client = visit.anonymous.clone();
        async move {
            let answer = client.get(&path).await;
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            assert!(answer.header("etag").is_none());
            let (rows, total) = answer.list();
            (rows.iter().map(id_of).collect::<Vec<_>>(), total)
        }
    };
    assert_eq!(search(String::new()).await, (ids.clone(), 4));
    assert_eq!(
        search(format!("&clinic_id={clinic}")).await,
        (ids.clone(), 4)
    );
    assert_eq!(search("&clinic_id=999999999".to_owned()).await, (vec![], 0));
    assert_eq!(
        search("&skip=1&limit=2".to_owned()).await,
        (ids[1..3].to_vec(), 4)
    );
    let from = format!("&date_from={}", hour(day, 10));
    assert_eq!(search(from.clone()).await, (ids[1..].to_vec(), 3));
    let to = format!("&date_to={}", hour(day, 12));
    let (found, _) = search(to.clone()).await;
    assert_eq!(found, ids[..3].to_vec(), "until a time, that time included");
    assert_eq!(search(format!("{from}{to}")).await.0, ids[1..3].to_vec());
    // Times in queries may be naive, and an offset's plus is written as %2B.
    let naive = hour(day, 12).strftime("%Y-%m-%dT%H:%M").to_string();
    assert_eq!(
        search(format!("&date_from={naive}")).await.0,
        ids[2..].to_vec()
    );
    let shifted = (hour(day, 14))
        .strftime("%Y-%m-%dT%H:%M:%S%%2B02:00")
        .to_string();
    assert_eq!(
        search(format!("&date_from={shifted}")).await.0,
        ids[2..].to_vec()
    );

    // Full is not offered, taken back neither.
    for _ in 0..2 {
        let patient = visit.patient().await;
        let _ = visit.booked(&patient, ids[0]).await;
    }
    let _ = visit
        .admin
        .delete(&format!("/slots/{}", ids[3]))
        .await
        .expect(200);
    assert_eq!(search(String::new()).await, (ids[1..3].to_vec(), 2));
    let patient = visit.patient().await;
    let _ = visit.booked(&patient, ids[1]).await;
    let row = visit.open_slots(&doctor).await.remove(0);
    assert_eq!(row["booked_count"], 1);
    assert_eq!(row["available_slots"], 1);
    assert_eq!(row["is_booked"], false);

    for (query, field) in [
        ("doctor_id=x", "doctor_id"),
        ("clinic_id=-1", "clinic_id"),
        ("date_from=soon", "date_from"),
        ("date_to=2030-13-01T00:00:00Z", "date_to"),
        ("skip=-1", "skip"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
    ] {
        visit
            .anonymous
            .get(&format!("/slots?{query}"))
            .await
            .names(422, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn naive_times_of_a_search_are_in_the_zone_of_the_doctor_or_clinic_that_it_names() {
    let visit = Visit::shared().await;
    let clinic = visit.clinic("Asia/Tokyo").await;
    let doctor = visit.doctor(clinic).await;
    let at = hour(visit.new_day(), 3);
    let slot = visit.slot(&doctor, clinic, at, 1).await;
    let zone = TimeZone::get("Asia/Tokyo").unwrap();
    let local = |minutes: i64| {
        let at = at + SignedDuration::from_mins(minutes);
        at.to_zoned(zone.clone())
            .strftime("%Y-%m-%dT%H:%M:%S")
            .to_string()
    };
    for who in [
        format!("doctor_id={}", doctor.id),
        format!("clinic_id={clinic}"),
    ] {
        let path = format!("/slots?{who}&date_from={}&date_to={}", local(-1), local(1));
        let (rows, _) = visit.anonymous.get(&path).await.list();
        assert_eq!(rows.iter().map(id_of).collect::<Vec<_>>(), [slot], "{path}");
        let path = format!("/slots?{who}&date_from={}", local(1));
        assert!(
            visit.anonymous.get(&path).await.list().0.is_empty(),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_taken_back_unless_it_has_live_bookings() {
    let visit = Visit::shared().await;
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 2).await;
    let path = format!("/slots/{slot}");
    let appointment = visit.booked(&patient, slot).await;
    for client in [visit.of(&doctor), visit.admin.clone()] {
        client.delete(&path).await.refused(409, "CONFLICT");
    }
    assert_eq!(visit.open_slots(&doctor).await.len(), 1);
    let _ = visit.of(&patient).cancel(appointment).await.expect(200);
    let body = visit.of(&doctor).delete(&path).await.expect(200);
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty()),
        "{body}"
    );
    assert!(visit.open_slots(&doctor).await.is_empty());
    visit
        .of(&patient)
        .book(slot)
        .await
        .refused(409, "SLOT_UNAVAILABLE");
    visit
        .admin
        .delete("/slots/999999999")
        .await
        .refused(404, "RESOURCE_NOT_FOUND");
    // The appointment is still there to be read.
    let read = visit
        .of(&patient)
        .get(&format!("/appointments/{appointment}"))
        .await;
    assert_eq!(read.expect(200)["slot_id"], slot);
}
