//! The sockets end to end: the real server, and the real Socket.IO clients of JavaScript and of
//! Python, over websocket, over polling, and over both in turn.
//!
//! `tests/clients/prepare` installs the clients outside of the checkout, and `tests/run` runs it.
//! Without them these tests show as ignored, with the reason; with `TELEMED_REQUIRE_CLIENTS=1`,
//! which `CI=true` implies, that is a failure.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clients {
    pub mod driver;
    pub mod scenes;
}

use std::process::ExitCode;

use clients::driver::{Kind, Transports};
use clients::scenes::SCENES;
use libtest_mimic::{Arguments, Trial};
use telemed_tests::in_runtime;

fn main() -> ExitCode {
    let mut all = Vec::new();
    for kind in [Kind::Node, Kind::Python] {
        for transports in Transports::ALL {
            for (name, scene) in SCENES {
                let name = format!("{kind}::{transports}::{name}");
                all.push(match kind.missing() {
                    None => {
                        let run = move || {
                            in_runtime(scene(kind, transports));
                            Ok(())
                        };
                        Trial::test(name, run)
                    }
                    Some(reason) => {
                        Trial::test(format!("{name} ({reason})"), move || Err(reason.into()))
                            .with_ignored_flag(!is_required())
                    }
                });
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

/// Whether a client that is not installed is a failure.
fn is_required() -> bool {
    let says = |name: &str, value: &str| std::env::var_os(name).is_some_and(|v| v == value);
    says("TELEMED_REQUIRE_CLIENTS", "1") || says("CI", "true")
}
