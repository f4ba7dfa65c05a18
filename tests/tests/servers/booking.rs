//! Bookings and their keys, over two servers.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use telemed_tests::client::id_of;
use telemed_tests::practice::CROWD;
use telemed_tests::server::SharedDatabase;
use telemed_tests::together;

use super::pair::Pair;

/// Callers that send the same command at the same time.
const SAME: usize = 16;

/// 64 clients, half of them at each server, buy exactly the seats of a slot.
pub async fn the_capacity_is_sold_exactly(database: SharedDatabase) {
    let pair = Arc::new(Pair::open(database).await);
    let (clinic, doctor) = pair.one.clinic_and_doctor().await;
    let people = Arc::new(pair.one.crowd().await);
    for seats in [1_usize, 3, 10, 63] {
        let capacity = i64::try_from(seats).unwrap();
        let slot = pair.one.any_slot(&doctor, clinic, capacity).await;
        let answers = together(CROWD, |number| {
            let (pair, people) = (Arc::clone(&pair), Arc::clone(&people));
            async move {
                let client = pair.of_turn(number).of(&people[number]);
                client.book(slot).await
            }
        })
        .await;
        let mut ids = Vec::new();
        for answer in &answers {
            if answer.status == 201 {
                ids.push(id_of(&answer.json()));
            } else {
                answer.refused(409, "SLOT_UNAVAILABLE");
            }
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), seats, "of a capacity of {seats}");
        for visit in pair.both() {
            let taken = visit.seats_taken(&doctor, slot, capacity).await;
            assert_eq!(taken, capacity);
            for id in &ids {
                let shown = visit.admin.get(&format!("/appointments/{id}")).await;
                assert_eq!(shown.expect(200)["slot_id"], slot);
            }
        }
        // A seat that is given back at one server can be had at the other.
        let cancelled = pair.two.admin.cancel(ids[0]).await;
        let _ = cancelled.expect(200);
        let loser = (0..CROWD).find(|number| answers[*number].status != 201);
        let client = pair.one.of(&people[loser.expect("somebody was too late")]);
        let _ = client.book(slot).await.expect(201);
    }
}

/// A command that was done at one server is known at the other.
pub async fn a_key_is_known_everywhere(database: SharedDatabase) {
    let pair = Arc::new(Pair::open(database).await);
    let (clinic, doctor) = pair.one.clinic_and_doctor().await;
    let patient = pair.one.patient().await;
    let slots = [
        pair.one.any_slot(&doctor, clinic, 1).await,
        pair.one.any_slot(&doctor, clinic, 1).await,
    ];
    let send = |visit: &telemed_tests::practice::Visit, key: &str, slot: i64| {
        let client = visit.of(&patient);
        let request = client.request(Method::POST, "/appointments/book");
        request.key(key).json(&json!({"slot_id": slot})).send()
    };
    let first = send(&pair.one, "first", slots[0]).await.expect(201);
    for visit in pair.both() {
        let again = send(visit, "first", slots[0]).await.expect(201);
        assert_eq!(id_of(&again), id_of(&first));
        let other = send(visit, "first", slots[1]).await;
        assert_eq!(other.status, 422, "{}", other.text());
    }

    // At the same time, over both: one effect, and everybody is told of it.
    let slot = slots[1];
    let client = |number: usize| pair.of_turn(number).of(&patient);
    let answers = together(SAME, |number| {
        let client = client(number);
        async move {
            let request = client.request(Method::POST, "/appointments/book");
            let request = request.key("second").json(&json!({"slot_id": slot}));
            request.send().await
        }
    })
    .await;
    let mut ids: Vec<_> = answers
        .iter()
        .map(|answer| id_of(&answer.expect(201)))
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(pair.two.appointments_of(&patient).await.len(), 2);
}
