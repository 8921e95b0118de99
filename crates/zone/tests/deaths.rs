//! Processes that are killed, at each place where that could hurt: nothing is counted for ever, and nothing is lost but what was
//! theirs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod processes;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicUsize};

use processes::lives::Lives;
use processes::robust::Tried;
use processes::{End, Idle, Memory, SharedZone, die, fork, kill, wait, while_stopped};
use zone::{Asks, Before, Owner, Place, on_reaching};

const MEGABYTE: usize = 1 << 20;

/// The place at which this process dies, and at the how manieth time there. Set in a forked process only.
static WHERE: AtomicUsize = AtomicUsize::new(usize::MAX);
static TIMES: AtomicU32 = AtomicU32::new(0);

const PLACES: [&str; 16] = [
    "enter: slot taken",
    "enter: entering",
    "enter: entered",
    "enter: inside",
    "leave: leaving",
    "leave: left",
    "leave: free",
    "table: at work",
    "table: closed",
    "table: empty",
    "table: filled",
    "table: entering",
    "table: open",
    "heal: known",
    "never",
    "outside",
];

fn hook(name: &'static str) {
    if PLACES.get(WHERE.load(SeqCst)) == Some(&name) && TIMES.fetch_sub(1, SeqCst) == 1 {
        die();
    }
}

/// From now on this process dies at its `times`th turn there.
fn die_at(place: &str, times: u32) {
    on_reaching(hook);
    TIMES.store(times, SeqCst);
    let number = PLACES.iter().position(|known| *known == place).unwrap();
    WHERE.store(number, SeqCst);
}

fn enter(zone: &SharedZone, name: &[u8], most: u32, owner: Owner) -> Option<Place> {
    let asks = Asks {
        key: zone.key(0, name),
        label: name,
        most,
        now: 0,
    };
    zone.enter(asks, owner, &Idle).ok()
}

fn in_flight(zone: &SharedZone, name: &[u8]) -> u32 {
    let key = Some(zone.key(0, name));
    zone.entries()
        .find(|entry| entry.key() == key)
        .map_or(0, zone::Entry::in_flight)
}

#[test]
fn a_lock_is_told_of_a_holder_that_died() {
    let mutex = Memory::new(MEGABYTE).mutex();
    assert_eq!(mutex.lock().unwrap().before, Before::Done);
    let child = fork(|| {
        let _held = mutex.lock().unwrap();
        die();
    });
    assert_eq!(wait(child), End::Killed);
    assert_eq!(mutex.lock().unwrap().before, Before::Died);
    assert_eq!(mutex.lock().unwrap().before, Before::Done);
    let held = mutex.lock().unwrap();
    let child = fork(|| assert!(matches!(mutex.try_lock(), Tried::Taken)));
    assert_eq!(wait(child), End::Done);
    drop(held);
    assert!(matches!(mutex.try_lock(), Tried::Held(_)));
}

#[test]
fn a_panic_unlocks() {
    let mutex = Memory::new(MEGABYTE).mutex();
    let child = fork(|| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = mutex.lock().unwrap();
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(caught.is_err());
        assert_eq!(mutex.lock().unwrap().before, Before::Done);
    });
    assert_eq!(wait(child), End::Done);
}

