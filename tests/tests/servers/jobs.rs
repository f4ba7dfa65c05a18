//! A job is done by one of the servers.

use std::collections::BTreeMap;

use telemed_tests::practice::until;
use telemed_tests::server::SharedDatabase;

use super::pair::Pair;

const BOOKINGS: usize = 60;

/// Every booking is notified once, whoever of the two does it.
pub async fn a_job_is_done_once(database: SharedDatabase) {
    let pair = Pair::open(database).await;
    let (clinic, doctor) = pair.one.clinic_and_doctor().await;
    let people = pair.one.crowd().await;
    let slot = pair.one.any_slot(&doctor, clinic, 64).await;
    let mut booked = Vec::new();
    for (number, person) in people.iter().take(BOOKINGS).enumerate() {
        booked.push(pair.of_turn(number).booked(person, slot).await);
    }
    until("every booking is notified", || async {
        let logs = pair.both().map(|visit| visit.practice.folder.log());
        let told = notices(&logs.map(|log| String::from_utf8_lossy(&log).into_owned()));
        let is_told = |id: &i64| {
            let about = format!("appointment={id}");
            told.keys().any(|notice| notice.contains(&about))
        };
        booked.iter().all(is_told)
    })
    .await;
    // A server that stops ends the job that it is at: after this nothing more is told.
    let told = notices(&pair.stop());
    let twice: Vec<_> = told.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// Each notification in the logs and how often it is there.
fn notices(logs: &[String; 2]) -> BTreeMap<Vec<String>, usize> {
    let mut told = BTreeMap::new();
    for line in logs.iter().flat_map(|log| log.lines()) {
        if line.contains("a notification is due") {
            let facts = ["kind=", "user=", "appointment="];
            let words = line.split(' ');
            let words = words.filter(|word| facts.iter().any(|fact| word.starts_with(fact)));
            let notice: Vec<_> = words.map(str::to_owned).collect();
            *told.entry(notice).or_default() += 1;
        }
    }
    told
}
