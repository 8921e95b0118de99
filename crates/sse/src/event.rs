//! One event.

use std::borrow::Cow;

/// An event that has data; one without is nothing that clients ever see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// What `event` says; empty where nothing does, which stands for `message`.
    pub name: &'a [u8],
    /// What `data` says; several lines of it are joined by line feeds, a single one is not copied.
    pub data: Cow<'a, [u8]>,
}

impl<'a> Event<'a> {
    /// Reads the lines of an event, however each of them ends; `None` if it has no data.
    pub fn parse(lines: &'a [u8]) -> Option<Self> {
        let mut name: &[u8] = b"";
        let mut data: Option<Cow<'a, [u8]>> = None;
        // Between a carriage return and a line feed stands what looks like one more empty line.
        let lines = lines.split(|byte| matches!(byte, b'\r' | b'\n'));
        for line in lines.filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':');
            let (field, value) = line
                .split_at_checked(colon.unwrap_or(line.len()))
                .unwrap_or((line, b""));
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"event" => name = value,
                b"data" => match &mut data {
                    None => data = Some(Cow::Borrowed(value)),
                    Some(data) => {
                        let data = data.to_mut();
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                },
                _ => {}
            }
        }
        data.map(|data| Self { name, data })
    }
}
