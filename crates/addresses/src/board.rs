//! What is known of each name, in memory that all workers share: plain numbers, of which any values are safe to read.
//!
//! A worker that is killed while it writes leaves a slot without addresses or with old ones, never with half of one: how many
//! there are is written last.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::question::LONGEST_NAME;
use crate::{MOST_ADDRESSES, MOST_NAMES, Question};

/// A slot for each name.
#[repr(C)]
pub struct Board {
    slots: [Slot; MOST_NAMES],
}

/// What is known of one name. Times are in milliseconds, of a clock that all workers share.
#[repr(C)]
pub struct Slot {
    name: [u8; LONGEST_NAME],
    /// How long the name is; 0 in a slot that is free.
    length: u8,
    ipv6: u8,
    /// Failures in a row.
    failures: u32,
    /// Changes with the addresses.
    generation: u32,
    /// When somebody asked last.
    asked: u64,
    /// When the question was asked that the addresses are the answer to.
    answered: u64,
    count: u32,
    addresses: [Stored; MOST_ADDRESSES],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Stored {
    octets: [u8; 16],
    scope: u32,
    is_ipv6: u32,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// There are other addresses now.
    pub changed: bool,
    /// It is the first failure in a row.
    pub failed: bool,
    /// It is the first success after a failure.
    pub recovered: bool,
}

impl Board {
    /// Has a slot for each of `names`. What is known of other names is forgotten only where there is no room.
    pub fn make_room(&mut self, names: &[Question]) {
        for name in names {
            if self.slot(name).is_some() {
                continue;
            }
            let unwanted = |slot: &&mut Slot| !names.iter().any(|name| slot.is_of(name));
            let oldest = self.slots.iter_mut().filter(unwanted);
            if let Some(slot) = oldest.min_by_key(|slot| (slot.length > 0, slot.asked)) {
                slot.begin(name);
            }
        }
    }

    /// The slot of a name; `None` if it was given to another one since.
    pub fn slot(&mut self, name: &Question) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.is_of(name))
    }
}

impl Slot {
    fn is_of(&self, name: &Question) -> bool {
        self.ipv6 == u8::from(name.ipv6)
            && self.length > 0
            && self.name.get(..usize::from(self.length)) == Some(name.host.as_bytes())
    }

    fn begin(&mut self, name: &Question) {
        let host = name.host.as_bytes();
        let (Ok(length), Some(place)) = (u8::try_from(host.len()), self.name.get_mut(..host.len()))
        else {
            return;
        };
        place.copy_from_slice(host);
        self.count = 0;
        self.ipv6 = u8::from(name.ipv6);
        self.failures = 0;
        self.generation = self.generation.wrapping_add(1);
        self.asked = 0;
        self.answered = 0;
        self.length = length;
    }

    /// Whether it is time to ask: no worker did since `valid` milliseconds, or less after a failure. `urgent`: connections
    /// fail, and other addresses may be known already.
    pub fn is_due(&self, now: u64, valid: u64, urgent: bool) -> bool {
        let wait = match self.failures {
            _ if self.asked == 0 => 0,
            0 if urgent => valid.min(SOONEST),
            0 => valid,
            // Not more often than that, however many requests fail meanwhile.
            failures => {
                let doubled = FIRST_RETRY << (failures - 1).min(10);
                let longest = if urgent { SOONEST } else { LONGEST_RETRY };
                doubled.min(longest).min(valid)
            }
        };
        now.saturating_sub(self.asked) >= wait
    }

    /// Notes that somebody asks now.
    pub fn ask(&mut self, now: u64) {
        self.asked = now;
    }

    /// Takes the answer to what was asked at `asked`. After a failure the addresses stay; after a later answer nothing changes.
    pub fn answered(&mut self, asked: u64, answer: Option<&[SocketAddr]>) -> Outcome {
        if asked < self.answered {
            return Outcome::default();
        }
        let Some(addresses) = answer else {
            let failed = self.failures == 0;
            self.failures = self.failures.saturating_add(1);
            return Outcome {
                failed,
                ..Outcome::default()
            };
        };
        let recovered = std::mem::take(&mut self.failures) > 0;
        self.answered = asked;
        let changed = self.addresses() != addresses;
        if changed {
            self.count = 0;
            let mut count = 0;
            for (place, address) in self.addresses.iter_mut().zip(addresses) {
                *place = Stored::from(address);
                count += 1;
            }
            self.generation = self.generation.wrapping_add(1);
            self.count = count;
        }
        Outcome {
            changed,
            failed: false,
            recovered,
        }
    }

    /// The last good answer, in the order in which it came; empty before the first one.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let stored = self.addresses.iter().take(count);
        stored.map(Stored::address).collect()
    }

    /// A number that is another one after each change.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

impl From<&SocketAddr> for Stored {
    fn from(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self {
                octets: v4.ip().to_ipv6_mapped().octets(),
                scope: 0,
                is_ipv6: 0,
            },
            SocketAddr::V6(v6) => Self {
                octets: v6.ip().octets(),
                scope: v6.scope_id(),
                is_ipv6: 1,
            },
        }
    }
}

