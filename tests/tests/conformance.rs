//! Runs the storage conformance suite on every store.
//!
//! The cases of PostgreSQL show as ignored without one; `TELEMED_REQUIRE_POSTGRES=1` makes that a
//! failure.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use telemed_tests::suite::{Case, cases};
use telemed_tests::{MemoryUnderTest, SqliteUnderTest, trials};

fn main() -> ExitCode {
    let cases = cases();
    let mut all = trials(&Arc::new(MemoryUnderTest), &cases);
    all.extend(trials(&Arc::new(SqliteUnderTest), &cases));
    all.extend(absent("postgres", "TELEMED_REQUIRE_POSTGRES", &cases));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

/// The cases of a store that is not there: ignored, or failing where it is required.
fn absent(store: &'static str, required_by: &'static str, cases: &[Case]) -> Vec<Trial> {
    let is_required = std::env::var_os(required_by).is_some_and(|value| value == "1");
    let trial = |case: &Case| {
        let name = format!("{store}::{}::{}", case.slice, case.name);
        let missing = format!("{required_by} is set, but there is no {store}");
        Trial::test(name, move || Err(missing.into())).with_ignored_flag(!is_required)
    };
    cases.iter().map(trial).collect()
}
