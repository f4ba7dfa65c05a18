//! The server under faults: killed in mid-traffic, its audit trail tampered with, searched for
//! what must be nowhere in clear, stopped under load, flooded with logins.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod faults {
    mod audit;
    mod canaries;
    mod chat;
    mod crowd;
    mod kill;
    mod logins;
    mod stop;
}
