//! kill -9 in mid-traffic: what was acknowledged is there, and nothing took effect twice.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use telemed_tests::client::Client;
use telemed_tests::server::ServerFolder;
use telemed_tests::traffic::{Otherwise, Traffic};

const ROUNDS: usize = 6;
const PATIENTS: usize = 16;
/// More than the rounds can use up.
const SLOTS: usize = 400;

/// Holds the file to itself, and to how much was acknowledged.
fn check_database(folder: &ServerFolder, traffic: &Traffic) {
    let path = folder.database();
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let text = |sql: &str| -> String { database.query_row(sql, [], |row| row.get(0)).unwrap() };
    let count = |sql: &str| -> usize {
        let count: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let (booked, cancelled) = (traffic.booked(), traffic.cancelled());
    assert_eq!(count("SELECT count(*) FROM appointments"), booked);
    assert_eq!(
        count("SELECT count(*) FROM appointments WHERE status = 'cancelled'"),
        cancelled
    );
    // Each with its audit row, in the same transaction.
    for (action, expected) in [
        ("appointment.book", booked),
        ("appointment.cancel", cancelled),
    ] {
        let sql = format!("SELECT count(*) FROM audit_rows WHERE action = '{action}'");
        assert_eq!(count(&sql), expected, "{action}");
    }
    let wrong = "SELECT count(*) FROM slots WHERE booked_count <> (
        SELECT count(*) FROM appointments
        WHERE slot_id = slots.id AND status NOT IN ('rejected', 'cancelled'))";
    assert_eq!(count(wrong), 0, "seats that do not fit the appointments");
    let twice = "SELECT count(*) FROM (
        SELECT 1 FROM appointments GROUP BY patient_id, slot_id HAVING count(*) > 1)";
    assert_eq!(count(twice), 0, "booked twice");
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout)] // When the kills came is what one needs to know of a failure.
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let folder = ServerFolder::new();
    folder.create_administrator();
    let random = RandomState::new();
    let mut traffic = None;
    for round in 0..ROUNDS {
        let server = folder.start(&[], &[]);
        let clients = [Client::new(&server.base)];
        let traffic: &mut Traffic = match &mut traffic {
            Some(traffic) => traffic,
            none => none.insert(Traffic::settle(&clients[0], PATIENTS, SLOTS).await),
        };
        traffic.check(&clients).await;

        // From the middle of the first group commit to some hundred bookings.
        let kill_after = 5 + usize::try_from(random.hash_one(round) % 150).unwrap();
        let mut flow = traffic.flow(&clients, Duration::ZERO, Otherwise::End);
        flow.until_acknowledged(kill_after).await;
        server.kill();
        flow.ended(traffic).await;
        let (code, said) = folder.verify_audit();
        assert_eq!(
            code,
            Some(0),
            "round {round}, killed after {kill_after}: {said}"
        );
        let in_doubt = traffic.in_doubt();
        println!("round {round}: killed after {kill_after} acknowledgements, {in_doubt} in doubt");
    }
    let server = folder.start(&[], &[]);
    let mut traffic = traffic.unwrap();
    traffic.check(&[Client::new(&server.base)]).await;
    server.stop();
    check_database(&folder, &traffic);
    let (code, said) = folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");
}
