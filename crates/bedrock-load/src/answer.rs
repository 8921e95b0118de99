//! Reading an HTTP/1.1 answer as far as a benchmark needs: where it ends, and how long its body is.

/// How far an answer has been read. Fed in pieces of any size; nothing is kept but numbers.
#[derive(Debug)]
pub struct Answer {
    state: State,
    /// The header so far.
    head: Vec<u8>,
    /// Bytes of the body so far.
    pub body: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are still to come.
    Length(u64),
    /// In a chunk's size line.
    Size(u64),
    /// So many bytes of a chunk, with the line break after it, are still to come; whether it is the last.
    Chunk(u64, bool),
    Done,
}

impl Answer {
    /// Nothing has come.
    pub fn new() -> Self {
        Self {
            state: State::Head,
            head: Vec::new(),
            body: 0,
        }
    }

    /// Whether all of it is there.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// It is no answer with status 200 whose end can be known.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::Head => {
                    self.head.push(byte);
                    bytes = rest;
                    if self.head.ends_with(b"\r\n\r\n") {
                        self.state = framing(&String::from_utf8_lossy(&self.head))?;
                    }
                }
                State::Length(left) => {
                    bytes = bytes.get(self.skip(left, bytes)..).unwrap_or_default();
                }
                State::Size(size) => {
                    bytes = rest;
                    self.state = match (char::from(byte).to_digit(16), byte) {
                        (Some(digit), _) => State::Size(size * 16 + u64::from(digit)),
                        (None, b'\n') => State::Chunk(size + 2, size == 0),
                        (None, b'\r') => State::Size(size),
                        _ => return Err("a chunk without a size".to_owned()),
                    };
                }
                State::Chunk(left, _) => {
                    bytes = bytes.get(self.skip(left, bytes)..).unwrap_or_default();
                }
                State::Done => return Err("more than one answer".to_owned()),
            }
        }
        Ok(())
    }

    /// Takes up to `left` bytes; how many.
    fn skip(&mut self, left: u64, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - taken as u64;
        self.body += taken as u64;
        self.state = match (self.state, left) {
            (State::Chunk(_, false), 0) => State::Size(0),
            (State::Chunk(_, last), left) if left > 0 => State::Chunk(left, last),
            (State::Length(_), left) if left > 0 => State::Length(left),
            _ => State::Done,
        };
        taken
    }
}

fn framing(head: &str) -> Result<State, String> {
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200") {
        return Err(format!("answered with {status}"));
    }
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if header("transfer-encoding") == Some("chunked") {
        return Ok(State::Size(0));
    }
    match header("content-length").and_then(|length| length.parse().ok()) {
        Some(0) => Ok(State::Done),
        Some(length) => Ok(State::Length(length)),
        None => Err("an answer whose end cannot be known".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_end_is_found_however_an_answer_is_cut() {
        let chunked: &[u8] =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        let length: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd";
        for whole in [chunked, length] {
            for cut in 0..whole.len() {
                let mut answer = Answer::new();
                let (first, second) = whole.split_at(cut);
                answer.push(first).unwrap();
                assert!(!answer.is_done());
                answer.push(second).unwrap();
                assert!(answer.is_done());
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for bad in [
            &b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz",
        ] {
            assert!(Answer::new().push(bad).is_err());
        }
    }
}
