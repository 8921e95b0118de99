//! A zone of shared memory with a layout of our own, in one piece, which outlives workers, and reloads too.

use std::cell::{Cell, OnceCell};
use std::ffi::c_void;
use std::ptr;

use zone::{Bucket, Header, Row, Slot};

use super::conf::Conf;
use super::ffi::{
    NGX_ERROR, NGX_OK, ngx_cycle, ngx_int_t, ngx_list_part_t, ngx_pagesize, ngx_shared_memory_add,
    ngx_shm_zone_t, ngx_slab_alloc, ngx_slab_pool_t,
};
use super::guard::guard;
use super::is_alone;
use super::lives::Life;
use super::log::{self, Level};
use super::robust::RobustMutex;

/// What may be in shared memory.
///
/// # Safety
/// It consists of atomics, or of what is made for several processes; all zero, it is a value.
pub unsafe trait Shared: Sync {}

// SAFETY: they consist of atomics.
unsafe impl Shared for Header {}
// SAFETY: as above.
unsafe impl Shared for Slot {}
// SAFETY: as above.
unsafe impl Shared for Bucket {}
// SAFETY: as above.
unsafe impl Shared for Row {}
// SAFETY: as above.
unsafe impl Shared for bedrock_credentials::Slot {}
// SAFETY: as above.
unsafe impl Shared for metrics::Header {}
// SAFETY: as above.
unsafe impl Shared for metrics::Recent {}
// SAFETY: as above.
unsafe impl Shared for metrics::Present {}
// SAFETY: as above.
unsafe impl Shared for metrics::Slot {}
// SAFETY: as above.
unsafe impl Shared for metrics::Series {}
// SAFETY: as above.
unsafe impl Shared for metrics::ModelRecord {}
// SAFETY: a robust mutex, which is only used once it has been made one, and an atomic.
unsafe impl Shared for Life {}

/// The memory of a zone, all zero when it is new. It is mapped as long as the configuration is in use.
#[derive(Clone, Copy)]
pub struct Pages {
    /// For whatever is not to be done by two processes at a time.
    pub mutex: &'static RobustMutex,
    next: *const u8,
    left: usize,
}

impl Pages {
    /// How many bytes there are left.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next so many. `None` if there are fewer.
    pub fn take<T: Shared>(&mut self, count: usize) -> Option<&'static [T]> {
        let skipped = self.next.align_offset(align_of::<T>());
        let bytes = count.checked_mul(size_of::<T>())?.checked_add(skipped)?;
        let left = self.left.checked_sub(bytes)?;
        let begin = self.next.wrapping_add(skipped);
        self.next = self.next.wrapping_add(bytes);
        self.left = left;
        // SAFETY: it is in the zone, aligned, and of a type for shared memory; every process has it at the same place.
        Some(unsafe { std::slice::from_raw_parts(begin.cast(), count) })
    }
}

/// What a zone is when nginx has made it.
pub enum Began<'a, T> {
    /// New, and all zero.
    New(Pages),
    /// As the configuration before has it: it is in use, and whether the new configuration will be is not decided.
    Kept(Pages),
    /// New, because it had another size before; and what it had then, which is in use.
    Resized(Pages, &'a T),
}

/// Sets zones apart that have the same name and not the same use: each use has one of its own.
pub struct Tag {
    /// Without a size it would have no address of its own.
    _byte: u8,
}

impl Tag {
    /// Another one.
    pub const fn new() -> Self {
        Self { _byte: 0 }
    }
}

/// Says something in the log of whoever reads the configuration.
pub type Say<'a> = &'a dyn Fn(Level, &str);

type Begin<T> = dyn for<'a> Fn(Began<'a, T>, Say<'_>) -> Option<T>;

/// A zone, in the configuration that it was added to: a `T` looks after its memory.
pub struct SharedZone<T> {
    zone: *mut ngx_shm_zone_t,
    pages: Cell<Option<Pages>>,
    value: OnceCell<T>,
    begin: Box<Begin<T>>,
}

impl<T: 'static> SharedZone<T> {
    /// Adds a zone. `begin` is called once nginx has made it, in the process that reads the configuration, and `nginx -t` too; `None`
    /// from it, which has said why, ends that.
    ///
    /// # Errors
    /// What is wrong with the name or the size.
    pub fn add(
        cf: &Conf,
        tag: &'static Tag,
        name: &str,
        size: usize,
        begin: impl for<'a> Fn(Began<'a, T>, Say<'_>) -> Option<T> + 'static,
    ) -> Result<&'static Self, String> {
        let no_memory = || "failed: there is no memory".to_owned();
        let mut text = cf.text(name).ok_or_else(no_memory)?;
        let context: *mut Self = cf
            .keep(Self {
                zone: ptr::null_mut(),
                pages: Cell::new(None),
                value: OnceCell::new(),
                begin: Box::new(begin),
            })
            .cast();
        let tag: *mut c_void = ptr::from_ref(tag).cast_mut().cast();
        // SAFETY: cf is live; the context lives as long as the configuration, and so does the zone.
        unsafe {
            let zone = ngx_shared_memory_add(cf.raw(), &raw mut text, size, tag);
            if zone.is_null() || context.is_null() {
                return Err(format!("cannot have a zone \"{name}\""));
            }
            // nginx gives the same one for the same name.
            if !(*zone).data.is_null() {
                return Err(format!("declares zone \"{name}\" a second time"));
            }
            (*context).zone = zone;
            (*zone).init = Some(init::<T>);
            (*zone).data = context.cast();
            context.as_ref().ok_or_else(no_memory)
        }
    }

    /// What looks after the memory. `None` before nginx has made the zone, and when the memory is gone: a process that is its own
    /// master unmaps it as soon as a new configuration has none of that size.
    pub fn get(&self) -> Option<&T> {
        self.value.get().filter(|_| self.is_mapped())
    }

    fn is_mapped(&self) -> bool {
        // SAFETY: the zone is as old as this configuration, which is in use; so are those in the list.
        let address = |zone: *const ngx_shm_zone_t| unsafe { (*zone).shm.addr };
        !is_alone() || zones().any(|zone| address(zone) == address(self.zone))
    }
}

