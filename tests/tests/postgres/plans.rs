//! No statement reads a whole table: every one that the store runs is explained over a database
//! that has grown.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use telemed_core::calls::{
    AdvanceCallOutcome, CallFilter, CallKind, CallSide, CallStatus, CallStore, StartCallOutcome,
};
use telemed_core::id::CallId;
use telemed_core::presence::{PresenceStatus, PresenceStore};
use telemed_tests::build::{
    NOW, about_call, accept, advancing, all_contacts, applied, at, following, page, user_id,
};
use telemed_tests::lockstep::{chats, prelude, run, steps};
use telemed_tests::{MemoryUnderTest, PostgresUnderTest, StoreUnderTest};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use super::place::{Beside, Place, options, world};

/// Tables that have one row, or few.
const SMALL: &[&str] = &[
    "audit_head",
    "event_log",
    "installation",
    "schema_migration",
];

/// Statements that may read an index from one end on, by what is in them: the first rows of it, and
/// the doctors of an installation, who are few.
const MAY_SCAN: &[(&str, &str)] = &[
    ("SELECT id FROM clinics ORDER BY id LIMIT 1", "clinics_pkey"),
    ("ORDER BY ready_at, id LIMIT 1", "jobs_ready"),
    ("FROM audit_open ORDER BY seq LIMIT $1", "audit_open_pkey"),
    (
        "SELECT DISTINCT ON (doctors.specialty_folded)",
        "doctors_pkey",
    ),
    (
        "SELECT DISTINCT ON (doctors.specialty_folded)",
        "users_listed_doctors",
    ),
    (
        "AND ((SELECT 1 FROM presence_leases",
        "users_listed_doctors",
    ),
];

/// A list with its total counts what there is, as far as its filters do not say more.
const COUNTS: &str = "SELECT count(*) FROM ";

/// Remembers the text of every statement.
struct Recorder;

