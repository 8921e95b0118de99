//! Converse events as server-sent events: the event's type in `event:`, its payload in `data:`.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use memchr::memchr2;

use crate::dialect::native::error;
use crate::dialect::{EventWriter, Incoming};
use crate::refusal::Refusal;

/// Writes one answer.
#[derive(Debug)]
pub(crate) struct Stream;

impl EventWriter for Stream {
    fn event(&mut self, incoming: &Incoming<'_>, out: &mut Vec<u8>) {
        write(incoming.name, incoming.payload, out);
    }

    fn end(&mut self, _: &mut Vec<u8>) -> bool {
        true
    }

    fn error(&mut self, name: &str, refusal: &Refusal, out: &mut Vec<u8>) {
        write(name, &error::answer(refusal).body, out);
    }

    fn tells_errors(&self) -> bool {
        false
    }
}

/// Appends one event. Line breaks between the tokens of a payload, which JSON allows, start a new `data:` line.
pub fn write(event: &str, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    // A type is a short name; a line break in one would be another field.
    for piece in event.split(['\r', '\n']) {
        out.extend_from_slice(piece.as_bytes());
    }
    let mut rest = payload;
    loop {
        out.extend_from_slice(b"\ndata: ");
        let Some((line, after)) = memchr2(b'\r', b'\n', rest)
            .and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)))
        else {
            break out.extend_from_slice(rest);
        };
        out.extend_from_slice(line);
        rest = after;
    }
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_payload_can_end_an_event_early() {
        let mut out = Vec::new();
        write("messageStop", br#"{"stopReason":"end_turn"}"#, &mut out);
        write("a\nb", b"{\n\n\"x\":1\r\n}", &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "event: messageStop\ndata: {\"stopReason\":\"end_turn\"}\n\nevent: ab\ndata: {\ndata: \ndata: \"x\":1\ndata: \ndata: }\n\n"
        );
    }
}
