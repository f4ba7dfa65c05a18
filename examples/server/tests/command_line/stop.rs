//! What goes where, and how it ends.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::place::{EMAIL, PASSWORD, PATIENCE, Place, Server};

#[test]
fn only_the_one_line_goes_to_stdout() {
    let place = Place::new();
    let mut command = place.command(&["--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", "debug");
    let server = Server::start(command).unwrap();
    let port = server.address().strip_prefix("127.0.0.1:").unwrap();
    assert!(port.parse::<u16>().unwrap() > 0);
    let _ = server.ask("GET", "/api/v1/doctors", "", "");
    assert!(!server.stop().is_empty(), "the log is on stderr");
}

/// Reads lines to the empty one that ends a head.
fn read_head(reader: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    head
}

#[test]
fn both_signals_answer_what_is_in_flight_and_stop() {
    let place = Place::new();
    place.create_administrator().succeeded();
    for signal in ["TERM", "INT"] {
        let mut server = place.serve(&["--listen", "127.0.0.1:0"]);
        let body = format!(r#"{{"email":"{EMAIL}","password":"{PASSWORD}"}}"#);
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream);
        write!(
            reader.get_mut(),
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        )
        .unwrap();
        // The server has read the head: the request is in flight.
        assert!(read_head(&mut reader).starts_with("HTTP/1.1 100"));
        server.signal(signal);
        // It takes nobody new from some moment on.
        let mut is_closed = false;
        for _ in 0..3_000 {
            is_closed = TcpStream::connect(server.address()).is_err();
            if is_closed {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        assert!(is_closed);
        reader.get_mut().write_all(body.as_bytes()).unwrap();
        let head = read_head(&mut reader);
        assert!(head.starts_with("HTTP/1.1 200"), "{signal}: {head}");
        drop(reader);
        assert_eq!(server.wait(), Some(0), "{signal}");
    }
}
