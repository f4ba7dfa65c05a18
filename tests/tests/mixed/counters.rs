//! What the database itself says.

use std::time::Duration;

use sqlx::Row;
use telemed_tests::postgres::PostgresDatabase;
use tokio::time::Instant;

/// How many days of doctors have another count than that of the seats taken in their slots.
pub async fn wrong_days(database: &PostgresDatabase) -> i64 {
    let mut connection = database.connect().await;
    let sql = "SELECT count(*) FROM (
                   SELECT doctor_id, local_day, sum(booked_count) AS taken FROM slots
                   GROUP BY doctor_id, local_day
               ) AS truth FULL JOIN doctor_days USING (doctor_id, local_day)
               WHERE coalesce(truth.taken, 0) <> coalesce(doctor_days.taken, 0)";
    let counted = sqlx::query(sql).fetch_one(&mut connection).await;
    counted.unwrap().get(0)
}

/// How often transactions had waited in a circle, once all who used the database are gone: they
/// count when they go.
pub async fn deadlocks(database: &PostgresDatabase) -> i64 {
    let mut connection = database.connect().await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    loop {
        let counted = sqlx::query(others)
            .bind(database.name())
            .fetch_one(&mut connection)
            .await;
        if counted.unwrap().get::<i64, _>(0) == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "somebody stays connected");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = $1";
    let counted = sqlx::query(sql)
        .bind(database.name())
        .fetch_one(&mut connection)
        .await;
    counted.unwrap().get(0)
}