#[test]
fn the_living_are_told_from_the_dead() {
    let mut memory = Memory::new(MEGABYTE);
    let lives = memory.lives(3);
    let number = memory.counter();
    let own = lives.join().unwrap();
    assert!(!lives.is_dead(own.owner));
    // A process that lives until it is killed.
    let begin = |lives: Lives<'static>| {
        number.store(0, SeqCst);
        let child = fork(|| {
            let alive = lives.join().unwrap();
            let (place, generation) = alive.owner.place().unwrap();
            number.store(generation << 32 | (place as u64 + 1), SeqCst);
            loop {
                std::thread::park();
            }
        });
        while number.load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        let number = number.load(SeqCst);
        let owner = Owner::new((number & 0xffff_ffff) as usize - 1, number >> 32).unwrap();
        (child, owner)
    };
    let (first, one) = begin(lives);
    let (second, two) = begin(lives);
    assert_eq!((one.place(), two.place()), (Some((1, 1)), Some((2, 1))));
    assert!(!lives.is_dead(one) && !lives.is_dead(two));
    assert!(lives.join().is_none(), "all places are taken");
    kill(first);
    assert_eq!(wait(first), End::Killed);
    assert!(lives.is_dead(one) && lives.is_dead(one) && !lives.is_dead(two));
    // Its place is taken again, which does not bring it back.
    let (third, three) = begin(lives);
    assert_eq!(three.place(), Some((1, 2)));
    assert!(lives.is_dead(one) && !lives.is_dead(three));
    for child in [second, third] {
        kill(child);
        wait(child);
    }
    assert!(lives.is_dead(two) && lives.is_dead(three));
    assert!(!lives.is_dead(Owner::ALONE));
    let (owner, again) = (own.owner, drop(own));
    let () = again;
    assert!(
        lives.is_dead(owner),
        "one that ended by itself is dead, too"
    );
    // Killed while it takes a place.
    let child = fork(|| {
        let _held = lives.door.lock().unwrap();
        die();
    });
    wait(child);
    assert!(lives.join().is_some());
}

/// What others do on the same entry between a death and its settling.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Nothing,
    Enter,
    Leave,
    EnterAndLeave,
}

#[test]
fn whoever_dies_anywhere_is_settled_for() {
    for place in &PLACES[..13] {
        for meanwhile in [
            Meanwhile::Nothing,
            Meanwhile::Enter,
            Meanwhile::Leave,
            Meanwhile::EnterAndLeave,
        ] {
            for new_key in [false, true] {
                dies_at(place, meanwhile, new_key);
            }
        }
    }
}

fn dies_at(place: &'static str, meanwhile: Meanwhile, new_key: bool) {
    let case = format!("{place}, {meanwhile:?}, new key: {new_key}");
    let zone = Memory::new(MEGABYTE).zone(16, 1);
    let (own, other) = (Owner::new(0, 1).unwrap(), Owner::new(1, 1).unwrap());
    let name: &[u8] = if new_key { b"new" } else { b"old" };
    // The bucket is full: a new key takes the place of another.
    for filler in 0..6_u8 {
        zone.leave(enter(&zone, &[filler], 9, own).unwrap());
    }
    let inside = [
        enter(&zone, b"old", 9, own).unwrap(),
        enter(&zone, b"old", 9, own).unwrap(),
    ];
    let last = enter(&zone, b"last", 9, own).unwrap();
    let child = fork(|| {
        die_at(place, 1);
        let entered = enter(&zone, name, 9, other).unwrap();
        zone.leave(entered);
        WHERE.store(usize::MAX, SeqCst);
    });
    let end = wait(child);
    // What is new is in as soon as it is placed.
    let dies = match new_key {
        true => place != "enter: entering",
        false => !place.starts_with("table"),
    };
    assert_eq!(end, if dies { End::Killed } else { End::Done }, "{case}");
    let mut more = Vec::new();
    let mut left = 0;
    match meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Enter => more.push(enter(&zone, name, 9, own).unwrap()),
        Meanwhile::Leave => left = u32::from(zone.leave(inside[0])),
        Meanwhile::EnterAndLeave => {
            for _ in 0..3 {
                assert!(zone.leave(enter(&zone, name, 9, own).unwrap()), "{case}");
            }
        }
    }
    zone.heal(|owner| owner == other);
    assert_eq!(zone.heal(|owner| owner == other), 0, "{case}");
    let on_name = more.len() as u32;
    let on_old = 2 - left + if new_key { 0 } else { on_name };
    assert_eq!(in_flight(&zone, b"old"), on_old, "{case}");
    assert_eq!(
        in_flight(&zone, b"new"),
        if new_key { on_name } else { 0 },
        "{case}"
    );
    assert_eq!(zone.requests(), 3 - left as usize + more.len(), "{case}");
    // Everything goes on to work.
    for fresh in [b"fresh-1", b"fresh-2", b"fresh-3"] {
        assert!(zone.leave(enter(&zone, fresh, 1, own).unwrap()), "{case}");
    }
    for place in more.into_iter().chain([last, inside[1]]) {
        assert!(zone.leave(place), "{case}");
    }
    assert_eq!(zone.leave(inside[0]), left == 0, "{case}");
    assert_eq!(zone.requests(), 0, "{case}");
    assert!(zone.entries().all(|entry| entry.in_flight() == 0), "{case}");
}

