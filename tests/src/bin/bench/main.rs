//! The benchmarks: every figure beside what it is measured against, in one run.
//!
//! ```text
//! cargo run --release -p telemed-tests --bin bench -- bookings [--rounds 5] [--dir FOLDER]
//! cargo run --release -p telemed-tests --bin bench -- platform [--rounds 5] [--dir FOLDER]
//! cargo run --release -p telemed-tests --bin bench -- postgres [--rounds 5]
//! cargo run --release -p telemed-tests --bin bench -- messages [--full] [--rounds 5] [--dir FOLDER]
//! cargo run --release -p telemed-tests --bin bench -- sockets [PART…] [--rounds 5] [--dir FOLDER]
//! cargo run --release -p telemed-tests --bin bench -- signals [--rounds 5] [--dir FOLDER]
//! cargo run --release -p telemed-tests --bin bench -- calls [--rounds 5] [--dir FOLDER]
//! ```
//!
//! `postgres` prints how many bookings a second the engine makes on PostgreSQL, for 16 and for 64
//! callers over many slots and for 64 on one, beside pgbench with the same SQL and beside pgbench
//! with a script that only updates the slot and inserts the appointment. It uses the server of
//! `TELEMED_POSTGRES_URL`, or else starts one; pgbench has to be installed.
//!
//! `messages` prints what a page of a conversation, its oldest page, its count of unread messages
//! and the list of conversations cost with 1,000 messages and with 100,000 (`--full`: a million),
//! and what it costs to look for a word in all of them.
//!
//! `sockets` prints, part by part: `delivered`, how long a message takes from its sender to its
//! receiver over the raw WebSocket, beside a bare relay with one fsync for each message; `typing`,
//! how many such events pass, beside the bare relay; `messages`, how many of them Socket.IO carries
//! for a second of the server's processor, beside Node's own server with the same durability, which
//! `tests/clients/prepare server` installs; and `idle`, what a socket costs that says nothing, with
//! 5,000 of them, beside Node's, too.
//!
//! `signals` prints how many candidates, how many offers, and how many of both as a call has them
//! (ten candidates for a description) pass between the devices of calls,
//! beside the bare relay.
//!
//! `calls` prints how long it takes from a call's beginning until two pages of a real browser see
//! each other, beside the same connections between the same pages without a server. It needs
//! Chromium, and what `tests/clients/prepare` installs.
//!
//! `platform` prints what logins (beside Argon2id alone), lists of 50 appointments and bookings by
//! date cost in requests a second and processor time, and how long the refusals of an unknown user
//! and of a wrong password take.
//!
//! `bookings` prints what a booking costs on SQLite with `synchronous=FULL`, for one caller and
//! for 64, beside a bare commit and beside the same statements batched by hand, and over HTTP
//! beside a bare hyper server that answers as many bytes. The folder should lie on the disk that
//! a real database would lie on; without one it is made in the system's folder for such files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod bookings;
mod by_hand;
mod calls;
mod http;
mod load;
mod messages;
mod platform;
mod postgres;
mod report;
mod seed;
mod signals;
mod sockets;

use std::path::PathBuf;
use std::process::ExitCode;

use sockets::Part;
use telemed_tests::clients::Browser;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match words.as_slice() {
        ["bookings", options @ ..] => match Options::parse(options) {
            Some(options) => {
                runtime.block_on(bookings::run(&options));
                ExitCode::SUCCESS
            }
            None => usage(),
        },
        ["platform", options @ ..] => match Options::parse(options) {
            Some(options) => {
                runtime.block_on(platform::run(&options));
                ExitCode::SUCCESS
            }
            None => usage(),
        },
        ["postgres", options @ ..] => match Options::parse(options) {
            Some(options) => {
                runtime.block_on(postgres::run(&options));
                ExitCode::SUCCESS
            }
            None => usage(),
        },
        ["messages", options @ ..] => {
            let (full, options): (Vec<_>, Vec<_>) =
                options.iter().partition(|word| **word == "--full");
            match Options::parse(&options) {
                Some(options) => {
                    runtime.block_on(messages::run(&options, !full.is_empty()));
                    ExitCode::SUCCESS
                }
                None => usage(),
            }
        }
        ["sockets", options @ ..] => {
            let parts: Vec<_> = options.iter().map_while(|word| Part::named(word)).collect();
            match Options::parse(&options[parts.len()..]) {
                Some(options) => {
                    runtime.block_on(sockets::run(&options, &parts));
                    ExitCode::SUCCESS
                }
                None => usage(),
            }
        }
        ["signals", options @ ..] => match Options::parse(options) {
            Some(options) => {
                runtime.block_on(signals::run(&options));
                ExitCode::SUCCESS
            }
            None => usage(),
        },
        ["calls", options @ ..] => match (Options::parse(options), Browser::missing()) {
            (Some(options), None) => {
                runtime.block_on(calls::run(&options));
                ExitCode::SUCCESS
            }
            (Some(_), Some(why)) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
            (None, _) => usage(),
        },
        // The other side of the HTTP figures, in a process of its own.
        ["serve-engine", folder] => {
            runtime.block_on(http::serve_engine(folder.as_ref()));
            ExitCode::SUCCESS
        }
        ["serve-doors", folder] => {
            runtime.block_on(http::serve_doors(folder.as_ref()));
            ExitCode::SUCCESS
        }
        ["serve-sockets", folder] => {
            runtime.block_on(sockets::house::serve(folder.as_ref()));
            ExitCode::SUCCESS
        }
        ["serve-relay", file @ ..] => {
            let file = file.first().map(std::path::Path::new);
            runtime.block_on(sockets::relay::serve(file));
            ExitCode::SUCCESS
        }
        ["serve-echo", bytes] => {
            runtime.block_on(http::serve_echo(bytes.parse().expect("a number of bytes")));
            ExitCode::SUCCESS
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: bench bookings|platform|postgres|messages|sockets|signals|calls [--rounds N] [--dir FOLDER]"
    );
    ExitCode::from(2)
}

/// What one may choose.
pub struct Options {
    /// How often each figure is taken.
    pub rounds: usize,
    /// Where the databases lie.
    pub folder: Option<PathBuf>,
}

impl Options {
    fn parse(words: &[&str]) -> Option<Self> {
        let mut options = Self {
            rounds: 5,
            folder: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--rounds" => options.rounds = words.next()?.parse().ok().filter(|n| *n > 0)?,
                "--dir" => options.folder = Some(words.next()?.into()),
                _ => return None,
            }
        }
        Some(options)
    }
}
