//! Shared memory, which outlives workers and reloads.

use std::ffi::{CStr, c_void};
use std::mem::size_of;
use std::ops::{Deref, DerefMut};
use std::ptr;

use super::conf::Conf;
use super::ffi::{
    NGX_ERROR, NGX_OK, ngx_int_t, ngx_module_t, ngx_shared_memory_add, ngx_shm_zone_t,
    ngx_shmtx_lock, ngx_shmtx_unlock, ngx_slab_calloc, ngx_slab_pool_t, ngx_str_t,
};
use super::guard::guard;

/// What may be in shared memory.
///
/// # Safety
/// All bytes are values of it, zeroes too: another process may have been killed while it wrote.
pub unsafe trait Plain {}

// SAFETY: it consists of integers.
unsafe impl Plain for addresses::Board {}

/// A zone that holds one `T`, in the configuration that it was added to.
pub struct Zone<T> {
    zone: *mut ngx_shm_zone_t,
    value: *mut T,
    /// What is done to the value as soon as it is there.
    begin: Box<dyn Fn(&mut T)>,
}

impl<T: Plain> Zone<T> {
    /// Adds a zone. `begin` is called once nginx has made it, or has taken it over from the configuration before, in the
    /// process that reads the configuration. `None` if there is no memory.
    pub fn add(
        cf: &Conf,
        module: &ngx_module_t,
        name: &'static CStr,
        begin: impl Fn(&mut T) + 'static,
    ) -> Option<&'static Self> {
        let context: *mut Self = cf
            .keep(Self {
                zone: ptr::null_mut(),
                value: ptr::null_mut(),
                begin: Box::new(begin),
            })
            .cast();
        let mut name = ngx_str_t {
            len: name.count_bytes(),
            data: name.as_ptr().cast_mut().cast(),
        };
        let tag = ptr::from_ref(module).cast_mut().cast();
        // SAFETY: cf is live; the context lives as long as the configuration, and so does the zone.
        unsafe {
            let zone = ngx_shared_memory_add(cf.raw(), &raw mut name, size_of::<T>() + OWN, tag);
            if zone.is_null() || context.is_null() {
                return None;
            }
            (*context).zone = zone;
            (*zone).init = Some(init::<T>);
            (*zone).data = context.cast();
            context.as_ref()
        }
    }

    /// The value, for this process alone until what is returned is dropped. `None` before nginx has made the zone.
    pub fn lock(&self) -> Option<Locked<'_, T>> {
        if self.value.is_null() {
            return None;
        }
        // SAFETY: the zone is mapped as long as the configuration lives; its mutex is freed by nginx if its holder dies.
        unsafe {
            let pool: *mut ngx_slab_pool_t = (*self.zone).shm.addr.cast();
            ngx_shmtx_lock(&raw mut (*pool).mutex);
            Some(Locked {
                pool,
                value: &mut *self.value,
            })
        }
    }
}

/// A value that is locked.
pub struct Locked<'z, T> {
    pool: *mut ngx_slab_pool_t,
    value: &'z mut T,
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the mutex was locked by this process.
        unsafe { ngx_shmtx_unlock(&raw mut (*self.pool).mutex) }
    }
}

/// Called by nginx once the zone is mapped; `old` is the context of the same zone in the configuration before.
unsafe extern "C" fn init<T: Plain>(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    guard(NGX_ERROR as ngx_int_t, || {
        // SAFETY: both contexts are ours, and live; a new zone begins with nginx's slab pool, of which the value is a part.
        unsafe {
            let context: *mut Zone<T> = (*zone).data.cast();
            (*context).value = match old.cast::<Zone<T>>().as_ref() {
                Some(old) => old.value,
                None => ngx_slab_calloc((*zone).shm.addr.cast(), size_of::<T>()).cast(),
            };
            match (*context).lock() {
                Some(mut value) => {
                    ((*context).begin)(&mut value);
                    NGX_OK as ngx_int_t
                }
                None => NGX_ERROR as ngx_int_t,
            }
        }
    })
}

/// What the slab pool needs for itself, generously.
const OWN: usize = 64 << 10;