#[test]
fn whoever_dies_while_he_settles_for_the_dead_is_settled_for() {
    for place in [
        "heal: known",
        "leave: leaving",
        "leave: left",
        "leave: free",
    ] {
        let zone = Memory::new(MEGABYTE).zone(16, 1);
        let (own, dead) = (Owner::new(0, 1).unwrap(), Owner::new(1, 1).unwrap());
        let inside = enter(&zone, b"a", 9, own).unwrap();
        for _ in 0..3 {
            enter(&zone, b"a", 9, dead).unwrap();
        }
        assert_eq!(in_flight(&zone, b"a"), 4);
        let child = fork(|| {
            // In the middle of the second.
            die_at(place, 2);
            zone.heal(|owner| owner == dead);
        });
        assert_eq!(wait(child), End::Killed, "{place}");
        zone.leave(enter(&zone, b"a", 9, own).unwrap());
        zone.heal(|owner| owner == dead);
        assert_eq!((in_flight(&zone, b"a"), zone.requests()), (1, 1), "{place}");
        assert!(zone.leave(inside));
        assert_eq!((in_flight(&zone, b"a"), zone.requests()), (0, 0), "{place}");
    }
}

/// Processes work on a few keys, above what there is room for, and are killed at any instruction.
#[test]
fn a_storm_of_deaths_leaves_nothing_behind() {
    const MOST: u32 = 5;
    let mut memory = Memory::new(MEGABYTE);
    let (lives, zone) = (memory.lives(64), memory.zone(64, 1));
    let entered = memory.counter();
    let work = || {
        let alive = lives.join().unwrap();
        zone.begin_at(alive.owner);
        let mut inside: Vec<Place> = Vec::new();
        for round in 0_u32.. {
            let name = [(round % 11) as u8];
            if let Some(place) = enter(&zone, &name, MOST, alive.owner) {
                entered.fetch_add(1, SeqCst);
                inside.push(place);
            }
            if inside.len() > 2 {
                assert!(zone.leave(inside.remove(0)));
            }
        }
    };
    let mut random = 1_u64;
    let mut children: Vec<_> = (0..3).map(|_| fork(work)).collect();
    for death in 0..300 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let before = entered.load(SeqCst);
        while entered.load(SeqCst) < before + (random >> 33) % 200 {
            std::thread::yield_now();
        }
        let victim = (random >> 20) as usize % children.len();
        kill(children[victim]);
        assert_eq!(wait(children[victim]), End::Killed);
        zone.heal(|owner| lives.is_dead(owner));
        children.remove(victim);
        // A request that moves from slot to slot meanwhile would be seen twice.
        while_stopped(&children, || {
            let used: u32 = zone.entries().map(zone::Entry::in_flight).sum();
            // Of each living process at most three are inside, and one on its way in or out.
            let requests = zone.requests();
            assert!(requests <= 8, "after {death} deaths: {requests} requests");
            assert!(used <= 8, "after {death} deaths: {used} in flight");
        });
        children.push(fork(work));
    }
    for child in children {
        kill(child);
        wait(child);
    }
    zone.heal(|owner| lives.is_dead(owner));
    assert_eq!(zone.requests(), 0);
    assert!(zone.entries().all(|entry| entry.in_flight() == 0));
    for name in 0..11 {
        zone.leave(enter(&zone, &[name], 1, Owner::ALONE).unwrap());
    }
}