static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "telemed_storage_postgres::statement"
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Text;

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "sql" {
            let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
            if !statements.contains(value) {
                statements.insert(value.to_owned());
            }
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

fn record() {
    static RECORDING: OnceLock<()> = OnceLock::new();
    RECORDING.get_or_init(|| tracing::subscriber::set_global_default(Recorder).unwrap());
}

/// Calls every operation of the store: sequences of random steps, the same every time.
async fn exercise(place: &Place) {
    let postgres = PostgresUnderTest(std::sync::Arc::clone(&place.server));
    let mut runner = TestRunner::deterministic();
    for round in 0..4 {
        let random = match round {
            0 => chats(200).new_tree(&mut runner).unwrap().current(),
            _ => steps(200).new_tree(&mut runner).unwrap().current(),
        };
        let steps = [prelude(), random].concat();
        let (one, other) = (MemoryUnderTest.fresh().await, postgres.fresh().await);
        run(one, other, &steps).await;
    }
    exercise_calls(&Place::new(&place.server).await).await;
}

/// Calls every operation of calls and of presence.
async fn exercise_calls(place: &Place) {
    let store = place.silent(&options("exercise")).await;
    let world = world(place, &store);
    let [one, other] = world.patients(2).await[..] else {
        panic!()
    };
    let new = world.call_under(one, other, "client");
    let call = world.begin(NOW, &new).await;
    let id = new.client_id.unwrap();
    store.call_by_client_id(one, &id).await.unwrap();
    assert_eq!(store.live_calls_of(other).await.unwrap().len(), 1);
    world.act(at(1), call.id, &[accept("phone")]).await;
    let sample = world.sample(at(1), call.id, one);
    store.add_quality_sample(&sample).await.unwrap();
    store.quality_samples(call.id, 10).await.unwrap();
    store.call_quality(call.id).await.unwrap();
    store.call_tallies(one, Some(NOW)).await.unwrap();
    // Each filter by itself, and all together.
    for filters in [0, 1, 2, 4, 8, 16, 31] {
        let filter = CallFilter {
            kind: (filters & 1 > 0).then_some(CallKind::Video),
            status: (filters & 2 > 0).then_some(CallStatus::Accepted),
            side: (filters & 4 > 0).then_some(CallSide::Caller),
            from: (filters & 8 > 0).then_some(NOW),
            before: (filters & 16 > 0).then_some(at(1)),
        };
        for skip in [0, 1] {
            let listed = store.call_page(one, &filter, page(skip, 10)).await.unwrap();
            assert_eq!(listed.total, 1, "{filter:?}");
        }
    }

    let lease = world.lease(one, 1).await;
    store.renew_leases(&[lease.id], NOW, at(2)).await.unwrap();
    store.end_lease(lease.id, NOW, at(1)).await.unwrap();
    store.presence_rows(&[one, other], NOW).await.unwrap();
    store.leases_of(one).await.unwrap();
    store
        .note_told_status(one, PresenceStatus::Online)
        .await
        .unwrap();
    let contacts = all_contacts();
    store.are_contacts([one, other], contacts).await.unwrap();
    store
        .present_contacts(one, contacts, NOW, 10)
        .await
        .unwrap();
    store.present_doctors(NOW, 10).await.unwrap();
    assert_eq!(store.next_lease_lapse().await.unwrap(), Some(at(1)));
    assert_eq!(world.lapsed(at(1)).await.len(), 1);
    assert_eq!(store.drop_lapsed_leases(at(2)).await.unwrap(), 1);
}

/// Fills the tables.
const GROW: &str = "
    INSERT INTO clinics (name, city, city_folded, time_zone, is_active, created_at, updated_at,
                         version)
        SELECT 'Clinic', 'City ' || n % 50, 'city ' || n % 50, 'UTC', true, 0, 0, 1
        FROM generate_series(1, 500) AS n;
    INSERT INTO users (role, email, email_folded, phone, phone_folded, full_name, seal_id,
                       is_verified, is_active, created_at, updated_at)
        SELECT CASE WHEN n <= 2000 THEN 'doctor' ELSE 'patient' END, n::TEXT, n::TEXT, n::TEXT,
               n::TEXT, 'Name', gen_random_uuid(), n % 3 > 0, true, 0, 0
        FROM generate_series(1, 20000) AS n;
    INSERT INTO credentials SELECT id, 'hash' FROM users;
    INSERT INTO data_keys SELECT gen_random_uuid(), id, 1, '' FROM users;
    INSERT INTO sessions SELECT gen_random_uuid(), id, 0, id * 1000,
            CASE WHEN id % 2 = 0 THEN id END, sha256(id::TEXT::BYTEA) FROM users;
    INSERT INTO refresh_tokens SELECT sha256(id::TEXT::BYTEA), id, 1 FROM sessions;
    INSERT INTO login_failures (at, account, network, place)
        SELECT id, sha256((id % 500)::TEXT::BYTEA), sha256((id % 99)::TEXT::BYTEA),
               CASE WHEN id % 2 = 0 THEN sha256((id % 9)::TEXT::BYTEA) END FROM users;
    INSERT INTO patients SELECT id, gen_random_uuid(), NULL, 0, 1 FROM users
        WHERE role = 'patient';
    INSERT INTO doctors (id, clinic_id, specialty, specialty_folded, licence_number,
                         licence_folded, experience_years, daily_limit, created_at, updated_at,
                         version)
        SELECT id, id % 500 + 1, 'S' || id % 30, 's' || id % 30, id::TEXT, id::TEXT, 1, 50, 0, 0, 1
        FROM users WHERE role = 'doctor';
    INSERT INTO schedules SELECT id, '[[],[],[],[],[],[],[]]', 30, 1, false, 1, 0 FROM doctors;
    INSERT INTO blocked_times (doctor_id, starts_at, ends_at, local_day, start_minute, end_minute,
                               time_zone, seal_id, created_at)
        SELECT doctors.id, n * 100, n * 100 + 50, '2030-01-01', 0, 60, 'UTC', gen_random_uuid(), 0
        FROM doctors, generate_series(1, 10) AS n;
    INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity, booked_count,
                       is_published, is_active, created_at, updated_at)
        SELECT doctors.id, clinic_id, n * 100, n * 100 + 50, '2030-01-' || 10 + n % 20, 3, 1, true,
               true, 0, 0
        FROM doctors, generate_series(1, 20) AS n;
    INSERT INTO doctor_days (doctor_id, local_day, taken)
        SELECT doctor_id, local_day, count(*) FROM slots GROUP BY 1, 2;
    INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id, starts_at, ends_at, kind,
                              status, seal_id, created_at, updated_at)
        SELECT 2001 + (id % 18000), id, doctor_id, clinic_id, starts_at, ends_at, 'video',
               CASE WHEN id % 4 = 0 THEN 'pending' ELSE 'completed' END, gen_random_uuid(), 0, 0
        FROM slots WHERE id % 4 > 0 OR id < 18000;
    INSERT INTO conversations (id, kind, low_user, high_user, data_key, created_at, last_seq,
                               last_message_at)
        SELECT gen_random_uuid(), 'direct', n % 2000 + 1, 2001 + n % 18000, gen_random_uuid(), 0, 3,
               n
        FROM generate_series(1, 18000) AS n;
    INSERT INTO data_keys (id, conversation_id, tenant_key, wrapped)
        SELECT data_key, id, 1, '' FROM conversations;
    INSERT INTO conversation_participants (conversation_id, user_id, active_at)
        SELECT id, low_user, last_message_at FROM conversations
        UNION ALL SELECT id, high_user, last_message_at FROM conversations;
    INSERT INTO messages (conversation_id, seq, id, sender_id, recipient_id, kind, body, created_at)
        SELECT conversations.id, n, gen_random_uuid(), low_user, high_user, 'text', '', n
        FROM conversations, generate_series(1, 3) AS n;
    INSERT INTO receipts SELECT conversation_id, user_id, 'read', 2, 0
        FROM conversation_participants;
    INSERT INTO message_tokens SELECT conversation_id, seq * 7, id FROM messages;
    INSERT INTO calls (id, caller_id, callee_id, kind, client_id, initiated_at, state, version)
        SELECT gen_random_uuid(), n % 2000 + 1, 2001 + n % 18000, 'video', n::TEXT, n,
               CASE WHEN n % 10 = 0 THEN 'ringing' ELSE 'ended' END, 1
        FROM generate_series(1, 20000) AS n;
    INSERT INTO call_parties (call_id, user_id, side, kind, initiated_at, status, seconds)
        SELECT calls.id, CASE side WHEN 'outgoing' THEN caller_id ELSE callee_id END, side, kind,
               initiated_at, CASE state WHEN 'ringing' THEN 'ringing' ELSE 'completed' END, 60
        FROM calls, unnest(ARRAY['outgoing', 'incoming']) AS side;
    INSERT INTO quality_samples (id, call_id, user_id, at, round_trip, loss)
        SELECT gen_random_uuid(), call_id, user_id, n, n, n
        FROM call_parties, generate_series(1, 2) AS n;
    INSERT INTO presence_leases (id, user_id, device, session_id, device_type, source, status,
                                 heard_at, expires_at, seen_at, is_noted)
        SELECT gen_random_uuid(), id, 'device', gen_random_uuid(), 'web', 'socket', 'online', id,
               id, id, id % 3 = 0
        FROM users;
    INSERT INTO presence (user_id, last_seen, told) SELECT id, id, 'online' FROM users;
    INSERT INTO events SELECT n, gen_random_uuid(), 'user.updated', 'user:' || n % 5000, 'user',
            '1', n, 'operator', NULL, '{}', gen_random_uuid() FROM generate_series(1, 20000) AS n;
    INSERT INTO event_feeds SELECT audience, seq FROM events;
    INSERT INTO jobs (id, kind, resource, subject, due_at, data, is_dead)
        SELECT gen_random_uuid(), 'appointment.reminder', 'appointment', n::TEXT, n, '{}',
               n % 50 = 0
        FROM generate_series(1, 20000) AS n;
    INSERT INTO idempotency_keys SELECT 'scope ' || n % 100, n::TEXT, sha256(''), 'user', '1', n
        FROM generate_series(1, 20000) AS n;
    INSERT INTO audit_open SELECT n, gen_random_uuid(), 0, 'operator', NULL, NULL, 'test', 'user',
            '1', '{}' FROM generate_series(1, 2000) AS n;
    INSERT INTO audit_rows SELECT n, gen_random_uuid(), 0, 'operator', NULL, NULL, 'test', 'user',
            '1', '{}', sha256('') FROM generate_series(1, 20000) AS n;
    INSERT INTO audit_checkpoints SELECT n, sha256(''), 0, 1, sha256('')
        FROM generate_series(1, 2000) AS n;
    INSERT INTO bus_frames SELECT gen_random_uuid(), '{}' FROM generate_series(1, 2000);
    INSERT INTO rate_limits SELECT 'writes', n::TEXT, n, true FROM generate_series(1, 20000) AS n;
