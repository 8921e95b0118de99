//! A zone in one process: who gets in, what is forgotten, what a memory of another size takes over; and with several threads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod processes;

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;

use processes::{Counting, Idle, Memory, SharedZone};
use zone::{Asks, Entry, Key, Lost, NotEntered, Owner, Place};

const MEGABYTE: usize = 1 << 20;

fn owner(place: usize) -> Owner {
    Owner::new(place, 1).unwrap()
}

fn asks(zone: &SharedZone, name: &'static str, most: u32, now: u64) -> Asks<'static> {
    Asks {
        key: zone.key(0, name.as_bytes()),
        label: name.as_bytes(),
        most,
        now,
    }
}

fn enter(zone: &SharedZone, name: &'static str, most: u32) -> Result<Place, NotEntered> {
    zone.enter(asks(zone, name, most, 0), owner(0), &Idle)
}

fn entry_of<'z>(zone: &'z SharedZone, name: &str) -> Option<&'z Entry> {
    zone.entries().find(|entry| entry.label() == name)
}

#[test]
fn so_many_get_in_and_each_leaves_once() {
    let zone = Memory::new(MEGABYTE).zone(8, 2);
    let first = enter(&zone, "a", 2).unwrap();
    let second = enter(&zone, "a", 2).unwrap();
    assert_eq!(enter(&zone, "a", 2), Err(NotEntered::Busy(2)));
    // Another key, and a limit that has grown meanwhile.
    let other = enter(&zone, "b", 2).unwrap();
    let third = enter(&zone, "a", 3).unwrap();
    assert_eq!(zone.requests(), 4);
    assert!(zone.leave(first));
    assert!(!zone.leave(first));
    assert_eq!(entry_of(&zone, "a").unwrap().in_flight(), 2);
    // The slot is another request's by now.
    let fourth = enter(&zone, "a", 3).unwrap();
    assert!(!zone.leave(first));
    for place in [second, other, third, fourth] {
        assert!(zone.leave(place));
    }
    assert_eq!(zone.requests(), 0);
    assert!(zone.entries().all(|entry| entry.in_flight() == 0));
}

#[test]
fn a_refusal_takes_no_slot() {
    let zone = Memory::new(MEGABYTE).zone(2, 1);
    let place = enter(&zone, "a", 1).unwrap();
    for _ in 0..100 {
        assert_eq!(enter(&zone, "a", 1), Err(NotEntered::Busy(1)));
    }
    assert_eq!(zone.requests(), 1);
    let other = enter(&zone, "b", 1).unwrap();
    assert_eq!(enter(&zone, "c", 1), Err(NotEntered::NoSlot));
    assert!(zone.leave(place) && zone.leave(other));
}

const NAMES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

#[test]
fn a_key_in_use_is_never_forgotten_and_of_others_the_oldest() {
    let zone = Memory::new(MEGABYTE).zone(16, 1);
    let mut inside = Vec::new();
    for (now, name) in (1..).zip(&NAMES[..8]) {
        inside.push(
            zone.enter(asks(&zone, name, 9, now), owner(0), &Idle)
                .unwrap(),
        );
    }
    let ninth = |now| zone.enter(asks(&zone, "8", 9, now), owner(0), &Idle);
    assert_eq!(ninth(9), Err(NotEntered::NoRoom));
    assert_eq!(zone.requests(), 8);
    zone.leave(inside[3]);
    zone.leave(inside[2]);
    // "3" is asked for once more, so "2" is older.
    let again = zone
        .enter(asks(&zone, "3", 9, 10), owner(0), &Idle)
        .unwrap();
    zone.leave(again);
    assert!(ninth(11).is_ok());
    let names: Vec<String> = zone.entries().map(Entry::label).collect();
    assert!(!names.contains(&"2".to_owned()) && names.contains(&"3".to_owned()));
    assert_eq!(zone.header().forgotten(), 0);
}

