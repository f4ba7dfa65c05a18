//! The same statements as a booking, written by hand on one thread, and a bare commit.

use std::path::Path;

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::seed::Pair;

const OFFER: &str = "SELECT slots.id, slots.doctor_id, slots.clinic_id, slots.starts_at,
        slots.ends_at, slots.local_day, slots.capacity, slots.booked_count, slots.is_active,
        slots.created_at, slots.updated_at, doctors.daily_limit,
        slots.is_active AND users.is_active AND users.is_verified AND clinics.is_active,
        EXISTS (SELECT 1 FROM blocked_times WHERE blocked_times.doctor_id = slots.doctor_id
            AND blocked_times.ends_at > slots.starts_at
            AND blocked_times.starts_at < slots.ends_at),
        coalesce(schedules.auto_confirm, 0)
    FROM slots
    JOIN doctors ON doctors.id = slots.doctor_id
    JOIN users ON users.id = slots.doctor_id
    JOIN clinics ON clinics.id = slots.clinic_id
    LEFT JOIN schedules ON schedules.doctor_id = slots.doctor_id
    WHERE slots.id = ?1";
const PATIENT: &str = "SELECT users.is_active FROM patients JOIN users ON users.id = patients.id
    WHERE patients.id = ?1";
const MEANWHILE: &str = "SELECT slot_id FROM appointments
    WHERE patient_id = ?1 AND starts_at > ?2 AND starts_at < ?3 AND ends_at > ?4
      AND (status = 'pending' OR status = 'confirmed' OR status = 'in_progress')";
const DAY: &str = "SELECT coalesce(sum(booked_count), 0) FROM slots
    WHERE doctor_id = ?1 AND local_day = ?2";
const APPOINTMENT: &str = "INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id,
        starts_at, ends_at, kind, status, seal_id, reason_for_visit, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'video', 'pending', ?7, ?8, ?9, ?9)";
const SEAT: &str =
    "UPDATE slots SET booked_count = booked_count + 1, updated_at = ?2 WHERE id = ?1";
const JOB: &str = "INSERT OR REPLACE INTO jobs (id, kind, resource, subject, due_at, data)
    VALUES (?1, ?2, 'appointment', ?3, ?4, ?5)";
const EVENT: &str = "INSERT INTO events (id, kind, audience, resource, subject, at, actor_kind,
        actor_id, data)
    VALUES (?1, 'appointment.booked', ?2, 'appointment', ?3, ?4, 'user', ?5, ?6)";
const FEED: &str = "INSERT OR IGNORE INTO event_feeds (audience, seq) VALUES (?1, ?2)";
const HEAD: &str = "SELECT number, hash FROM audit_head";
const NOTE: &str = "UPDATE audit_head SET number = ?1, hash = ?2";
const AUDIT: &str = "INSERT INTO audit_rows (number, hash, id, at, actor_kind, actor_id, session,
        action, resource, subject, data)
    VALUES (?1, ?2, ?3, ?4, 'user', ?5, ?6, 'appointment.book', 'appointment', ?7, ?8)";

/// A connection as the engine opens it.
pub fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 1000;
             PRAGMA cache_size = -16384; PRAGMA cell_size_check = ON;",
        )
        .expect("pragmas");
    connection.set_prepared_statement_cache_capacity(64);
    connection
}

/// One transaction that inserts one small row: what a commit costs by itself.
pub fn bare_commit(connection: &Connection) {
    connection
        .prepare_cached("BEGIN IMMEDIATE")
        .and_then(|mut s| s.execute([]))
        .expect("begin");
    connection
        .prepare_cached("INSERT INTO bare (text) VALUES (?1)")
        .and_then(|mut s| s.execute(["a row"]))
        .expect("insert");
    connection
        .prepare_cached("COMMIT")
        .and_then(|mut s| s.execute([]))
        .expect("commit");
}

