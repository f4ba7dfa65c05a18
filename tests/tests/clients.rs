//! The sockets end to end: the real server, and the real Socket.IO clients of JavaScript and of
//! Python, over websocket, over polling, and over both in turn; and calls between two pages of a
//! real browser, Chromium, whose media goes from page to page or through a real relay, coturn.
//!
//! `tests/clients/prepare` installs the clients outside of the checkout, and `tests/run` runs it.
//! What is not there shows as ignored, with the reason; with `TELEMED_REQUIRE_CLIENTS=1`,
//! `TELEMED_REQUIRE_BROWSER=1` and `TELEMED_REQUIRE_COTURN=1`, all of which `CI=true` implies, that
//! is a failure.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clients {
    pub mod calls;
    pub mod driver;
    pub mod scenes;
}

use std::process::ExitCode;

use clients::calls;
use clients::driver::{Kind, Transports};
use clients::scenes::SCENES;
use libtest_mimic::Arguments;
use telemed_tests::clients::{Browser, Coturn, trial};

fn main() -> ExitCode {
    let mut all = Vec::new();
    for kind in [Kind::Node, Kind::Python] {
        for transports in Transports::ALL {
            for (name, scene) in SCENES {
                let name = format!("{kind}::{transports}::{name}");
                let required = "TELEMED_REQUIRE_CLIENTS";
                all.push(trial(name, kind.missing(), required, move || {
                    scene(kind, transports)
                }));
            }
        }
    }
    let (browser, coturn) = (Browser::missing(), Coturn::missing());
    let required = "TELEMED_REQUIRE_BROWSER";
    all.push(trial(
        "chromium::two_pages_see_each_other",
        browser,
        required,
        calls::two_pages_see_each_other,
    ));
    all.push(trial(
        "chromium::a_call_takes_little_longer_than_its_media",
        browser,
        required,
        calls::a_call_takes_little_longer_than_its_media,
    ));
    let (missing, required) = match browser {
        Some(_) => (browser, required),
        None => (coturn, "TELEMED_REQUIRE_COTURN"),
    };
    all.push(trial(
        "chromium::coturn::a_relay_carries_a_call",
        missing,
        required,
        calls::a_relay_carries_a_call,
    ));
    all.push(trial(
        "chromium::coturn::a_credential_that_has_run_out_is_refused",
        missing,
        required,
        calls::a_credential_that_has_run_out_is_refused,
    ));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}
