//! kill -9 in mid-traffic: what was acknowledged is there, and nothing took effect twice.

use rusqlite::{Connection, OpenFlags};
use telemed_tests::server::ServerFolder;
use telemed_tests::traffic::{Traffic, killed_in_mid_traffic};

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
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let folder = ServerFolder::new();
    let traffic = killed_in_mid_traffic(&folder).await;
    check_database(&folder, &traffic);
}
