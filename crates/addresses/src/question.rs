//! What is looked up.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A name, and which of its addresses are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name of a host.
    pub host: String,
    /// Whether IPv6 addresses are wanted, beside those of IPv4.
    pub ipv6: bool,
}

impl Question {
    /// What the address of a `server` line asks for, and the port that goes with each answer. `None` where there is nothing
    /// to look up: an IP address, a UNIX socket, or what is no address at all.
    pub fn of_server(address: &str, ipv6: bool) -> Option<(Self, u16)> {
        let (host, port) = match address.split_once(':') {
            Some((host, port)) => (host, number(port)?),
            None => (address, 80),
        };
        // nginx takes the rest: "unix:…", "[::1]:80", and what it refuses.
        let is_name = host.parse::<Ipv4Addr>().is_err()
            && host.parse::<Ipv6Addr>().is_err()
            && (1..=LONGEST_NAME).contains(&host.len())
            && host.bytes().all(is_part_of_name);
        is_name.then(|| {
            let host = host.to_owned();
            (Self { host, ipv6 }, port)
        })
    }
}

/// A port in digits, and not 0.
fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

/// In DNS, and of what is kept of it.
pub(crate) const LONGEST_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_and_addresses_are_not() {
        let asked = |text| Question::of_server(text, true).map(|(name, port)| (name.host, port));
        let named = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(asked("a.example:443"), named("a.example", 443));
        assert_eq!(asked("a_b"), named("a_b", 80));
        assert_eq!(asked("a.example.:1"), named("a.example.", 1));
        let longest = "n".repeat(253);
        assert_eq!(asked(&longest), named(&longest, 80));
        for other in [
            "127.0.0.1:80",
            "127.0.0.1",
            "[::1]:80",
            "::1",
            "unix:/run/a",
            "",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:80:90",
            "a/b",
            "a b:1",
            "a:80/x",
            "größe:1",
        ] {
            assert_eq!(asked(other), None, "{other}");
        }
        assert_eq!(asked(&"n".repeat(254)), None);
    }
}