impl Stored {
    fn address(&self) -> SocketAddr {
        let ip = Ipv6Addr::from(self.octets);
        match self.is_ipv6 {
            0 => {
                let ip = ip.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED);
                SocketAddr::new(IpAddr::V4(ip), 0)
            }
            _ => SocketAddr::V6(SocketAddrV6::new(ip, 0, 0, self.scope)),
        }
    }
}

/// However urgent it is, names are not looked up more often than each second.
const SOONEST: u64 = 1000;
const FIRST_RETRY: u64 = 500;
const LONGEST_RETRY: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Box<Board> {
        let stored = Stored {
            octets: [0; 16],
            scope: 0,
            is_ipv6: 0,
        };
        let slot = || Slot {
            name: [0; LONGEST_NAME],
            length: 0,
            ipv6: 0,
            failures: 0,
            generation: 0,
            asked: 0,
            answered: 0,
            count: 0,
            addresses: [stored; MOST_ADDRESSES],
        };
        Box::new(Board {
            slots: std::array::from_fn(|_| slot()),
        })
    }

    fn name(host: &str) -> Question {
        Question {
            host: host.to_owned(),
            ipv6: true,
        }
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        let addresses = texts.iter().map(|text| text.parse::<IpAddr>().unwrap());
        addresses.map(|ip| SocketAddr::new(ip, 0)).collect()
    }

    #[test]
    fn the_last_good_answer_stays() {
        let mut board = board();
        board.make_room(&[name("a")]);
        let slot = board.slot(&name("a")).unwrap();
        assert!(slot.addresses().is_empty());
        let both = addresses(&["10.0.0.1", "fe80::1"]);
        let first = slot.answered(10, Some(&both));
        assert!(first.changed && !first.recovered);
        assert_eq!(slot.addresses(), both);
        let generation = slot.generation();
        assert_eq!(slot.answered(20, Some(&both)), Outcome::default());
        assert!(slot.answered(30, None).failed);
        assert!(!slot.answered(40, None).failed);
        assert_eq!((slot.addresses(), slot.generation()), (both, generation));
        let other = addresses(&["10.0.0.2"]);
        let after = slot.answered(50, Some(&other));
        assert!(after.changed && after.recovered && slot.generation() != generation);
        assert_eq!(slot.addresses(), other);
        // Asked before, come after.
        assert_eq!(slot.answered(45, Some(&[])), Outcome::default());
        assert_eq!(slot.answered(45, None), Outcome::default());
        assert_eq!(slot.addresses(), other);
    }

    #[test]
    fn one_asks_for_all_and_sooner_after_a_failure() {
        let mut board = board();
        board.make_room(&[name("a")]);
        let slot = board.slot(&name("a")).unwrap();
        assert!(slot.is_due(5, 10_000, false));
        slot.ask(5);
        assert!(!slot.is_due(10_004, 10_000, false));
        assert!(slot.is_due(10_005, 10_000, false));
        assert!(!slot.is_due(1004, 10_000, true) && slot.is_due(1005, 10_000, true));
        // A clock that runs a little behind.
        assert!(!slot.is_due(4, 10_000, true));
        let mut waits = Vec::new();
        for _ in 0..7 {
            slot.answered(5, None);
            waits.push(
                (0..)
                    .find(|wait| slot.is_due(5 + wait, 60_000, false))
                    .unwrap(),
            );
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert!(slot.is_due(1005, 60_000, true) && !slot.is_due(1004, 60_000, true));
        assert!(slot.is_due(205, 200, false));
    }

    #[test]
    fn names_that_are_not_wanted_give_way_only_where_there_is_no_room() {
        let mut board = board();
        let names: Vec<_> = (0..MOST_NAMES).map(|n| name(&format!("n{n}"))).collect();
        board.make_room(&names);
        for (asked, name) in names.iter().enumerate() {
            let slot = board.slot(name).unwrap();
            slot.ask(u64::try_from(asked).unwrap() + 1);
            slot.answered(1, Some(&addresses(&["10.0.0.1"])));
        }
        board.make_room(&[name("n7"), name("n0"), name("other")]);
        assert!(
            board.slot(&name("n1")).is_none(),
            "the one that was asked for longest ago"
        );
        assert_eq!(board.slot(&name("n0")).unwrap().addresses().len(), 1);
        assert_eq!(board.slot(&name("n2")).unwrap().addresses().len(), 1);
        assert!(board.slot(&name("other")).unwrap().addresses().is_empty());
        let other_kind = Question {
            ipv6: false,
            ..name("n0")
        };
        assert!(board.slot(&other_kind).is_none());
    }

    #[test]
    fn whatever_is_in_the_memory_can_be_read() {
        let mut board = board();
        board.make_room(&[name("a")]);
        let slot = board.slot(&name("a")).unwrap();
        slot.count = u32::MAX;
        assert_eq!(slot.addresses().len(), MOST_ADDRESSES);
        slot.failures = u32::MAX;
        slot.asked = u64::MAX;
        assert!(!slot.is_due(1, 1, false));
        slot.answered(0, None);
        slot.length = 255;
        assert!(board.slot(&name("a")).is_none());
    }
}
