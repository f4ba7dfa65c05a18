//! kill -9 of one of two servers in mid-traffic.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use telemed_tests::client::Client;
use telemed_tests::invariants;
use telemed_tests::server::{ServerFolder, SharedDatabase};
use telemed_tests::traffic::{Otherwise, Traffic, killed_in_mid_traffic};

use super::database::{count, whole};

const ROUNDS: usize = 4;
const PATIENTS: usize = 16;
/// More than the rounds can use up.
const SLOTS: usize = 300;

/// Every acknowledged command is there once, and the other server goes on.
#[allow(clippy::print_stdout)] // When the kills came is what one needs to know of a failure.
pub async fn the_other_goes_on(database: SharedDatabase) {
    let folders = [(); 2].map(|()| ServerFolder::of(&database));
    folders[0].create_administrator();
    let mut staying = folders[0].start(&[], &[]);
    let mut killed = folders[1].start(&[], &[]);
    let random = RandomState::new();
    let mut traffic = Traffic::settle(&Client::new(&staying.base), PATIENTS, SLOTS).await;
    for round in 0..ROUNDS {
        let clients = [&staying, &killed].map(|server| Client::new(&server.base));
        let kill_after = 5 + usize::try_from(random.hash_one(round) % 150).unwrap();
        let mut flow = traffic.flow(&clients, Duration::ZERO, Otherwise::GoOn);
        flow.until_acknowledged(kill_after).await;
        killed.kill();
        let by_then = flow.acknowledged();
        flow.until_acknowledged(by_then + 100).await;
        let (unanswered, later) = flow.failed();
        flow.stop(&mut traffic).await;
        println!(
            "round {round}: killed after {kill_after} acknowledgements; {unanswered} commands \
             had no answer then, {later} were told to come back"
        );
        let [there, _] = clients;
        traffic.check(&[there]).await;
        // Next time the other one goes.
        killed = std::mem::replace(&mut staying, folders[(round + 1) % 2].start(&[], &[]));
        let clients = [&staying, &killed].map(|server| Client::new(&server.base));
        traffic.check(&clients).await;
    }
    for server in [staying, killed] {
        server.stop();
    }
    for folder in &folders {
        let (code, said) = folder.verify_audit();
        assert_eq!(code, Some(0), "{said}");
    }
    check(&database, &traffic).await;
}

/// The same with a server that is alone: nothing that was acknowledged is lost, and nothing happens
/// twice.
pub async fn alone_it_loses_nothing(database: SharedDatabase) {
    let traffic = killed_in_mid_traffic(&ServerFolder::of(&database)).await;
    check(&database, &traffic).await;
}

/// Holds the database to itself, and to how much was acknowledged.
async fn check(database: &SharedDatabase, traffic: &Traffic) {
    let (booked, cancelled) = (traffic.booked(), traffic.cancelled());
    let all = count(database, "SELECT count(*) FROM appointments");
    assert_eq!(all.await, booked);
    for (action, expected) in [
        ("appointment.book", booked),
        ("appointment.cancel", cancelled),
    ] {
        let sql = format!("SELECT count(*) FROM audit_rows WHERE action = '{action}'");
        assert_eq!(count(database, &sql).await, expected, "{action}");
    }
    invariants::check(&whole(database).await);
}
