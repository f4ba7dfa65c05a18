//! Watches the bytes of an HTTP/1 connection for requests that two servers would cut differently.
//!
//! A head with both `Transfer-Encoding` and `Content-Length` ends at one place for us and perhaps
//! at another for a proxy in front, which is how requests are smuggled past it. hyper reads such a
//! head and drops the length, so that nothing above it can tell; this watcher sees the bytes before
//! hyper does. It parses no more than it needs to find where each head begins.

/// Where the bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Between two requests.
    Between,
    /// Inside a head.
    Head,
    /// Inside a body.
    Body,
    /// In something that is not understood: no further request is answered.
    Lost,
    /// Not HTTP/1.
    Unwatched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    Head,
    Sized(u64),
    ChunkSize,
    ChunkData(u64),
    Trailer,
    Lost,
    Off,
}

/// The longest line beginning that is kept: enough for the names and values that matter.
const KEPT: usize = 64;

/// What a `Content-Length` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Known(u64),
    NotUnderstood,
}

/// The watcher of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    /// The beginning of the current line, without its end.
    line: Vec<u8>,
    line_is_longer: bool,
    heads: u64,
    length: Option<Length>,
    chunked: bool,
    ambiguous: Option<u64>,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            state: State::Between,
            line: Vec::new(),
            line_is_longer: false,
            heads: 0,
            length: None,
            chunked: false,
            ambiguous: None,
        }
    }

    pub(super) fn position(&self) -> Position {
        match self.state {
            State::Between => Position::Between,
            State::Head => Position::Head,
            State::Sized(_) | State::ChunkSize | State::ChunkData(_) | State::Trailer => {
                Position::Body
            }
            State::Lost => Position::Lost,
            State::Off => Position::Unwatched,
        }
    }

    /// The number (from 1) of the first request of this connection that had both headers, or a
    /// length that is not understood; none from it on may be answered.
    pub(super) fn ambiguous(&self) -> Option<u64> {
        self.ambiguous
    }

    /// Takes note of bytes in the order in which they arrived.
    pub(super) fn watch(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.state {
                State::Lost | State::Off => return,
                State::Sized(left) => {
                    let (taken, left) = take(&mut bytes, left);
                    debug_assert!(taken > 0);
                    self.state = if left == 0 {
                        State::Between
                    } else {
                        State::Sized(left)
                    };
                }
                State::ChunkData(left) => {
                    let (_, left) = take(&mut bytes, left);
                    self.state = if left == 0 {
                        State::ChunkSize
                    } else {
                        State::ChunkData(left)
                    };
                }
                State::Between | State::Head | State::ChunkSize | State::Trailer => {
                    self.take_line(&mut bytes);
                }
            }
        }
    }

    fn take_line(&mut self, bytes: &mut &[u8]) {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let room = KEPT.saturating_sub(self.line.len());
        self.line_is_longer |= part.len() > room;
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        if self.state == State::Between && self.line.iter().any(|byte| *byte != b'\r') {
            self.state = State::Head;
        }
        let Some(end) = end else {
            *bytes = &[];
            return;
        };
        *bytes = &bytes[end + 1..];
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let line = std::mem::take(&mut self.line);
        let is_whole = !std::mem::take(&mut self.line_is_longer);
        self.end_line(&line, is_whole);
        self.line = line;
        self.line.clear();
    }

    fn end_line(&mut self, line: &[u8], is_whole: bool) {
        match self.state {
            State::Head if line.is_empty() => self.end_head(),
            State::Head => self.header(line, is_whole),
            // Empty lines before a request line are allowed (RFC 9112, section 2.2).
            State::Between => {}
            // The line end after a chunk's data is an empty line here.
            State::ChunkSize if line.is_empty() => {}
            State::ChunkSize => {
                self.state = match chunk_size(line, is_whole) {
                    Some(0) => State::Trailer,
                    Some(size) => State::ChunkData(size),
                    None => {
                        // Whatever follows the request of this body.
                        self.ambiguous.get_or_insert(self.heads + 1);
                        State::Lost
                    }
                };
            }
            State::Trailer if line.is_empty() => self.state = State::Between,
            State::Trailer | State::Sized(_) | State::ChunkData(_) | State::Lost | State::Off => {}
        }
    }

    fn header(&mut self, line: &[u8], is_whole: bool) {
        if line == b"PRI * HTTP/2.0" {
            self.state = State::Off;
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = match digits(value, 10) {
                Some(length) if is_whole => Length::Known(length),
                _ => Length::NotUnderstood,
            };
            self.length = Some(match self.length {
                Some(before) if before != length => Length::NotUnderstood,
                _ => length,
            });
        }
    }

    fn end_head(&mut self) {
        self.heads += 1;
        let length = self.length.take();
        let chunked = std::mem::take(&mut self.chunked);
        if length == Some(Length::NotUnderstood) || (chunked && length.is_some()) {
            self.ambiguous.get_or_insert(self.heads);
        }
        self.state = match (chunked, length) {
            (_, Some(Length::NotUnderstood)) => State::Lost,
            (true, _) => State::ChunkSize,
            (false, Some(Length::Known(length))) if length > 0 => State::Sized(length),
            (false, _) => State::Between,
        };
    }
}

