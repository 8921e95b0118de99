//! Large bodies take memory while a thread works on them, so only so many are worked on at the same time. The others wait
//! for their turn, the oldest first: as requests whose client may leave, not in threads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ptr;
use std::time::Duration;

use crate::attempt::{Awaited, Stage};
use crate::context;
use crate::nginx::ffi::ngx_event_t;
use crate::nginx::guard::{forced, guard, guard_request};
use crate::nginx::log::cycle_log_of;
use crate::nginx::posted::Posted;
use crate::nginx::request::Request;
use crate::nginx::timer::Timer;
use crate::rewrite::{FAILED, resume};

/// A part of the room, until it is dropped. That happens on the event loop.
pub struct Share(usize);

/// A place among those that wait.
pub struct Place {
    request: Request,
    granted: Option<Share>,
    /// A worker that is told to quit does so when no timer is left.
    _stay: Timer,
}

/// What a request gets that asks for room.
pub enum Entry {
    /// It may begin.
    Now(Share),
    /// It has to wait; it is resumed when there is room.
    Later(Place),
}

#[derive(Default)]
struct Room {
    /// Bytes of bodies that are being worked on.
    used: usize,
    waiting: VecDeque<Waiting>,
    /// Looks for those that may begin.
    event: Option<Posted>,
}

struct Waiting {
    request: Request,
    length: usize,
    most: usize,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

/// Room for a body of `length` bytes, where there may be `most` of them at the same time. A body that is longer than that
/// gets room when it is alone.
pub fn enter(request: Request, length: usize, most: usize) -> Entry {
    ROOM.with_borrow_mut(|room| {
        if room.waiting.is_empty() && room.has_place(length, most) {
            room.used += length;
            return Entry::Now(Share(length));
        }
        room.waiting.push_back(Waiting {
            request,
            length,
            most,
        });
        Entry::Later(Place {
            request,
            granted: None,
            _stay: stay(request),
        })
    })
}

impl Place {
    /// The share that was waited for.
    pub fn into_share(mut self) -> Option<Share> {
        self.granted.take()
    }
}

impl Drop for Place {
    /// A request that ends, or goes another way, waits no longer; what stands behind it may fit.
    fn drop(&mut self) {
        ROOM.with_borrow_mut(|room| {
            room.waiting
                .retain(|waiting| waiting.request != self.request);
            room.look_soon();
        });
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        ROOM.with_borrow_mut(|room| {
            room.used = room.used.saturating_sub(self.0);
            room.look_soon();
        });
    }
}

impl Room {
    fn has_place(&self, length: usize, most: usize) -> bool {
        self.used == 0 || self.used.saturating_add(length) <= most
    }

    /// Has those that wait looked at when nginx is done with the event it is in.
    fn look_soon(&mut self) {
        if !self.waiting.is_empty() {
            self.event
                .get_or_insert_with(|| Posted::new(look, ptr::null_mut(), cycle_log_of()))
                .post();
        }
    }

    /// Takes out the first that waits, if there is room for it.
    fn next(&mut self) -> Option<(Request, Share)> {
        let first = self.waiting.front()?;
        if !self.has_place(first.length, first.most) {
            return None;
        }
        let Waiting {
            request, length, ..
        } = self.waiting.pop_front()?;
        self.used += length;
        Some((request, Share(length)))
    }
}

unsafe extern "C" fn look(_event: *mut ngx_event_t) {
    guard((), || {
        // One at a time: what one request does may end another that waits.
        while let Some((request, share)) = ROOM.with_borrow_mut(Room::next) {
            guard_request(request, FAILED, || {
                forced(request, "room");
                let connection = request.connection();
                if let Some(mut context) = context::find(request)
                    && let Stage::Waits(Awaited::Room(place)) = &mut context.attempt.stage
                {
                    place.granted = Some(share);
                }
                resume(request);
                Request::run_posted(connection);
            });
        }
    });
}

fn stay(request: Request) -> Timer {
    // SAFETY: a request's connection has a log.
    let log = unsafe { (*request.connection()).log };
    Timer::new(A_MINUTE, still_waiting, request.raw().cast(), log)
}

unsafe extern "C" fn still_waiting(event: *mut ngx_event_t) {
    guard((), || {
        // SAFETY: the event's data is the request that waits; its place would have dropped the timer before the request.
        let request = unsafe { Request::from_raw((*event).data.cast()) };
        if let Some(mut context) = context::find(request)
            && let Stage::Waits(Awaited::Room(place)) = &mut context.attempt.stage
        {
            place._stay = stay(request);
        }
    });
}

const A_MINUTE: Duration = Duration::from_secs(60);
