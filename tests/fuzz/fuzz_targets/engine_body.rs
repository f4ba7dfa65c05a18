#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| telemed_transport_http::fuzzing::engine_body(bytes));