/// Takes at most `left` bytes; answers how many, and how many are left.
fn take(bytes: &mut &[u8], left: u64) -> (usize, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    *bytes = &bytes[taken..];
    (taken, left - taken as u64)
}

/// The size at the beginning of a chunk's line; `None` if it does not end in what is kept.
fn chunk_size(line: &[u8], is_whole: bool) -> Option<u64> {
    let mut parts = line.split(|byte| *byte == b';');
    let size = parts.next()?.trim_ascii();
    if !is_whole && parts.next().is_none() {
        return None;
    }
    digits(size, 16)
}

/// A number of digits only: no sign, nothing between.
fn digits(text: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if !text.chars().all(|letter| letter.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(bytes: &[u8], step: usize) -> Framing {
        let mut framing = Framing::new();
        for part in bytes.chunks(step) {
            framing.watch(part);
        }
        framing
    }

    fn check(bytes: &[u8], ambiguous: Option<u64>, position: Position) {
        for step in [1, 2, 7, 4096] {
            let framing = watched(bytes, step);
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(
                framing.ambiguous(),
                ambiguous,
                "{shown:?} in steps of {step}"
            );
            assert_eq!(framing.position(), position, "{shown:?} in steps of {step}");
        }
    }

    #[test]
    fn plain_requests_pass() {
        check(
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            None,
            Position::Between,
        );
        check(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", None, Position::Between);
        check(
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
            None,
            Position::Between,
        );
        check(
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel",
            None,
            Position::Body,
        );
        check(b"GET / HTTP/1.1\r\nHost", None, Position::Head);
        check(b"", None, Position::Between);
    }

    #[test]
    fn both_headers_are_seen_in_either_order_and_any_case() {
        check(
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Some(1),
            Position::Between,
        );
        check(
            b"POST / HTTP/1.1\nTRANSFER-encoding:chunked\ncontent-LENGTH:3\n\n0\n\n",
            Some(1),
            Position::Between,
        );
    }

    #[test]
    fn what_stands_in_a_body_is_no_head() {
        let fake = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let sized = format!(
            "POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{fake}",
            fake.len()
        );
        check(sized.as_bytes(), None, Position::Between);
        let chunked = format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x};a=b\r\n{fake}\r\n0\r\n\
             Content-Length: 9\r\n\r\n",
            fake.len()
        );
        check(chunked.as_bytes(), None, Position::Between);
    }

    #[test]
    fn a_later_request_is_told_apart() {
        let bytes = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi\
            POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n\
            POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n";
        check(bytes, Some(3), Position::Between);
    }

    #[test]
    fn http_2_is_not_watched() {
        check(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nContent-Length: 1",
            None,
            Position::Unwatched,
        );
    }

    #[test]
    fn long_lines_and_nonsense_do_no_harm() {
        let long = format!(
            "GET /{} HTTP/1.1\r\nX: {}\r\n\r\n",
            "a".repeat(9000),
            "b".repeat(9000)
        );
        check(long.as_bytes(), None, Position::Between);
        check(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            Some(2),
            Position::Lost,
        );
    }

    #[test]
    fn a_length_that_is_not_understood_whole_is_refused() {
        let padded = " ".repeat(100);
        for line in [
            "Content-Length: 99999999999999999999".to_owned(),
            "Content-Length: +5".to_owned(),
            "Content-Length: ".to_owned(),
            "Content-Length: 5, 5".to_owned(),
            "Content-Length: 5\r\nContent-Length: 6".to_owned(),
            format!("Content-Length: {padded}5"),
            format!("Content-Length: 5{padded}"),
            format!("Content-Length: {padded}5\r\nTransfer-Encoding: chunked"),
            format!("Content-Length: {}5", "0".repeat(100)),
        ] {
            let good = "GET / HTTP/1.1\r\n\r\n";
            let head = format!("{good}POST / HTTP/1.1\r\n{line}\r\n\r\n{good}");
            check(head.as_bytes(), Some(2), Position::Lost);
        }
        let twice = b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx";
        check(twice, None, Position::Between);
    }

    #[test]
    fn a_chunk_size_that_is_not_understood_whole_ends_the_connection() {
        let chunk = |size: &str| {
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello")
        };
        for size in [format!("{}5", "0".repeat(100)), "+5".to_owned()] {
            check(chunk(&size).as_bytes(), Some(2), Position::Lost);
        }
        let extension = format!("5;{}", "a".repeat(100));
        check(chunk(&extension).as_bytes(), None, Position::Body);
    }
}