";

/// How PostgreSQL would run a statement, whatever its values are.
async fn plan(beside: &mut Beside, sql: &str) -> Value {
    beside.run(&format!("PREPARE explained AS {sql}")).await;
    let types = "SELECT parameter_types::TEXT[]::TEXT FROM pg_prepared_statements
                 WHERE name = 'explained'";
    let types = beside.text(types).await.unwrap();
    let types = types.trim_matches(['{', '}']).split(',');
    let value = |kind: &str| {
        let value = match kind.trim_matches('"') {
            "bigint" | "integer" => "100",
            "bigint[]" | "integer[]" => "{100,200}",
            "text" => "7",
            "text[]" => "{7,8}",
            "uuid" => "00000000-0000-0000-0000-000000000007",
            "uuid[]" => "{00000000-0000-0000-0000-000000000007}",
            "bytea" => "7",
            "double precision" => "1",
            "bytea[]" => "{7,8}",
            "boolean" => "true",
            "jsonb" => "{}",
            "boolean[]" => "{true,false}",
            other => panic!("no value for {other} in {sql}"),
        };
        format!("'{value}'")
    };
    let values: Vec<String> = types.filter(|kind| !kind.is_empty()).map(value).collect();
    let values = match values.is_empty() {
        true => String::new(),
        false => format!("({})", values.join(", ")),
    };
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE explained{values}");
    let text = beside.text(&explain).await.unwrap();
    beside.run("DEALLOCATE explained").await;
    let plan: Value = serde_json::from_str(&text).unwrap();
    plan[0]["Plan"].clone()
}