#[test]
fn what_counts_is_forgotten_where_that_is_allowed_and_told() {
    let fill = |tenant: &Counting| {
        let zone = Memory::new(MEGABYTE).zone(16, 1);
        for (now, name) in (1..).zip(&NAMES[..8]) {
            let place = zone
                .enter(asks(&zone, name, 9, now), owner(0), tenant)
                .unwrap();
            zone.entry(place).unwrap().words[0].store(now, SeqCst);
            zone.leave(place);
        }
        let ninth = zone.enter(asks(&zone, "8", 9, 9), owner(0), tenant);
        (zone, ninth)
    };
    let (zone, ninth) = fill(&Counting { may_forget: false });
    assert_eq!(ninth, Err(NotEntered::NoRoom));
    assert_eq!(zone.header().forgotten(), 0);
    // One that does not count any more.
    entry_of(&zone, "5").unwrap().words[0].store(0, SeqCst);
    let ninth = zone.enter(
        asks(&zone, "8", 9, 9),
        owner(0),
        &Counting { may_forget: false },
    );
    assert!(ninth.is_ok());
    assert!(entry_of(&zone, "5").is_none() && entry_of(&zone, "0").is_some());

    let (zone, ninth) = fill(&Counting { may_forget: true });
    let entry = zone.entry(ninth.unwrap()).unwrap();
    assert_eq!(entry.label(), "8");
    assert_eq!(entry.words[0].load(SeqCst), 0);
    assert!(entry_of(&zone, "0").is_none() && entry_of(&zone, "1").is_some());
    assert_eq!(zone.header().forgotten(), 1);
}

#[test]
fn a_process_that_ends_leaves_everything_it_is_in() {
    let zone = Memory::new(MEGABYTE).zone(16, 4);
    for name in ["a", "a", "b"] {
        enter(&zone, name, 9).unwrap();
    }
    let other = zone.enter(asks(&zone, "a", 9, 0), owner(1), &Idle).unwrap();
    assert_eq!(zone.leave_all(owner(0)), 3);
    assert_eq!(entry_of(&zone, "a").unwrap().in_flight(), 1);
    assert_eq!(zone.requests(), 1);
    assert!(zone.leave(other));
}

#[test]
fn one_of_all_looks_in_a_turn() {
    let zone = Memory::new(MEGABYTE).zone(1, 1);
    assert!(zone.header().is_turn_to_look(5));
    assert!(!zone.header().is_turn_to_look(5));
    assert!(zone.header().is_turn_to_look(6));
}

/// A zone of another size with what `zone` has.
fn moved(zone: &SharedZone, slots: usize, buckets: usize) -> (SharedZone, Lost) {
    let other = Memory::new(MEGABYTE).zone(slots, buckets);
    other.header().set_seed(zone.header().seed());
    let lost = other.take_over(zone, 100, &Counting { may_forget: false });
    (other, lost)
}

#[test]
fn a_larger_or_smaller_memory_takes_over_what_counts() {
    let tenant = Counting { may_forget: false };
    let zone = Memory::new(MEGABYTE).zone(16, 4);
    let mut places = Vec::new();
    for (now, name) in (1..).zip(NAMES) {
        let place = zone
            .enter(asks(&zone, name, 9, now), owner(0), &tenant)
            .unwrap();
        places.push(place);
        zone.entry(place).unwrap().words[7].store(now * 10, SeqCst);
    }
    let second = zone
        .enter(asks(&zone, "9", 9, 20), owner(1), &tenant)
        .unwrap();
    for place in &places[..9] {
        zone.leave(*place);
    }
    entry_of(&zone, "0").unwrap().words[0].store(1, SeqCst);

    let (larger, lost) = moved(&zone, 64, 64);
    assert_eq!(lost, Lost::default());
    assert_eq!(larger.entries().count(), 10);
    for (now, name) in (1..).zip(&NAMES[..9]) {
        let entry = entry_of(&larger, name).unwrap();
        assert_eq!(
            (entry.words[7].load(SeqCst), entry.touched()),
            (now * 10, now)
        );
        assert_eq!(entry.in_flight(), 0);
    }
    assert_eq!(entry_of(&larger, "9").unwrap().in_flight(), 2);
    // What is under way leaves the old memory, and is in the new one until its process is dead.
    assert!(zone.leave(places[9]) && zone.leave(second));
    assert_eq!(entry_of(&larger, "9").unwrap().in_flight(), 2);
    assert_eq!(larger.heal(|of| of == owner(0)), 1);
    assert_eq!(entry_of(&larger, "9").unwrap().in_flight(), 1);
    assert_eq!(larger.heal(|of| of == owner(1)), 1);
    assert_eq!(
        (
            entry_of(&larger, "9").unwrap().in_flight(),
            larger.requests()
        ),
        (0, 0)
    );
    let again = larger
        .enter(asks(&larger, "9", 1, 30), owner(2), &tenant)
        .unwrap();
    assert!(larger.leave(again));
}

