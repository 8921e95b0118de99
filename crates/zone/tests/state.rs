//! What outlives a zone's memory: bytes that are whole or refused, moments over a new start of the machine, keys in a new memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod processes;

use std::sync::atomic::Ordering::Relaxed;

use processes::{Idle, Memory};
use proptest::prelude::*;
use zone::{
    Asks, Clocks, Entry, Flaw, Key, Owner, Record, Seed, State, Tenant, WORDS, Writer, check_magic,
};

const SECOND: u64 = 1_000_000_000;

fn clocks(boot: u8, steady: u64, wall: u64) -> Clocks {
    Clocks {
        boot: [boot; 16],
        steady: steady * SECOND,
        wall: wall * SECOND,
    }
}

fn state(records: Vec<Record>) -> State {
    State {
        identity: "zone \"money\", a budget in usd a day".to_owned(),
        seed: Seed(1, u64::MAX),
        writer: Writer {
            instance: 7,
            memory: 1,
        },
        clocks: clocks(3, 100, 1_800_000_000),
        records,
    }
}

fn record(number: u64) -> Record {
    Record {
        key: Key::of(number, number << 32),
        place: number,
        touched: number,
        words: [number; WORDS],
    }
}

#[test]
fn what_is_not_whole_is_refused() {
    let bytes = state(vec![record(1), record(2)]).encode();
    for length in 0..bytes.len() {
        let refused = State::decode(&bytes[..length]).unwrap_err();
        assert_ne!(refused, Flaw::Foreign, "{length} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(State::decode(&longer).is_err());
    assert!(State::decode(&[&bytes[..], &bytes[..]].concat()).is_err());
}

#[test]
fn each_bit_counts() {
    let bytes = state(vec![record(1), record(2)]).encode();
    for place in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[place / 8] ^= 1 << (place % 8);
        let flaw = State::decode(&changed).unwrap_err();
        assert_eq!(flaw == Flaw::Foreign, place < 64, "bit {place}: {flaw}");
    }
}

#[test]
fn other_files_are_told_from_ours() {
    assert_eq!(check_magic(b"root:x:0:0"), Err(Flaw::Foreign));
    assert_eq!(State::decode(b"root:x:0:0"), Err(Flaw::Foreign));
    // Torn, of ours.
    for begin in [&b""[..], b"bed", b"bedrock\x1a", b"bedrock\x1a\x07"] {
        assert_eq!(check_magic(begin), Ok(()));
        assert_eq!(State::decode(begin), Err(Flaw::Length));
    }
    let mut later = state(vec![]).encode();
    later[8] = 2;
    assert_eq!(State::decode(&later), Err(Flaw::Version(2)));
}

#[test]
fn a_debt_is_paid_off_while_nginx_is_away() {
    let then = clocks(1, 100, 5000);
    let carried = |seconds: u64, now: Clocks| then.carry(seconds * SECOND, &now);
    // The same start of the machine: whatever the wall clock does.
    for wall in [0, 5000, 9000] {
        assert_eq!(carried(130, clocks(1, 120, wall)), 130 * SECOND);
        assert_eq!(carried(130, clocks(1, 131, wall)), 0);
    }
    // Another one: 30 seconds are left, of which 12 have passed.
    assert_eq!(carried(130, clocks(2, 4, 5012)), (4 + 18) * SECOND);
    assert_eq!(carried(130, clocks(2, 4, 5030)), 0);
    // The wall clock was set back: no allowance, and no more to wait than there was.
    assert_eq!(carried(130, clocks(2, 4, 1000)), (4 + 30) * SECOND);
    // Nobody says whether it is another one.
    let unknown = clocks(0, 100, 5000);
    let now = clocks(0, 400, 5010);
    assert_eq!(unknown.carry(130 * SECOND, &now), (400 + 20) * SECOND);
    // A steady clock that has gone back is another one.
    assert_eq!(carried(130, clocks(1, 4, 5012)), (4 + 18) * SECOND);
    // What was full stays so.
    assert_eq!(carried(0, clocks(2, 4, 1000)), 0);
    assert_eq!(carried(100, clocks(2, 4, 1000)), 0);
}

#[test]
fn what_was_asked_for_last_stays_the_last() {
    let then = clocks(1, 100, 5000);
    assert_eq!(then.carry_past(90_000, &clocks(1, 120, 0)), 90_000);
    assert_eq!(then.carry_past(90_000, &clocks(2, 50, 5020)), 20_000);
    assert_eq!(then.carry_past(90_000, &clocks(2, 5, 5020)), 0);
}

#[test]
fn keys_are_counted_on_in_a_new_memory() {
    let zone = Memory::new(1 << 20).zone(64, 64);
    let names: Vec<String> = (0..100).map(|number| format!("team-{number}")).collect();
    let asks = |zone: &processes::SharedZone, name: &'static str| Asks {
        key: zone.key(0, name.as_bytes()),
        label: name.as_bytes(),
        most: 9,
        now: 5,
    };
    let owner = Owner::new(0, 1).unwrap();
    for (number, name) in (1..).zip(&names) {
        let name: &'static str = name.clone().leak();
        let place = zone.enter(asks(&zone, name), owner, &Idle).unwrap();
        zone.entry(place).unwrap().words[1].store(number, Relaxed);
        if number % 2 == 0 {
            zone.leave(place);
        }
    }
    let written = State {
        seed: zone.header().seed(),
        records: zone
            .records()
            .into_iter()
            .map(|(record, _)| record)
            .collect(),
        ..state(vec![])
    };
    let bytes = written.encode();
    // Nothing of what keys are made from.
    assert!(!bytes.windows(4).any(|window| window == b"team"));
    let read = State::decode(&bytes).unwrap();
    let other = Memory::new(1 << 20).zone(64, 64);
    other.header().set_seed(read.seed);
    assert_eq!(other.restore(read.records, &read.clocks, &read.clocks), 0);
    for (number, name) in (1..).zip(&names) {
        let entry = other.look_up(other.key(0, name.as_bytes())).unwrap();
        assert_eq!(entry.words[1].load(Relaxed), number);
        assert_eq!((entry.in_flight(), entry.label()), (0, String::new()));
    }
    // It has its label again once it is asked for.
    other.enter(asks(&other, "team-3"), owner, &Idle).unwrap();
    assert_eq!(
        other.look_up(other.key(0, b"team-3")).unwrap().label(),
        "team-3"
    );
}