/// Before the name of a table that is read as a whole.
const ALL_OF: &str = "all of ";

/// The parts of a plan that read a table, or an index, from one end on.
fn scans(node: &Value, found: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default().to_owned();
    let (kind, table) = (text("Node Type"), text("Relation Name"));
    let is_small = SMALL.contains(&table.as_str());
    if kind == "Seq Scan" && !is_small {
        found.push(format!("{ALL_OF}{table}"));
    }
    let reads_index = ["Index Scan", "Index Only Scan", "Bitmap Index Scan"];
    if reads_index.contains(&kind.as_str()) && node["Index Cond"].is_null() && !is_small {
        found.push(text("Index Name"));
    }
    for part in node["Plans"].as_array().into_iter().flatten() {
        scans(part, found);
    }
}

pub async fn every_statement_is_served_by_an_index(place: Place) {
    record();
    exercise(&place).await;
    let statements = STATEMENTS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    assert!(statements.len() > 80, "only {} were seen", statements.len());

    let mut beside = place.beside().await;
    beside.run(GROW).await;
    beside.run("VACUUM ANALYZE").await;
    // As the store sets its connections.
    beside
        .run("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        .await;
    let mut wrong = Vec::new();
    let mut used: BTreeSet<&(&str, &str)> = BTreeSet::new();
    for sql in &statements {
        let mut found = Vec::new();
        scans(&plan(&mut beside, sql).await, &mut found);
        found.retain(|scan| {
            let may = MAY_SCAN
                .iter()
                .find(|(words, index)| sql.contains(words) && scan == index);
            used.extend(may);
            let is_of_a_list = sql.contains(COUNTS) && !scan.starts_with(ALL_OF);
            may.is_none() && !is_of_a_list
        });
        if !found.is_empty() {
            wrong.push(format!("{found:?}\n    {sql}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused: Vec<_> = MAY_SCAN.iter().filter(|one| !used.contains(one)).collect();
    assert!(unused.is_empty(), "never needed: {unused:?}");
}

/// How many rows and entries of indexes were read of the tables of calls.
const TOUCHED: &str = "
    SELECT (sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) + (
        SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
        WHERE relname IN ('calls', 'call_parties', 'quality_samples')))::BIGINT
    FROM pg_stat_user_tables WHERE relname IN ('calls', 'call_parties', 'quality_samples')";

/// What runs inside the functions of the schema shows in no plan of a statement: it is counted what
/// they read.
pub async fn calls_touch_few_rows(place: Place) {
    const TIMES: usize = 20;
    let mut beside = place.beside().await;
    beside.run(GROW).await;
    beside.run("VACUUM ANALYZE").await;
    beside
        .until("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'autovacuum worker' AND datname = current_database()", 0)
        .await;
    let before = beside.number(TOUCHED).await;
    let store = place.silent(&options("one")).await;
    let here = world(&place, &store);
    let mut touched = 0;
    for number in 0..TIMES {
        // Each of them has had some calls, and none goes on.
        let (caller, callee) = (2 + 10 * number as i64, 2_003 + 10 * number as i64);
        let new = here.call_under(user_id(caller), user_id(callee), "mine");
        let outcome = applied(store.start_call(&here.starting(NOW, &new)).await.unwrap());
        let StartCallOutcome::Started(call) = outcome else {
            panic!("{outcome:?}")
        };
        let write = here.write_at(at(1), about_call(call.id));
        let change = advancing(&call, following(&call, &accept("phone"), at(1)));
        let outcome = applied(store.advance_call(&write, &change).await.unwrap());
        assert!(matches!(outcome, AdvanceCallOutcome::Advanced(_)));
        let mut sample = here.sample(at(2), CallId::new(call.id.get()), user_id(caller));
        sample.measured.round_trip = Some(1.0);
        store.add_quality_sample(&sample).await.unwrap();
        touched += 1;
    }
    assert_eq!(touched, TIMES);
    // What a connection has counted is told when it ends, at the latest.
    drop((store, here));
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'one'
                AND datname = current_database()";
    beside.until(open, 0).await;
    let read = beside.number(TOUCHED).await - before;
    let each = read / TIMES as i64;
    assert!((1..60).contains(&each), "{each} rows for a call");
}

/// The indexes by which a plan reads a table.
fn indexes_of(node: &Value, table: &str, found: &mut BTreeSet<String>) {
    if node["Relation Name"] == table {
        found.insert(node["Index Name"].as_str().unwrap_or("none").to_owned());
    }
    for part in node["Plans"].as_array().into_iter().flatten() {
        indexes_of(part, table, found);
    }
}

/// A plan is made when a connection books first, which may be in an empty database, and lasts until
/// the tables are analysed.
pub async fn a_booking_reads_one_patients_appointments_whatever_is_known_of_the_table(
    place: Place,
) {
    let mut beside = place.beside().await;
    beside
        .run("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        .await;
    let none_is_live = GROW.replace("'pending'", "'completed'");
    for grow in ["", &none_is_live] {
        beside.run(grow).await;
        beside.run("ANALYZE").await;
        let sql = "SELECT refusal FROM weigh_bookings($1, $2, $3, NULL)";
        let plan = plan(&mut beside, sql).await;
        let mut indexes = BTreeSet::new();
        indexes_of(&plan, "appointments", &mut indexes);
        assert_eq!(Vec::from_iter(indexes), ["appointments_live_patient"]);
    }
}
