//! Server-sent events of a response: each is called as its type, and they are numbered.

/// Writes events, or counts for nothing where only the answer at their end is wanted.
#[derive(Debug)]
pub struct Events {
    next: u64,
    silent: bool,
}

impl Events {
    /// The first is number 0.
    pub fn new(silent: bool) -> Self {
        Self { next: 0, silent }
    }

    /// Whether nobody reads them.
    pub fn silent(&self) -> bool {
        self.silent
    }

    /// Writes an event of this type, with these pieces of its members.
    pub fn write(&mut self, kind: &str, members: &[&[u8]], out: &mut Vec<u8>) {
        if self.silent {
            return;
        }
        let number = self.next.to_string();
        self.next += 1;
        let length: usize = members.iter().map(|piece| piece.len()).sum();
        out.reserve(length + 2 * kind.len() + 64);
        for piece in [
            "event: ",
            kind,
            "\ndata: {\"type\":\"",
            kind,
            "\",\"sequence_number\":",
            &number,
            ",",
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
        for piece in members {
            out.extend_from_slice(piece);
        }
        out.extend_from_slice(b"}\n\n");
    }
}
