//! The addresses of an upstream, as nginx's balancers want them.
//!
//! A set is never changed: other addresses make another set, and each request keeps the one that it began with. What is known of
//! an address that stays (its connections, its failures, its TLS session) moves on to the next set.

use std::cell::Cell;
use std::mem::{offset_of, size_of, zeroed};
use std::net::SocketAddr;
use std::ptr;
use std::rc::Rc;

use super::ffi::{
    self, ngx_http_upstream_rr_peer_t, ngx_http_upstream_rr_peers_t, ngx_http_upstream_server_t,
    ngx_str_t, ngx_uint_t, sockaddr, socklen_t,
};
use super::upstream_block::UpstreamBlock;

/// A `server` line whose name is looked up.
pub struct Named {
    /// Which of the upstream's lines it is.
    pub line: usize,
    /// Which of the names that are looked up.
    pub name: usize,
    /// The port of each of its addresses.
    pub port: u16,
    /// What nginx has as `down` of the line.
    pub down: ngx_uint_t,
}

/// The addresses of an upstream at one time.
pub struct Set {
    /// In the order of the lists below.
    peers: *mut [Peer],
    main: *mut ngx_http_upstream_rr_peers_t,
    /// Null without any.
    backup: *mut ngx_http_upstream_rr_peers_t,
}

/// An address, as nginx and as we know it.
pub struct Peer {
    peer: ngx_http_upstream_rr_peer_t,
    /// The same in all sets as long as the address is in each of them.
    life: u64,
    line: usize,
    place: Place,
    is_backup: bool,
    address: libc::sockaddr_storage,
    text: String,
}

/// Where in its line.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Of those that nginx itself has: an IP address or a UNIX socket.
    Fixed(usize),
    /// It was looked up.
    Found(SocketAddr),
    /// There is none: nginx's balancers want one that is down.
    Nowhere,
}

/// What nginx counts of an address.
#[derive(Clone, Copy)]
pub struct Counts {
    conns: usize,
    fails: usize,
    accessed: i64,
    checked: i64,
    effective_weight: isize,
}

thread_local! {
    static LIVES: Cell<u64> = const { Cell::new(0) };
}

impl Set {
    /// The addresses of the upstream's lines, where `found` has those of `named`. What `before` knows of them moves here.
    pub fn new(
        block: UpstreamBlock,
        named: &[Named],
        found: &[Vec<SocketAddr>],
        before: Option<&Self>,
    ) -> Rc<Self> {
        let mut peers = Vec::new();
        for backup in [false, true] {
            for (index, server) in block.servers().iter().enumerate() {
                // SAFETY: a line of a live configuration.
                if (unsafe { ffi::get_server_backup(server) } != 0) != backup {
                    continue;
                }
                let mut add = |place, down| {
                    peers.push(Peer::new(index, server, place, down, backup));
                };
                match named.iter().find(|named| named.line == index) {
                    Some(line) => {
                        for mut address in found.get(line.name).into_iter().flatten().copied() {
                            address.set_port(line.port);
                            add(Place::Found(address), line.down);
                        }
                    }
                    None => {
                        (0..server.naddrs).for_each(|index| add(Place::Fixed(index), server.down));
                    }
                }
            }
            if !backup && peers.is_empty() {
                peers.push(Peer::nowhere());
            }
        }
        let peers = Box::into_raw(peers.into_boxed_slice());
        // SAFETY: the name belongs to the configuration, which outlives its sets.
        let name = unsafe { &raw mut (*block.raw()).host };
        let set = Self {
            peers,
            main: list(peers, false, name),
            backup: list(peers, true, name),
        };
        // SAFETY: the lists are new, and ours.
        unsafe {
            (*set.main).next = set.backup;
            let single = (*set.main).number == 1 && set.backup.is_null();
            ffi::set_peers_single(set.main, u32::from(single));
        }
        if let Some(before) = before {
            for peer in set.each() {
                // SAFETY: peers of live sets, in the thread that alone uses them.
                unsafe {
                    let same = |old: &*mut Peer| {
                        (**old).line == (*peer).line && (**old).place == (*peer).place
                    };
                    if let Some(old) = before.each().find(same) {
                        (*peer).take_over(&mut *old);
                    }
                }
            }
        }
        Rc::new(set)
    }