#[test]
fn a_memory_that_is_too_small_keeps_what_matters_most() {
    let tenant = Counting { may_forget: false };
    let zone = Memory::new(MEGABYTE).zone(16, 4);
    let mut inside = Vec::new();
    for (now, name) in (1..).zip(NAMES) {
        let place = zone
            .enter(asks(&zone, name, 9, now), owner(0), &tenant)
            .unwrap();
        match name {
            "0" | "1" => inside.push(place),
            "8" | "9" => assert!(zone.leave(place)),
            _ => {
                zone.entry(place).unwrap().words[0].store(1, SeqCst);
                assert!(zone.leave(place));
            }
        }
    }
    let (smaller, lost) = moved(&zone, 1, 1);
    // Eight keys: two in use, six that count. "8" and "9" are nothing lost; of two requests one has no slot.
    assert_eq!(
        lost,
        Lost {
            keys: 0,
            requests: 1
        }
    );
    let mut names: Vec<String> = smaller.entries().map(Entry::label).collect();
    names.sort_unstable();
    assert_eq!(names, &NAMES[..8]);
    assert_eq!(smaller.requests(), 1);
    let used: u32 = smaller.entries().map(Entry::in_flight).sum();
    assert_eq!(used, 1);
    entry_of(&zone, "8").unwrap().words[0].store(1, SeqCst);
    let (_, lost) = moved(&zone, 16, 1);
    assert_eq!(
        lost,
        Lost {
            keys: 1,
            requests: 0
        }
    );
}

#[test]
fn threads_never_get_in_above_the_limit() {
    const MOST: u32 = 3;
    let zone = Memory::new(MEGABYTE).zone(64, 2);
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        for number in 0..4 {
            let (zone, inside) = (&zone, &inside);
            scope.spawn(move || {
                let mut own = 0;
                while own < 10_000 {
                    let Ok(place) = zone.enter(asks(zone, "a", MOST, 0), owner(number), &Idle)
                    else {
                        thread::yield_now();
                        continue;
                    };
                    assert!(inside.fetch_add(1, SeqCst) < MOST);
                    own += 1;
                    inside.fetch_sub(1, SeqCst);
                    assert!(zone.leave(place));
                }
            });
        }
    });
    assert_eq!(zone.requests(), 0);
    assert_eq!(entry_of(&zone, "a").unwrap().in_flight(), 0);
}

#[test]
fn threads_that_take_each_others_entries_keep_their_own() {
    let zone = Memory::new(MEGABYTE).zone(64, 2);
    let refused = AtomicU32::new(0);
    thread::scope(|scope| {
        for number in 0..4_u64 {
            let (zone, refused) = (&zone, &refused);
            scope.spawn(move || {
                for round in 0..20_000_u64 {
                    // 100 keys for 16 entries.
                    let name = (round * 31 + number * 7) % 100;
                    let key = zone.key(0, &name.to_be_bytes());
                    let asks = Asks {
                        key,
                        label: b"",
                        most: 9,
                        now: round,
                    };
                    match zone.enter(asks, owner(number as usize), &Idle) {
                        Ok(place) => {
                            assert_eq!(zone.entry(place).unwrap().key(), Some(key));
                            thread::yield_now();
                            assert_eq!(zone.entry(place).unwrap().key(), Some(key));
                            assert!(zone.leave(place));
                        }
                        Err(NotEntered::NoRoom) => {
                            refused.fetch_add(1, SeqCst);
                        }
                        Err(why) => panic!("{why:?}"),
                    }
                }
            });
        }
    });
    // Four requests at most at a time: there is always an entry for the next.
    assert_eq!(refused.load(SeqCst), 0);
    assert_eq!(zone.requests(), 0);
    assert!(zone.entries().all(|entry| entry.in_flight() == 0));
    let mut keys: Vec<(u64, u64)> = zone
        .entries()
        .filter_map(Entry::key)
        .map(Key::halves)
        .collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "a key has two entries");
}

/// How many of a zone's keys are there when the first has no room.
#[test]
fn nearly_all_of_a_zone_is_used_before_a_key_has_no_room() {
    let tenant = Counting { may_forget: false };
    let zone = Memory::new(MEGABYTE).zone(16, 952);
    let mut count = 0_u64;
    loop {
        let key = zone.key(0, &count.to_be_bytes());
        let asks = Asks {
            key,
            label: b"",
            most: 1,
            now: count,
        };
        let Ok(place) = zone.enter(asks, owner(0), &tenant) else {
            break;
        };
        zone.entry(place).unwrap().words[0].store(1, SeqCst);
        assert!(zone.leave(place));
        count += 1;
    }
    assert_eq!(zone.entries().count() as u64, count);
    assert!(count > 952 * 8 * 3 / 4, "{count} of {}", 952 * 8);
}
