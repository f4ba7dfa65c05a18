//! A server, a database with people and slots, and copies of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, Row};
use telemed_core::id::SlotId;
use telemed_core::journal::EventBus;
use telemed_core::store::Storage;
use telemed_core::time::Timestamp;
use telemed_storage_postgres::{PostgresOptions, PostgresStore};
use telemed_tests::cluster::Cluster;
use telemed_tests::postgres::{PostgresDatabase, PostgresServer};

use crate::postgres::scripts::{HALF_HOUR, Script};
use crate::seed::{self, Pair, People, SIDE, START};

/// Which slots are booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// Each once.
    Many,
    /// Each by all callers, one slot after the other.
    One,
}

/// Where everything takes place.
pub struct Place {
    server: Arc<PostgresServer>,
    many: PostgresDatabase,
    one: PostgresDatabase,
    pub people: People,
    bookings: usize,
    // After the databases on it.
    _cluster: Option<Cluster>,
}

/// A copy of one of its databases.
pub struct Copy {
    database: PostgresDatabase,
    pairs: Vec<Pair>,
}

impl Place {
    /// Makes a practice where so many bookings can be made.
    pub async fn make(bookings: usize) -> Self {
        let (server, cluster) = match PostgresServer::of_environment() {
            Some(server) => (server, None),
            None => {
                let cluster = Cluster::start().expect("a PostgreSQL");
                (PostgresServer::at(&cluster.url("postgres")), Some(cluster))
            }
        };
        let many = server.database().await;
        let people = {
            let (storage, bus) = store(&many).await;
            seed::people_of_a_clinic(&seed::engine_on(storage, bus).await).await
        };
        until_alone(&many).await;
        let one = server.copy_of(many.name()).await;
        let place = Self {
            server,
            many,
            one,
            people,
            bookings,
            _cluster: cluster,
        };
        // One slot a doctor at each time, and as many seats at one time.
        let times = bookings / SIDE;
        fill(
            &place.many,
            &place.people,
            times,
            "unnest($1::BIGINT[]) WITH ORDINALITY",
            1,
        )
        .await;
        fill(
            &place.one,
            &place.people,
            times,
            "(SELECT ($1::BIGINT[])[1], 1)",
            SIDE,
        )
        .await;
        place
    }

    /// What the figures depend on.
    pub async fn server_settings(&self) -> String {
        let mut connection = self.many.connect().await;
        let sql = "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync '
                       || current_setting('fsync') || ', synchronous_commit '
                       || current_setting('synchronous_commit') || ', shared_buffers '
                       || current_setting('shared_buffers')";
        sqlx::query(sql)
            .fetch_one(&mut connection)
            .await
            .expect("settings")
            .get(0)
    }

    /// A fresh copy.
    pub async fn copy(&self, slots: Slots) -> Copy {
        let original = match slots {
            Slots::Many => &self.many,
            Slots::One => &self.one,
        };
        until_alone(original).await;
        let database = self.server.copy_of(original.name()).await;
        let pair = |number: usize| {
            let (time, place) = (number / SIDE, number % SIDE);
            let doctor = match slots {
                Slots::Many => place,
                Slots::One => 0,
            };
            let slot = match slots {
                Slots::Many => number,
                Slots::One => time,
            };
            let token = (place + time) % SIDE;
            Pair {
                slot: SlotId::from_row(slot as i64 + 1),
                doctor: self.people.doctors[doctor],
                starts_at: Timestamp::from_micros(slots.start(time as i64)),
                patient: self.people.patients[token],
                token,
            }
        };
        let copy = Copy {
            pairs: (0..self.bookings).map(pair).collect(),
            database,
        };
        copy.checkpoint().await;
        copy
    }
}

impl Slots {
    /// When the slots of a time begin: a doctor has at most a hundred appointments a day, and every
    /// reminder is still ahead.
    pub fn start(self, time: i64) -> i64 {
        let span = match self {
            Self::Many => HALF_HOUR,
            Self::One => 48 * HALF_HOUR,
        };
        START + 49 * HALF_HOUR + time * span
    }
}

