//! The command line of the server as an operator meets it: exit codes, the one line that says
//! what to do, settings and their order, keys, the first administrator, and a stop.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

mod command_line {
    mod commands;
    mod demo;
    mod keys;
    mod place;
    mod settings;
    mod stop;
    mod usage;
}
