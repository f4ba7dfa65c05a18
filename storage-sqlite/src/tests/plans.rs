//! No hot query reads a whole table: every statement that the store runs is explained.

use super::exercise::exercise;
use super::*;
use crate::statement::recorded;

/// Statements that may read a table from one end to the other, by what they begin with.
const MAY_SCAN: &[&str] = &[
    // One row.
    "SELECT number, hash FROM audit_head",
    "SELECT 1 FROM audit_head",
    "UPDATE audit_head",
    // The doctors of an installation are few, and each has a field of medicine.
    "SELECT doctors.specialty, min(doctors.id)",
    // The first row of a table.
    "SELECT id FROM clinics ORDER BY id LIMIT 1",
    // The first row of an index.
    "SELECT ready_at FROM jobs WHERE is_dead = 0 ORDER BY ready_at, id LIMIT 1",
    "SELECT expires_at FROM presence_leases WHERE is_handed_out = 0\n         ORDER",
    // A clinic moves to another zone perhaps once in its life.
    "SELECT id, starts_at, local_day FROM slots WHERE clinic_id",
];

/// Statements that may sort what they have found, by what is in them.
const MAY_SORT: &[&str] = &[
    // The conversations of one page.
    "ORDER BY active_at DESC, own_id DESC",
    // The calls of one page.
    "(own.call_id, own.user_id) IN",
    // The calls of one user, from one index.
    "GROUP BY side, status, kind",
    // The contacts of one user.
    "ORDER BY contact LIMIT",
    // The appointments of everybody in a span of time, newest first: read by the span, which is
    // short where there are many.
    "WHERE true AND appointments.starts_at >= ? AND appointments.starts_at <= ? ORDER",
];

/// By which index a statement that contains some words reads: what SQLite could mistake for as
/// good another one.
const INDEXES: &[(&str, &str)] = &[
    (
        "FROM appointments WHERE true AND appointments.patient_id",
        "INDEX appointments_patient (patient_id=?)",
    ),
    (
        "FROM appointments WHERE true AND appointments.doctor_id",
        "COVERING INDEX appointments_doctor",
    ),
    (
        "FROM users CROSS JOIN doctors ON doctors.id = users.id WHERE",
        "COVERING INDEX users_listed_doctors",
    ),
    (
        "WHERE patient_id = ?1 AND +doctor_id = ?2",
        "INDEX appointments_patient (patient_id=?)",
    ),
    (
        "FROM blocked_times\n    WHERE blocked_times.doctor_id = slots.doctor_id",
        "COVERING INDEX blocked_times_doctor_end (doctor_id=? AND ends_at>?)",
    ),
    (
        "ORDER BY local_day, starts_at LIMIT 2000",
        "SEARCH slots USING INDEX slots_doctor_day (doctor_id=? AND local_day>? AND local_day<?)",
    ),
    (
        "GROUP BY local_day",
        "SEARCH taken USING INDEX slots_doctor_day (doctor_id=? AND local_day>? AND local_day<?)",
    ),
    (
        "WHERE user_id = ?1 AND is_archived = 0",
        "COVERING INDEX conversation_participants_open (user_id=?)",
    ),
    (
        "WHERE user_id = ?1 \n",
        "COVERING INDEX conversation_participants_list (user_id=?)",
    ),
    (
        "SELECT message_id FROM message_tokens",
        "PRIMARY KEY (conversation_id=? AND token=? AND message_id<?)",
    ),
    (
        "SELECT message_id, tokens FROM waiting_tokens",
        "PRIMARY KEY (conversation_id=?)",
    ),
    (
        "SELECT count(*), coalesce(sum(length(tokens)), 0) FROM waiting_tokens",
        "PRIMARY KEY (conversation_id=?)",
    ),
    (
        "FROM receipts WHERE receipts.conversation_id = messages.conversation_id",
        "PRIMARY KEY (conversation_id=? AND user_id=? AND kind=? AND up_to>?)",
    ),
    (
        "SELECT seq, client_fingerprint FROM messages",
        "INDEX messages_client_key (conversation_id=? AND sender_id=? AND client_id=?)",
    ),
    (
        "messages.seq BETWEEN ?2 AND ?3",
        "PRIMARY KEY (conversation_id=? AND seq>? AND seq<?)",
    ),
    (
        "WHERE true AND own.user_id = ?",
        "COVERING INDEX call_parties_history (user_id=?",
    ),
    (
        "own.initiated_at >= ? AND own.initiated_at < ?",
        "COVERING INDEX call_parties_history (user_id=? AND initiated_at>? AND initiated_at<?)",
    ),
    (
        "GROUP BY side, status, kind",
        "COVERING INDEX call_parties_history (user_id=? AND initiated_at>?)",
    ),
    (
        "user_id = ?1 AND own.is_live = 1",
        "INDEX call_parties_live (user_id=?)",
    ),
    (
        "count(*) FROM call_parties WHERE user_id = ?1 AND is_live = 1",
        "COVERING INDEX call_parties_live (user_id=?)",
    ),
    (
        "calls.caller_id = ?1 AND calls.client_id = ?2",
        "INDEX calls_client_key (caller_id=? AND client_id=?)",
    ),
    (
        "ORDER BY round_trip LIMIT",
        "COVERING INDEX quality_samples_round_trip (call_id=? AND user_id=?",
    ),
    (
        "ORDER BY loss LIMIT",
        "COVERING INDEX quality_samples_loss (call_id=? AND user_id=?",
    ),
    (
        "FROM quality_samples WHERE call_id = ?1 AND user_id = ?2",
        "PRIMARY KEY (call_id=? AND user_id=?)",
    ),
    (
        "CROSS JOIN presence_leases ON",
        "INDEX presence_leases_user (user_id=?)",
    ),
    (
        "CROSS JOIN users ON users.id = json_each.value",
        "SEARCH call_parties USING COVERING INDEX call_parties_live (user_id=?)",
    ),
    (
        "UPDATE presence_leases SET is_handed_out = 1",
        "COVERING INDEX presence_leases_open (expires_at<?)",
    ),
    (
        "SELECT expires_at FROM presence_leases",
        "COVERING INDEX presence_leases_open",
    ),
    (
        "DELETE FROM presence_leases",
        "INDEX presence_leases_lapsed (expires_at<?)",
    ),
    (
        "ORDER BY contact LIMIT",
        "INDEX appointments_doctor_end (doctor_id=? AND ends_at>?)",
    ),
    (
        "ORDER BY contact LIMIT",
        "INDEX appointments_patient (patient_id=?)",
    ),
    (
        "ORDER BY contact LIMIT",
        "COVERING INDEX conversation_participants_list (user_id=?)",
    ),
    (
        "ORDER BY contact LIMIT",
        "INDEX presence_leases_user (user_id=?)",
    ),
    (
        "ORDER BY contact LIMIT",
        "COVERING INDEX call_parties_live (user_id=?)",
    ),
    (
        "AND (EXISTS (SELECT 1 FROM presence_leases\n                  WHERE presence_leases.user_id = users.id",
        "COVERING INDEX users_listed_doctors",
    ),
    (
        "SELECT at FROM login_failures WHERE account = ?1",
        "COVERING INDEX login_failures_account (account=? AND place=? AND at>?)",
    ),
];

