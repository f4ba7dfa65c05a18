//! Several servers of one PostgreSQL, end to end: the real server, more than once.
//!
//! Without a PostgreSQL these show as ignored; `TELEMED_REQUIRE_POSTGRES=1` makes that a failure.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod servers {
    pub mod booking;
    pub mod calling;
    pub mod chat;
    pub mod database;
    pub mod jobs;
    pub mod killed;
    pub mod migrating;
    pub mod pair;
    pub mod restarted;
    pub mod sessions;
    pub mod starting;
}

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use servers::{booking, calling, chat, jobs, killed, migrating, restarted, sessions, starting};
use telemed_tests::on_postgres;
use telemed_tests::postgres::PostgresServer;
use telemed_tests::server::SharedDatabase;

/// How long one of these may take before it counts as hanging, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let all = on_postgres(|postgres| {
        let server = &postgres.0;
        vec![
            on_database(
                server,
                "the_capacity_is_sold_exactly",
                booking::the_capacity_is_sold_exactly,
            ),
            on_database(
                server,
                "a_key_is_known_everywhere",
                booking::a_key_is_known_everywhere,
            ),
            on_database(
                server,
                "what_ends_a_session_ends_it_everywhere",
                sessions::what_ends_a_session_ends_it_everywhere,
            ),
            on_database(
                server,
                "guesses_are_counted_over_both",
                sessions::guesses_are_counted_over_both,
            ),
            on_database(
                server,
                "rates_are_counted_over_both",
                sessions::rates_are_counted_over_both,
            ),
            on_database(server, "a_job_is_done_once", jobs::a_job_is_done_once),
            on_database(
                server,
                "a_call_stops_ringing_without_its_server",
                calling::a_call_stops_ringing_without_its_server,
            ),
            on_database(
                server,
                "a_call_goes_over_two_servers_and_no_further",
                calling::a_call_goes_over_two_servers_and_no_further,
            ),
            on_database(server, "the_other_goes_on", killed::the_other_goes_on),
            on_database(
                server,
                "alone_it_loses_nothing",
                killed::alone_it_loses_nothing,
            ),
            on_database(
                server,
                "everybody_reads_the_same",
                chat::everybody_reads_the_same,
            ),
            on_database(
                server,
                "a_lost_answer_makes_no_second_message",
                chat::a_lost_answer_makes_no_second_message,
            ),
            on_database(
                server,
                "a_chat_survives_its_server",
                chat::a_chat_survives_its_server,
            ),
            on_database(
                server,
                "every_server_checks_the_whole_trail",
                starting::every_server_checks_the_whole_trail,
            ),
            on_server(
                server,
                "servers_that_start_at_once_share_new_keys",
                starting::servers_that_start_at_once_share_new_keys,
            ),
            on_server(
                server,
                "a_database_is_not_served_without_its_keys",
                starting::a_database_is_not_served_without_its_keys,
            ),
            on_server(
                server,
                "a_database_that_is_not_there_is_told",
                starting::a_database_that_is_not_there_is_told,
            ),
            on_server(
                server,
                "nothing_is_not_found_whole",
                starting::nothing_is_not_found_whole,
            ),
            on_server(
                server,
                "commands_work_beside_servers",
                starting::commands_work_beside_servers,
            ),
            on_server(
                server,
                "a_killed_migration_is_finished_by_the_next",
                migrating::a_killed_migration_is_finished_by_the_next,
            ),
            on_server(
                server,
                "a_newer_schema_is_refused",
                migrating::a_newer_schema_is_refused,
            ),
            Trial::test("service_is_back_with_the_database", || {
                run(restarted::service_is_back_with_the_database());
                Ok(())
            }),
        ]
    });
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

/// A test on a migrated database of its own.
fn on_database<F>(
    server: &Arc<PostgresServer>,
    name: &str,
    test: impl Fn(SharedDatabase) -> F + Copy + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    on_server(server, name, move |server| async move {
        let database = server.database().await;
        test(SharedDatabase::new(database.url(), database)).await;
    })
}

/// A test that makes databases.
fn on_server<F>(
    server: &Arc<PostgresServer>,
    name: &str,
    test: impl Fn(Arc<PostgresServer>) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let server = Arc::clone(server);
    Trial::test(name, move || {
        run(test(server));
        Ok(())
    })
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let ended = tokio::time::timeout(PATIENCE, test).await;
        ended.expect("it hangs");
    });
}
