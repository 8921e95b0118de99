//! What stands before an upstream's balancer, whichever it is: it gives each request the addresses of the moment.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::net::SocketAddr;
use std::rc::Rc;

use super::ffi::{
    NGX_DONE, NGX_ERROR, NGX_OK, NGX_PEER_FAILED, ngx_event_free_peer_pt, ngx_event_get_peer_pt,
    ngx_http_request_t, ngx_http_upstream_init_peer_pt, ngx_http_upstream_srv_conf_t, ngx_int_t,
    ngx_peer_connection_t, ngx_uint_t,
};
use super::guard::guard;
use super::peers::{Named, Peer, Set};
use super::request::Request;
use super::upstream_block::UpstreamBlock;

/// nginx's balancer for one upstream, and the addresses that it is given.
#[derive(Default)]
pub struct Balancer {
    /// What nginx would call for each request; none before it is taken over.
    original: Cell<ngx_http_upstream_init_peer_pt>,
    current: RefCell<Option<Rc<Set>>>,
    /// A connection failed, or there was no address, since this was last asked.
    failed: Cell<bool>,
}

/// A request at an upstream.
#[derive(Clone)]
struct Attempt {
    /// It is part of the configuration, which outlives its requests.
    balancer: *const Balancer,
    set: Rc<Set>,
    get: ngx_event_get_peer_pt,
    free: ngx_event_free_peer_pt,
    /// The address that is connected to, until nginx is through with it.
    chosen: Option<*mut Peer>,
}

thread_local! {
    /// By the address of nginx's `u->peer`. Its `data` belongs to the balancer, whose other functions find it untouched.
    static ATTEMPTS: RefCell<HashMap<usize, Attempt>> = RefCell::default();
}

impl Balancer {
    /// Has nginx call `init` for each request to the upstream. To be called when all balancers have been set up.
    pub fn take_over(
        &self,
        block: UpstreamBlock,
        init: unsafe extern "C" fn(
            *mut ngx_http_request_t,
            *mut ngx_http_upstream_srv_conf_t,
        ) -> ngx_int_t,
    ) {
        // SAFETY: the block is live, and no request uses it yet.
        unsafe { self.original.set((*block.raw()).peer.init.replace(init)) }
    }

    /// Gives the requests from now on these addresses: of each name in `named`, those that `found` has at its place.
    pub fn exchange(&self, block: UpstreamBlock, named: &[Named], found: &[Vec<SocketAddr>]) {
        let before = self.current.borrow().clone();
        let set = Set::new(block, named, found, before.as_deref());
        // SAFETY: the block is live; the set is kept here as long as it is there.
        unsafe { (*block.raw()).peer.data = set.raw().cast() }
        self.current.replace(Some(set));
    }

    /// Whether a connection failed, or there was no address, since this was last asked.
    pub fn take_failed(&self) -> bool {
        self.failed.take()
    }

    /// Forgets the addresses: the worker ends.
    pub fn forget(&self) {
        self.current.take();
    }

    /// What `init` is to do.
    ///
    /// # Safety
    /// nginx called it with these.
    pub unsafe fn init(
        &self,
        r: *mut ngx_http_request_t,
        us: *mut ngx_http_upstream_srv_conf_t,
    ) -> ngx_int_t {
        let Some(original) = self.original.get() else {
            return NGX_ERROR as ngx_int_t;
        };
        // SAFETY: what nginx would have called, with what it would have given.
        let code = unsafe { original(r, us) };
        let set = self.current.borrow().clone();
        // Without a set this process has not begun to follow addresses, and those that nginx has are down.
        let (true, Some(set)) = (code == NGX_OK as ngx_int_t, set) else {
            return code;
        };
        if set.is_empty() {
            self.failed.set(true);
        }
        // SAFETY: nginx gives a live request, whose upstream it sets up.
        unsafe {
            let connection = &raw mut (*(*r).upstream).peer;
            if !Request::from_raw(r).on_pool_end(forget, connection.cast()) {
                return NGX_ERROR as ngx_int_t;
            }
            let attempt = Attempt {
                balancer: self,
                set,
                get: (*connection).get.replace(get),
                free: (*connection).free.replace(free),
                chosen: None,
            };
            ATTEMPTS.with_borrow_mut(|all| all.insert(connection.addr(), attempt));
        }
        NGX_OK as ngx_int_t
    }
}

fn attempt_of(connection: *const ngx_peer_connection_t) -> Option<Attempt> {
    ATTEMPTS.with_borrow(|all| all.get(&connection.addr()).cloned())
}

fn choose(connection: *const ngx_peer_connection_t, peer: Option<*mut Peer>) {
    ATTEMPTS.with_borrow_mut(|all| {
        if let Some(attempt) = all.get_mut(&connection.addr()) {
            attempt.chosen = peer;
        }
    });
}

/// Called by nginx when a request's pool ends: after the log, which shows the address.
unsafe extern "C" fn forget(connection: *mut c_void) {
    guard((), || {
        // It may free a set, which is not to happen while the map is borrowed.
        drop(ATTEMPTS.with_borrow_mut(|all| all.remove(&connection.addr())));
    });
}

/// Called by nginx for an address to connect to.
unsafe extern "C" fn get(pc: *mut ngx_peer_connection_t, data: *mut c_void) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        let Some(attempt) = attempt_of(pc) else {
            return NGX_ERROR as ngx_int_t;
        };
        let Some(original) = attempt.get else {
            return NGX_ERROR as ngx_int_t;
        };
        // SAFETY: what nginx would have called, with what it gave.
        let code = unsafe { original(pc, data) };
        if [NGX_OK as ngx_int_t, NGX_DONE as ngx_int_t].contains(&code) {
            // SAFETY: the connection is live, and the balancer has set its name.
            choose(pc, attempt.set.named(unsafe { (*pc).name }));
        }
        code
    })
}

/// Called by nginx when it is through with an address.
unsafe extern "C" fn free(pc: *mut ngx_peer_connection_t, data: *mut c_void, state: ngx_uint_t) {
    guard((), || {
        let Some(attempt) = attempt_of(pc) else {
            return;
        };
        choose(pc, None);
        let counts = || {
            let peer = attempt.chosen?;
            // SAFETY: the attempt holds the set of its peer.
            Some((peer, unsafe { (*peer).counts() }))
        };
        let before = counts();
        if let Some(original) = attempt.free {
            // SAFETY: what nginx would have called, with what it gave.
            unsafe { original(pc, data, state) }
        }
        // SAFETY: the balancer is part of the configuration of this live request.
        let balancer = unsafe { &*attempt.balancer };
        if state & NGX_PEER_FAILED as ngx_uint_t != 0 {
            balancer.failed.set(true);
        }
        let current = balancer.current.borrow().clone();
        if let (Some((peer, before)), Some((_, after)), Some(current)) = (before, counts(), current)
            && !Rc::ptr_eq(&current, &attempt.set)
            && let Some(heir) = current.heir(peer)
        {
            // SAFETY: the current set is live.
            unsafe { (*heir).count_as(before, after) }
        }
    });
}