/// Keys that all count, and are not forgotten.
struct Full;

impl Tenant for Full {
    fn is_idle(&self, _: &Entry, _: u64) -> bool {
        false
    }

    fn may_forget(&self) -> bool {
        false
    }
}

#[test]
fn a_memory_of_the_same_size_has_room_for_all() {
    let zone = Memory::new(1 << 20).zone(8, 100);
    let owner = Owner::new(0, 1).unwrap();
    // More than would find room in another order.
    let mut refused = 0;
    for number in 0_u64.. {
        let asks = Asks {
            key: zone.key(0, &number.to_be_bytes()),
            label: &[],
            most: 1,
            now: number,
        };
        match zone.enter(asks, owner, &Full) {
            Ok(place) => assert!(zone.leave(place)),
            Err(_) => refused += 1,
        }
        if refused == 100 {
            break;
        }
    }
    let records: Vec<Record> = zone.records().iter().map(|(record, _)| *record).collect();
    assert!(records.len() > 700, "{}", records.len());
    let other = Memory::new(1 << 20).zone(8, 100);
    let now = clocks(1, 1, 0);
    assert_eq!(other.restore(records.clone(), &now, &now), 0);
    let placed = |records: &[Record]| -> Vec<(Key, u64)> {
        records.iter().map(|one| (one.key, one.place)).collect()
    };
    let again: Vec<Record> = other.records().iter().map(|(record, _)| *record).collect();
    assert_eq!(placed(&again), placed(&records));
}

#[test]
fn a_memory_that_is_too_small_has_what_was_asked_for_last() {
    let zone = Memory::new(1 << 20).zone(8, 1);
    zone.header().set_seed(Seed(1, 2));
    let (then, now) = (clocks(1, 1, 0), clocks(1, 2, 0));
    assert_eq!(zone.restore((1..=11).map(record).collect(), &then, &now), 3);
    let mut kept: Vec<u64> = zone.records().iter().map(|(one, _)| one.touched).collect();
    kept.sort_unstable();
    assert_eq!(kept, (4..=11).collect::<Vec<u64>>());
}

fn any_record() -> impl Strategy<Value = Record> {
    let numbers = (1_u64.., any::<[u64; 3]>(), any::<[u64; WORDS]>());
    numbers.prop_map(|(low, [high, place, touched], words)| Record {
        key: Key::of(low, high),
        place,
        touched,
        words,
    })
}

proptest! {
    #[test]
    fn it_is_read_as_it_was_written(
        identity in ".{0,40}",
        numbers in any::<[u64; 6]>(),
        boot in any::<[u8; 16]>(),
        records in prop::collection::vec(any_record(), 0..20),
    ) {
        let [low, high, instance, memory, steady, wall] = numbers;
        let state = State {
            identity,
            seed: Seed(low, high),
            writer: Writer { instance, memory },
            clocks: Clocks { boot, steady, wall },
            records,
        };
        prop_assert_eq!(State::decode(&state.encode()), Ok(state));
    }

    /// However clocks go, nobody waits longer than before, and nobody gets more than time has passed by one of the two clocks.
    #[test]
    fn a_debt_is_bounded(
        boots in any::<(bool, bool)>(),
        then in (0..1_u64 << 60, 0..1_u64 << 60),
        now in (0..1_u64 << 60, 0..1_u64 << 60),
        debt in 0..1_u64 << 60,
    ) {
        let clocks = |boot, (steady, wall)| Clocks { boot: [u8::from(boot); 16], steady, wall };
        let (then, now) = (clocks(boots.0, then), clocks(boots.1, now));
        let left = then.carry(then.steady + debt, &now).saturating_sub(now.steady);
        let passed = now.steady.saturating_sub(then.steady).max(now.wall.saturating_sub(then.wall));
        prop_assert!(left <= debt);
        prop_assert!(left >= debt.saturating_sub(passed));
    }
}