    /// For `uscf->peer.data`.
    pub fn raw(&self) -> *mut ngx_http_upstream_rr_peers_t {
        self.main
    }

    /// Whether there is no address to connect to.
    pub fn is_empty(&self) -> bool {
        // SAFETY: our own peers.
        self.each()
            .all(|peer| unsafe { (*peer).place == Place::Nowhere })
    }

    fn each(&self) -> impl Iterator<Item = *mut Peer> + use<> {
        let (first, count) = (self.peers.cast::<Peer>(), self.peers.len());
        // SAFETY: within the slice.
        (0..count).map(move |index| unsafe { first.add(index) })
    }

    /// The peer that has its name there; `None` if it is none of this set, as some balancers choose addresses of their own.
    pub fn named(&self, name: *const ngx_str_t) -> Option<*mut Peer> {
        let place = offset_of!(Peer, peer) + offset_of!(ngx_http_upstream_rr_peer_t, name);
        let distance = (name.addr()).checked_sub(self.peers.cast::<Peer>().addr() + place)?;
        let index = distance / size_of::<Peer>();
        (distance % size_of::<Peer>() == 0 && index < self.peers.len())
            // SAFETY: within the slice.
            .then(|| unsafe { self.peers.cast::<Peer>().add(index) })
    }

    /// The peer with the life of one of another set.
    pub fn heir(&self, of: *const Peer) -> Option<*mut Peer> {
        // SAFETY: both sets are live.
        self.each()
            .find(|peer| unsafe { (**peer).life == (*of).life })
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        // SAFETY: all of it was made by `new`, and no request has it any more.
        unsafe {
            for peer in self.each() {
                ffi::free_session(&raw mut (*peer).peer);
            }
            drop(Box::from_raw(self.main));
            if !self.backup.is_null() {
                drop(Box::from_raw(self.backup));
            }
            drop(Box::from_raw(self.peers));
        }
    }
}

impl Peer {
    fn new(
        line: usize,
        server: &ngx_http_upstream_server_t,
        place: Place,
        down: ngx_uint_t,
        is_backup: bool,
    ) -> Self {
        // SAFETY: zeroes are how nginx's own begin.
        let mut peer: ngx_http_upstream_rr_peer_t = unsafe { zeroed() };
        peer.server = server.name;
        peer.weight = isize::try_from(server.weight).unwrap_or(1);
        peer.effective_weight = peer.weight;
        peer.max_conns = server.max_conns;
        peer.max_fails = server.max_fails;
        peer.fail_timeout = server.fail_timeout;
        peer.down = down;
        // SAFETY: zeroes are an address of no kind.
        let mut address: libc::sockaddr_storage = unsafe { zeroed() };
        let mut text = String::new();
        match place {
            Place::Fixed(index) => {
                // SAFETY: the line has so many addresses, which live as long as the configuration.
                let theirs = unsafe { &*server.addrs.add(index) };
                peer.sockaddr = theirs.sockaddr;
                peer.socklen = theirs.socklen;
                peer.name = theirs.name;
            }
            Place::Found(found) => {
                peer.socklen = write_address(&mut address, found);
                text = found.to_string();
            }
            Place::Nowhere => {}
        }
        let life = LIVES.get() + 1;
        LIVES.set(life);
        Self {
            peer,
            life,
            line,
            place,
            is_backup,
            address,
            text,
        }
    }

    /// Balancers divide by the weight of all addresses, and so there is always one.
    fn nowhere() -> Self {
        // SAFETY: a line without anything.
        let mut server: ngx_http_upstream_server_t = unsafe { zeroed() };
        server.weight = 1;
        Self::new(usize::MAX, &server, Place::Nowhere, 1, false)
    }

