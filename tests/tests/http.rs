//! The booking surface end to end: the real server, spoken to over HTTP, held to what its contract
//! says of every route.

// A panic is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod http {
    mod addresses;
    mod appointments;
    mod auth;
    mod calls;
    mod clinics;
    mod cors;
    mod doctors;
    mod guessing;
    mod hosting;
    mod idempotency;
    mod languages;
    mod limits;
    mod messaging;
    mod notifications;
    mod openapi;
    mod patients;
    mod permissions;
    mod platform;
    mod races;
    mod raw;
    mod refusals;
    mod routes;
    mod rubbish;
    mod slots;
    mod sockets;
    mod tokens;
    mod transitions;
    mod unread;
    mod users;
    mod wire;
}