/// How SQLite would run a statement.
pub(super) fn plan(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut explain = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let count = explain.parameter_count();
    let nothing = rusqlite::params_from_iter((0..count).map(|_| rusqlite::types::Null));
    explain
        .query_map(nothing, |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[tokio::test]
async fn no_statement_scans_a_table_or_sorts_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path, &quick());
    exercise(&store).await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    let statements = recorded();
    for (words, _) in INDEXES {
        let is_run = statements.iter().any(|sql| sql.contains(words));
        assert!(is_run, "no statement has the words {words}");
    }
    assert!(statements.len() > 100, "{}", statements.len());
    let mut bad = Vec::new();
    for sql in statements {
        if MAY_SCAN.iter().any(|known| sql.starts_with(known)) {
            continue;
        }
        let plan = plan(&connection, &sql);
        // A list of everything walks the table in its own order, and its total is a count over
        // an index.
        let everything =
            sql.contains("WHERE true") || sql.contains("FROM clinics WHERE is_active = 1");
        let of_everything = everything && !sql.contains(" AND ");
        let reads_a_table = plan.iter().any(|step| {
            step.starts_with("SCAN") && !step.contains("json_each") && !step.contains("subquery")
        });
        let sorts = plan
            .iter()
            .any(|step| step.contains("FOR ORDER BY") || step.contains("FOR GROUP BY"))
            && !MAY_SORT.iter().any(|known| sql.contains(known));
        let mut known = INDEXES.iter().filter(|(words, _)| sql.contains(words));
        let strays = known.any(|(_, index)| !plan.iter().any(|step| step.contains(index)));
        if sorts || strays || (reads_a_table && !of_everything) {
            bad.push(format!("{sql}\n  {}", plan.join("\n  ")));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}
