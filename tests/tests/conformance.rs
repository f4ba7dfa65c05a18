//! Runs the storage conformance suite on every store.
//!
//! The cases of PostgreSQL show as ignored without one; `TELEMED_REQUIRE_POSTGRES=1` makes that a
//! failure.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;
use telemed_tests::suite::cases;
use telemed_tests::{MemoryUnderTest, SqliteUnderTest, on_postgres, trials};

fn main() -> ExitCode {
    let cases = cases();
    let mut all = trials(&Arc::new(MemoryUnderTest), &cases);
    all.extend(trials(&Arc::new(SqliteUnderTest), &cases));
    all.extend(on_postgres(|postgres| trials(&Arc::new(postgres), &cases)));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}