/// The zones of the configuration that is in use.
fn zones() -> impl Iterator<Item = *const ngx_shm_zone_t> {
    // SAFETY: the cycle is live, and its list is parts with so many elements each; before there is a configuration it is all zero.
    let mut part: *const ngx_list_part_t = unsafe {
        ngx_cycle
            .as_ref()
            .map_or(ptr::null(), |cycle| &raw const cycle.shared_memory.part)
    };
    let mut index = 0;
    std::iter::from_fn(move || {
        // SAFETY: as above.
        unsafe {
            while index >= part.as_ref()?.nelts {
                part = (*part).next;
                index = 0;
            }
            let zone = (*part).elts.cast::<ngx_shm_zone_t>().add(index);
            index += 1;
            Some(zone.cast_const())
        }
    })
}

/// Called by nginx once the zone is mapped; `old` is the context of the same zone in the configuration before.
unsafe extern "C" fn init<T: 'static>(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: the zone is live, and its context and that of the same zone before are what `add` made.
        let (context, old) = unsafe {
            (
                (*zone).data.cast::<SharedZone<T>>().as_ref(),
                old.cast::<SharedZone<T>>().as_ref(),
            )
        };
        // SAFETY: the zone's log is live.
        let say = |level, text: &str| unsafe { log::write((*zone).shm.log, level, text) };
        let Some(context) = context else {
            return NGX_ERROR as ngx_int_t;
        };
        let began = match old {
            Some(old) => old.pages.get().map(Began::Kept),
            // SAFETY: nginx has made the slab pool of this new zone; contexts of zones with this tag are of this type.
            None => unsafe {
                let before = same_before::<T>(zone).and_then(|old| old.value.get());
                new_pages(zone).map(|pages| match before {
                    Some(before) => Began::Resized(pages, before),
                    None => Began::New(pages),
                })
            },
        };
        let Some(began) = began else {
            // SAFETY: the zone is live.
            let name = unsafe { String::from_utf8_lossy(super::bytes(&(*zone).shm.name)) };
            say(
                Level::Emerg,
                &format!("bedrock: zone \"{name}\" is too small: enlarge it"),
            );
            return NGX_ERROR as ngx_int_t;
        };
        let (Began::New(pages) | Began::Kept(pages) | Began::Resized(pages, _)) = began;
        context.pages.set(Some(pages));
        match (context.begin)(began, &say).map(|value| context.value.set(value)) {
            Some(_) => NGX_OK as ngx_int_t,
            None => NGX_ERROR as ngx_int_t,
        }
    })
}

/// All the memory of a new zone, in one piece.
///
/// # Safety
/// nginx has made the zone's slab pool, and nobody uses it.
unsafe fn new_pages(zone: *mut ngx_shm_zone_t) -> Option<Pages> {
    // SAFETY: the caller's promise. The pool gives whole pages, which are new, so zero.
    unsafe {
        let pool: *mut ngx_slab_pool_t = (*zone).shm.addr.cast();
        let bytes = (*pool).pfree * ngx_pagesize;
        let start: *mut u8 = match bytes {
            0 => ptr::null_mut(),
            _ => ngx_slab_alloc(pool, bytes).cast(),
        };
        let mutex = start.cast::<RobustMutex>().as_ref()?;
        let own = size_of::<RobustMutex>();
        mutex.begin().then_some(Pages {
            mutex,
            next: start.wrapping_add(own),
            left: bytes - own,
        })
    }
}

/// The zone of this name and use in the configuration that is in use, where it has another size.
///
/// # Safety
/// The context of a zone with this tag is a `SharedZone<T>`.
unsafe fn same_before<T: 'static>(zone: *const ngx_shm_zone_t) -> Option<&'static SharedZone<T>> {
    // SAFETY: the configuration in use is live as long as the next one is not; what it has is not changed.
    unsafe {
        let name = super::bytes(&(*zone).shm.name);
        zones()
            .find(|old| (**old).tag == (*zone).tag && super::bytes(&(**old).shm.name) == name)
            .and_then(|old| (*old).data.cast::<SharedZone<T>>().as_ref())
    }
}
