//! A request as it came in: raw target, headers in order and in their own case, the whole body.
//!
//! hyper folds header names and hides their order, and a signature is over the bytes on the wire, so the connection is
//! tapped: what hyper reads from the socket is kept until the request it belongs to takes it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use hyper::{body::Bytes, http::request::Parts};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A request, whole.
#[derive(Debug, Clone)]
pub struct Received {
    /// Request line and headers.
    pub head: Head,
    /// The body, without any transfer coding.
    pub body: Bytes,
}

/// The request line and the headers as they were on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: String,
    /// The request target, byte for byte.
    pub target: String,
    /// Names as written and values without the white space around them, in the order of the wire.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// The values of a header, in order.
    pub fn values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of a header, when it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values(name)
            .next()
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Reads a head from the bytes hyper has read; `None` when a whole head is not there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes
            .split_inclusive(|&b| b == b'\n')
            .filter_map(|line| Some(line.strip_suffix(b"\n")?.trim_ascii_end()));
        let mut request_line = std::str::from_utf8(lines.find(|line| !line.is_empty())?)
            .ok()?
            .split(' ');
        let method = request_line.next()?.to_owned();
        let target = request_line.next()?.to_owned();
        request_line.next()?.strip_prefix("HTTP/1.")?;
        let mut headers = Vec::new();
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                return Some(Self {
                    method,
                    target,
                    headers,
                });
            }
            let (name, value) = line.split_at_checked(line.iter().position(|&b| b == b':')?)?;
            let value = value.strip_prefix(b":")?.trim_ascii();
            headers.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
        }
    }

    /// What hyper knows of the head: for a pipelined request, whose bytes were read with the one before it.
    pub fn from_parts(parts: &Parts) -> Self {
        Self {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
        }
    }
}

/// Holds the bytes that were read from a connection since it was last armed.
#[derive(Debug, Clone)]
pub struct Tap(Arc<Mutex<Option<Vec<u8>>>>);

impl Tap {
    /// A longer head is not kept; the request is then taken as hyper gives it.
    const LONGEST_HEAD: usize = 256 * 1024;

    /// Keeps what is read from here on.
    pub fn arm(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// Takes what was read and keeps nothing more until armed again.
    pub fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn read(&self, bytes: &[u8]) {
        if let Some(kept) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            && kept.len() < Self::LONGEST_HEAD
        {
            kept.extend_from_slice(bytes);
        }
    }
}

/// A TCP connection with a [`Tap`] on what is read.
#[derive(Debug)]
pub struct Tapped {
    stream: TcpStream,
    tap: Tap,
}

impl Tapped {
    /// Taps a connection; the tap is armed for its first request.
    pub fn new(stream: TcpStream) -> (Self, Tap) {
        let tap = Tap(Arc::new(Mutex::new(Some(Vec::new()))));
        (
            Self {
                stream,
                tap: tap.clone(),
            },
            tap,
        )
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.tap
            .read(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_keeps_case_order_and_repetitions() {
        let head = Head::parse(
            b"POST /model/a%3Ab/converse?x HTTP/1.1\r\nHost: h\r\nX-a:  1 2 \r\nx-A: 3\r\n\r\nbody",
        )
        .unwrap();
        assert_eq!(
            (head.method.as_str(), head.target.as_str()),
            ("POST", "/model/a%3Ab/converse?x")
        );
        let expected = [("Host", "h"), ("X-a", "1 2"), ("x-A", "3")]
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(head.headers, expected);
        assert_eq!(
            head.values("x-a").collect::<Vec<_>>(),
            [b"1 2".as_slice(), b"3"]
        );
    }

    #[test]
    fn half_a_head_is_none() {
        assert_eq!(Head::parse(b"POST / HTTP/1.1\r\nHost: h\r\n"), None);
        assert_eq!(Head::parse(b""), None);
        assert_eq!(Head::parse(b"POST /\r\n\r\n"), None);
    }
}