/// A database with nothing but the table of [`bare_commit`].
pub fn bare(path: &Path) -> Connection {
    let connection = open(path);
    connection
        .execute_batch("CREATE TABLE bare (id INTEGER PRIMARY KEY, text TEXT) STRICT")
        .expect("a table");
    connection
}

/// Books some pairs in one transaction.
pub fn book(connection: &Connection, pairs: &[Pair], now: i64) {
    let run = |sql: &str| {
        connection
            .prepare_cached(sql)
            .and_then(|mut s| s.execute([]))
            .expect(sql)
    };
    run("BEGIN IMMEDIATE");
    let (mut number, hash): (i64, [u8; 32]) = connection
        .prepare_cached(HEAD)
        .and_then(|mut s| s.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
        .expect("the head");
    for pair in pairs {
        number += 1;
        book_one(connection, *pair, now, number, &hash);
    }
    connection
        .prepare_cached(NOTE)
        .and_then(|mut s| s.execute(params![number, hash]))
        .expect("note");
    run("COMMIT");
}

fn book_one(connection: &Connection, pair: Pair, now: i64, number: i64, hash: &[u8; 32]) {
    let change = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection
            .prepare_cached(sql)
            .and_then(|mut s| s.execute(values))
            .expect(sql)
    };
    let id = || Uuid::from_u128((number as u128) << 64 | u128::from(fresh())).into_bytes();
    let (slot, patient) = (pair.slot.get(), pair.patient.get());
    let (doctor, clinic, starts_at, ends_at, day): (i64, i64, i64, i64, String) = connection
        .prepare_cached(OFFER)
        .and_then(|mut s| {
            s.query_row([slot], |row| {
                Ok((
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            })
        })
        .expect("the slot");
    let _: bool = connection
        .prepare_cached(PATIENT)
        .and_then(|mut s| s.query_row([patient], |row| row.get(0)))
        .expect("the patient");
    let overlaps = connection
        .prepare_cached(MEANWHILE)
        .and_then(|mut s| {
            s.exists(params![
                patient,
                starts_at - 14_400_000_000_i64,
                ends_at,
                starts_at
            ])
        })
        .expect("overlaps");
    assert!(!overlaps, "the pairs do not overlap");
    let _: i64 = connection
        .prepare_cached(DAY)
        .and_then(|mut s| s.query_row(params![doctor, day], |row| row.get(0)))
        .expect("the day");
    // As long as what the engine seals.
    let sealed = [7_u8; 117];
    change(
        APPOINTMENT,
        &[
            &patient,
            &slot,
            &doctor,
            &clinic,
            &starts_at,
            &ends_at,
            &id(),
            &sealed,
            &now,
        ],
    );
    let made = connection.last_insert_rowid();
    let subject = made.to_string();
    change(SEAT, &[&slot, &now]);
    let ids = format!("{{\"doctor_id\":{doctor},\"patient_id\":{patient},\"slot_id\":{slot}}}");
    let notice = format!("{{\"notice\":\"appointment_booked\",\"recipient\":{patient}}}");
    change(
        JOB,
        &[&id(), &"appointment.notice", &subject, &now, &notice],
    );
    for hours in [24_i64, 1] {
        let due_at = starts_at - hours * 3_600_000_000;
        if due_at > now {
            let data = format!("{{\"hours\":{hours},\"recipient\":{patient}}}");
            change(
                JOB,
                &[&id(), &"appointment.reminder", &subject, &due_at, &data],
            );
        }
    }
    let feeds = [format!("user:{patient}"), format!("user:{doctor}")];
    change(
        EVENT,
        &[&id(), &feeds.join(" "), &subject, &now, &patient, &ids],
    );
    let seq = connection.last_insert_rowid();
    for feed in &feeds {
        change(FEED, &[feed, &seq]);
    }
    change(
        AUDIT,
        &[
            &number,
            hash,
            &id(),
            &now,
            &patient,
            &[0_u8; 16],
            &subject,
            &ids,
        ],
    );
}

fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