    /// Goes on where the same address was in another set.
    fn take_over(&mut self, old: &mut Self) {
        self.life = old.life;
        self.peer.conns = old.peer.conns;
        self.peer.fails = old.peer.fails;
        self.peer.accessed = old.peer.accessed;
        self.peer.checked = old.peer.checked;
        self.peer.effective_weight = old.peer.effective_weight;
        self.peer.current_weight = old.peer.current_weight;
        // SAFETY: both are live.
        unsafe { ffi::move_session(&raw mut old.peer, &raw mut self.peer) }
    }

    /// What nginx has counted so far.
    pub fn counts(&self) -> Counts {
        Counts {
            conns: self.peer.conns,
            fails: self.peer.fails,
            accessed: self.peer.accessed,
            checked: self.peer.checked,
            effective_weight: self.peer.effective_weight,
        }
    }

    /// Counts here, too, what nginx has counted for the same address in an older set, when a request there was over.
    pub fn count_as(&mut self, before: Counts, after: Counts) {
        let peer = &mut self.peer;
        peer.conns = peer
            .conns
            .saturating_sub(before.conns.saturating_sub(after.conns));
        if after.fails > before.fails {
            peer.fails += after.fails - before.fails;
            peer.accessed = after.accessed;
            peer.checked = after.checked;
            let lighter = before.effective_weight - after.effective_weight;
            peer.effective_weight = (peer.effective_weight - lighter).max(0);
        } else if after.fails < before.fails {
            peer.fails = 0;
        }
    }
}

/// Those of `peers` that are for backup, or those that are not, as nginx's `ngx_http_upstream_init_round_robin` lists them. Null
/// if there are none.
fn list(
    peers: *mut [Peer],
    backup: bool,
    name: *mut ngx_str_t,
) -> *mut ngx_http_upstream_rr_peers_t {
    // SAFETY: zeroes are how nginx's own begin; the peers are ours and do not move any more.
    unsafe {
        let mut list: Box<ngx_http_upstream_rr_peers_t> = Box::new(zeroed());
        list.name = name;
        let mut next: *mut *mut ngx_http_upstream_rr_peer_t = &raw mut list.peer;
        for index in 0..peers.len() {
            let this: *mut Peer = peers.cast::<Peer>().add(index);
            if (*this).is_backup != backup {
                continue;
            }
            if !matches!((*this).place, Place::Fixed(_)) {
                (*this).peer.sockaddr = (&raw mut (*this).address).cast::<sockaddr>();
                let text: &String = &(*this).text;
                (*this).peer.name = ngx_str_t {
                    len: text.len(),
                    data: text.as_ptr().cast_mut(),
                };
            }
            let peer = &raw mut (*this).peer;
            list.number += 1;
            list.total_weight += usize::try_from((*peer).weight).unwrap_or(1);
            list.tries += usize::from((*peer).down == 0);
            *next = peer;
            next = &raw mut (*peer).next;
        }
        if list.number == 0 {
            return ptr::null_mut();
        }
        list.tries = list.tries.max(1);
        let weighted = list.total_weight != list.number;
        ffi::set_peers_weighted(&raw mut *list, u32::from(weighted));
        Box::into_raw(list)
    }
}

/// How long the address is.
fn write_address(storage: &mut libc::sockaddr_storage, address: SocketAddr) -> socklen_t {
    let length = match address {
        SocketAddr::V4(v4) => {
            // SAFETY: the storage has room for an address of any kind, and zeroes in the rest of it.
            let place = unsafe { &mut *ptr::from_mut(storage).cast::<libc::sockaddr_in>() };
            place.sin_family = libc::AF_INET as libc::sa_family_t;
            place.sin_port = v4.port().to_be();
            place.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let place = unsafe { &mut *ptr::from_mut(storage).cast::<libc::sockaddr_in6>() };
            place.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            place.sin6_port = v6.port().to_be();
            place.sin6_addr.s6_addr = v6.ip().octets();
            place.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    socklen_t::try_from(length).unwrap_or(0)
}