/// Makes slots: `times` times, each for those doctors that the SQL names.
async fn fill(
    database: &PostgresDatabase,
    people: &People,
    times: usize,
    doctors: &str,
    seats: usize,
) {
    let slots = if seats == 1 { Slots::Many } else { Slots::One };
    let sql = format!(
        "INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity,
                            booked_count, is_published, is_active, created_at, updated_at)
         SELECT doctor, $2, start, start + {HALF_HOUR},
                to_char(to_timestamp(start / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
                {seats}, 0, true, true, {START}, {START}
         FROM unnest($3::BIGINT[]) WITH ORDINALITY AS times (start, time),
              {doctors} AS doctors (doctor, place)
         ORDER BY time, place"
    );
    let doctors: Vec<i64> = people.doctors.iter().map(|doctor| doctor.get()).collect();
    let starts: Vec<i64> = (0..times as i64).map(|time| slots.start(time)).collect();
    let mut connection = database.connect().await;
    sqlx::query(AssertSqlSafe(sql))
        .bind(doctors)
        .bind(people.clinic.get())
        .bind(starts)
        .execute(&mut connection)
        .await
        .expect("slots");
    // Plans are made by what is known of a table: an empty one is known for nothing.
    for sql in past() {
        connection
            .execute(AssertSqlSafe(sql))
            .await
            .expect("a past");
    }
    connection
        .execute("VACUUM ANALYZE")
        .await
        .expect("statistics");
}

/// Fills the past: every patient was with every doctor, at one time of the day.
fn past() -> [String; 3] {
    let span = 48 * HALF_HOUR;
    let slots = format!(
        "INSERT INTO slots (doctor_id, clinic_id, starts_at, ends_at, local_day, capacity,
                            booked_count, is_published, is_active, created_at, updated_at)
         SELECT doctor_id, clinic_id, start, start + {HALF_HOUR},
                to_char(to_timestamp(start / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 1, 1, true,
                true, {START}, {START}
         FROM (SELECT doctors.id AS doctor_id, clinic_id,
                      {START} - day * {span} AS start
               FROM doctors, generate_series(1, {SIDE}) AS day) AS times"
    );
    let appointments = format!(
        "INSERT INTO appointments (patient_id, slot_id, doctor_id, clinic_id, starts_at, ends_at,
                                   kind, status, seal_id, created_at, updated_at)
         SELECT patients.id, slots.id, doctor_id, clinic_id, starts_at, ends_at, 'video',
                'completed', gen_random_uuid(), {START}, {START}
         FROM (SELECT *, row_number() OVER (PARTITION BY doctor_id ORDER BY id) AS place
               FROM slots WHERE starts_at < {START}) AS slots
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM patients) AS patients
             USING (place)"
    );
    let days = format!(
        "INSERT INTO doctor_days (doctor_id, local_day, taken)
         SELECT doctor_id, local_day, count(*) FROM slots WHERE starts_at < {START} GROUP BY 1, 2"
    );
    [slots, appointments, days]
}

async fn store(database: &PostgresDatabase) -> (Arc<dyn Storage>, Arc<dyn EventBus>) {
    let options = PostgresOptions::default();
    let store = PostgresStore::open(&database.url(), &options)
        .await
        .expect("a store");
    let bus = store.bus();
    (Arc::new(store), bus)
}

/// Waits until nobody else is connected: a database that is in use cannot be copied.
async fn until_alone(database: &PostgresDatabase) {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    loop {
        let mut connection = database.connect().await;
        let counted = sqlx::query(sql).fetch_one(&mut connection).await;
        if counted.expect("a count").get::<i64, _>(0) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // This connection ends at the server a moment later, too.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

impl Copy {
    /// What is to be booked, in order.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// A store as a server opens it.
    pub async fn store(&self) -> (Arc<dyn Storage>, Arc<dyn EventBus>) {
        store(&self.database).await
    }

    /// Writes everything to the disk, so that nobody has to in the middle of a measurement.
    pub async fn checkpoint(&self) {
        let mut connection = self.database.connect().await;
        connection
            .execute("CHECKPOINT")
            .await
            .expect("a checkpoint");
    }

    /// How many rows there are and how long they are together, table by table.
    pub async fn rows(&self) -> Vec<(String, i64, i64)> {
        let mut connection = self.database.connect().await;
        let mut rows = Vec::new();
        for table in [
            "appointments",
            "audit_open",
            "events",
            "event_feeds",
            "jobs",
            "doctor_days",
        ] {
            let sql =
                format!("SELECT count(*), coalesce(sum(length({table}::TEXT)), 0) FROM {table}");
            let row = sqlx::query(AssertSqlSafe(sql))
                .fetch_one(&mut connection)
                .await;
            let row = row.expect("a count");
            rows.push((table.to_owned(), row.get(0), row.get(1)));
        }
        rows
    }

    /// Transactions a second of a script of pgbench; together the clients make so many.
    pub async fn pgbench(&self, script: Script, clients: usize, transactions: usize) -> f64 {
        let folder = tempfile::tempdir().expect("a folder");
        let path: PathBuf = folder.path().join("script.sql");
        let text = script.text(&self.pairs, clients);
        std::fs::write(&path, text).expect("a script");
        let clients = clients.to_string();
        let each = (transactions / clients.parse::<usize>().unwrap()).to_string();
        let output = tokio::process::Command::new("pgbench")
            .args([
                "--no-vacuum",
                "--protocol=prepared",
                "--jobs=2",
                "--client",
                &clients,
            ])
            .args(["--transactions", &each, "--define", "turn=-1", "--file"])
            .arg(&path)
            .arg(self.database.url())
            .env("PGOPTIONS", script.settings())
            .stdin(Stdio::null())
            .output()
            .await
            .expect("pgbench");
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{out}{err}");
        let rate = out.lines().find_map(|line| {
            let rate = line.strip_prefix("tps = ")?;
            rate.split(' ').next()?.parse().ok()
        });
        rate.unwrap_or_else(|| panic!("no figure: {out}{err}"))
    }
}

/// The same number of rows, and as long but for a few letters.
pub fn assert_alike(one: &[(String, i64, i64)], other: &[(String, i64, i64)]) {
    for ((table, count, length), (_, other_count, other_length)) in one.iter().zip(other) {
        let difference = (length - other_length).abs();
        assert!(
            count == other_count && difference * 20 <= *length,
            "{table}: {count} rows of {length} against {other_count} of {other_length}"
        );
    }
}
