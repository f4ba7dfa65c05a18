//! Tampering with the audit trail, by somebody who can write to the database.

use rusqlite::Connection;
use serde_json::json;
use telemed_tests::practice::{Practice, Visit};

/// A way to tamper: what it is called, and its statements.
type Deed = (&'static str, &'static str);

/// Each is done to an intact trail whose rows are sealed.
const DEEDS: &[Deed] = &[
    (
        "the time of a row",
        "UPDATE audit_rows SET at = at + 1 WHERE number = 3",
    ),
    (
        "the actor of a row",
        "UPDATE audit_rows SET actor_id = coalesce(actor_id, 0) + 1 WHERE number = 5",
    ),
    (
        "one letter of an action",
        "UPDATE audit_rows SET action = substr(action, 1, length(action) - 1) || 'z' WHERE number = 4",
    ),
    (
        "the resource of a row",
        "UPDATE audit_rows SET resource = upper(resource) WHERE number = 4",
    ),
    (
        "the subject of a row",
        "UPDATE audit_rows SET subject = subject || '0' WHERE number = 4",
    ),
    (
        "a zero before an id",
        "UPDATE audit_rows SET subject = '0' || subject WHERE number = 4",
    ),
    (
        "an actor for a row without",
        "UPDATE audit_rows SET actor_id = 1 WHERE number = 1",
    ),
    (
        "the same data in another order",
        "UPDATE audit_rows SET data = '{\"role\":\"admin\",' || substr(data, 2)
         WHERE number = (SELECT max(number) FROM audit_rows WHERE data LIKE '{\"role\":%')",
    ),
    (
        "one byte of the data of a row",
        "UPDATE audit_rows SET data = data || ' ' WHERE number = 4",
    ),
    (
        "one byte of the newest row",
        "UPDATE audit_rows SET subject = subject || '0'
         WHERE number = (SELECT max(number) FROM audit_rows)",
    ),
    (
        "one byte of a hash",
        "UPDATE audit_rows SET hash = CAST(substr(hash, 1, 31)
             || CASE substr(hash, 32) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)
         WHERE number = 4",
    ),
    (
        "one byte of an id",
        "UPDATE audit_rows SET id = CAST(substr(id, 1, 15)
             || CASE substr(id, 16) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)
         WHERE number = 4",
    ),
    ("a row deleted", "DELETE FROM audit_rows WHERE number = 4"),
    (
        "the first row deleted",
        "DELETE FROM audit_rows WHERE number = 1",
    ),
    (
        "the newest rows deleted",
        "DELETE FROM audit_rows WHERE number > (SELECT max(number) FROM audit_rows) - 3",
    ),
    (
        "the newest rows deleted, and the head set back",
        "DELETE FROM audit_rows WHERE number > (SELECT max(number) FROM audit_rows) - 3;
         UPDATE audit_head SET (number, hash) =
             (SELECT number, hash FROM audit_rows ORDER BY number DESC LIMIT 1)",
    ),
    (
        "the newest rows deleted, the head set back, the checkpoints too",
        "DELETE FROM audit_rows WHERE number > (SELECT max(number) FROM audit_rows) - 3;
         UPDATE audit_head SET (number, hash) =
             (SELECT number, hash FROM audit_rows ORDER BY number DESC LIMIT 1);
         DELETE FROM audit_checkpoints WHERE number > (SELECT number FROM audit_head)",
    ),
    (
        "everything deleted",
        "DELETE FROM audit_rows;
         DELETE FROM audit_checkpoints;
         UPDATE audit_head SET number = 0, hash = zeroblob(32)",
    ),
    (
        "two rows exchanged",
        "UPDATE audit_rows SET number = 1000000 WHERE number = 4;
         UPDATE audit_rows SET number = 4 WHERE number = 5;
         UPDATE audit_rows SET number = 5 WHERE number = 1000000",
    ),
    (
        "a row put in at the end",
        "INSERT INTO audit_rows
         SELECT number + 1, randomblob(16), at, actor_kind, actor_id, session, action, resource,
                subject, data, hash
         FROM audit_rows ORDER BY number DESC LIMIT 1",
    ),
    (
        "a row put in at the end, and the head set on",
        "INSERT INTO audit_rows
         SELECT number + 1, randomblob(16), at, actor_kind, actor_id, session, action, resource,
                subject, data, hash
         FROM audit_rows ORDER BY number DESC LIMIT 1;
         UPDATE audit_head SET (number, hash) =
             (SELECT number, hash FROM audit_rows ORDER BY number DESC LIMIT 1)",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_deed_is_found() {
    let practice = Practice::open(&[], &[]).await;
    let visit = Visit::at(practice);
    let (clinic, doctor) = visit.clinic_and_doctor().await;
    let patient = visit.patient().await;
    let slot = visit.any_slot(&doctor, clinic, 1).await;
    for _ in 0..3 {
        let appointment = visit.booked(&patient, slot).await;
        let _ = visit.of(&patient).cancel(appointment).await.expect(200);
    }
    let path = format!("/patients/{}", patient.id);
    let _ = visit
        .of(&patient)
        .put(&path, &json!({"blood_group": "A+"}))
        .await
        .expect(200);
    // Beside a running server too.
    let (code, said) = visit.practice.folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");

    let Visit {
        practice,
        anonymous,
        admin,
    } = visit;
    drop((anonymous, admin));
    let practice = std::sync::Arc::into_inner(practice).expect("nobody else is here");
    let folder = practice.folder;
    practice.server.stop();
    let (code, said) = folder.verify_audit();
    assert_eq!(code, Some(0), "{said}");

    let database = folder.database();
    let intact = folder.data().join("intact-copy.db");
    Connection::open(&database)
        .unwrap()
        .execute("VACUUM INTO ?1", [intact.to_str().unwrap()])
        .unwrap();
    let restore = || {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.data().join(format!("telemed.db{suffix}")));
        }
        std::fs::copy(&intact, &database).unwrap();
    };
    let mut missed = Vec::new();
    for (deed, statements) in DEEDS {
        restore();
        let connection = Connection::open(&database).unwrap();
        let before = connection.total_changes();
        connection.execute_batch(statements).unwrap();
        assert!(
            connection.total_changes() > before,
            "{deed} changed nothing"
        );
        drop(connection);
        // The second time as well: to look must not heal it, nor bury it.
        for _ in 0..2 {
            let (code, said) = folder.verify_audit();
            if code != Some(1) {
                missed.push(format!("{deed}: {code:?} {said}"));
            }
        }
    }
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
    restore();
    let (code, said) = folder.verify_audit();
    assert_eq!(code, Some(0), "restored: {said}");
}
