//! Response buffers: what comes down the filter chain, and what this module adds to it.

use std::mem::size_of;
use std::ptr;

use super::ffi::{
    self, ngx_alloc_chain_link, ngx_buf_t, ngx_chain_add_copy, ngx_chain_t, ngx_pcalloc, ngx_pool_t,
};
use super::request::Request;

/// A buffer on its way to the client. Lives as long as the request.
#[derive(Clone, Copy)]
pub struct Buffer(*mut ngx_buf_t);

impl Buffer {
    /// The bytes not yet taken; empty buffers, which only carry a flag, have none.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: pos..last are readable bytes of a live buffer; null where there are none.
        unsafe {
            let (pos, last) = ((*self.0).pos, (*self.0).last);
            if pos.is_null() || last <= pos || !self.is_in_memory() {
                return &[];
            }
            std::slice::from_raw_parts(pos, last.offset_from_unsigned(pos))
        }
    }

    /// Takes all bytes, so that whoever owns the buffer may use it again.
    pub fn consume(self) {
        // SAFETY: the buffer is live.
        unsafe {
            (*self.0).pos = (*self.0).last;
            if ffi::get_buf_in_file(self.0) != 0 {
                (*self.0).file_pos = (*self.0).file_last;
            }
        }
    }

    /// Leaves only the first `length` bytes.
    pub fn truncate(self, length: usize) {
        let all = self.bytes().len();
        if length >= all {
            return;
        }
        // SAFETY: the new end is inside the buffer. What was read from a file is sent from there.
        unsafe {
            (*self.0).last = (*self.0).pos.wrapping_add(length);
            if ffi::get_buf_in_file(self.0) != 0 {
                let length = i64::try_from(length).unwrap_or(0);
                (*self.0).file_last = (*self.0).file_pos.saturating_add(length);
            }
        }
    }

    /// The same bytes, but the answer goes on after them.
    pub fn without_end(self) -> Self {
        // SAFETY: the buffer is live.
        unsafe {
            ffi::set_buf_last_buf(self.0, 0);
            ffi::set_buf_last_in_chain(self.0, 0);
        }
        self
    }

    /// Whether the answer ends here, of the request or of a subrequest.
    pub fn ends(self) -> bool {
        // SAFETY: the buffer is live.
        unsafe { ffi::get_buf_last_buf(self.0) != 0 || ffi::get_buf_last_in_chain(self.0) != 0 }
    }

    /// Whether what came before should leave now.
    pub fn flushes(self) -> bool {
        // SAFETY: the buffer is live.
        unsafe { ffi::get_buf_flush(self.0) != 0 }
    }

    fn is_in_memory(self) -> bool {
        // SAFETY: the buffer is live.
        unsafe {
            ffi::get_buf_memory(self.0) != 0
                || ffi::get_buf_temporary(self.0) != 0
                || ffi::get_buf_mmap(self.0) != 0
        }
    }
}

/// The buffers of a chain.
///
/// # Safety
/// `chain` is null or a live chain that ends in null and is not changed while the iterator is used.
pub unsafe fn buffers(chain: *mut ngx_chain_t) -> impl Iterator<Item = Buffer> {
    let mut link = chain;
    std::iter::from_fn(move || {
        // SAFETY: the caller's promise.
        let this = unsafe { link.as_ref()? };
        link = this.next;
        Some(Buffer(this.buf))
    })
}

/// Buffers that came and are not worked on yet, because the client has not taken what was written for earlier ones.
/// While they wait here their owner cannot reuse them, and so reads no more: back-pressure.
pub struct Waiting(*mut ngx_chain_t);

impl Default for Waiting {
    /// None.
    fn default() -> Self {
        Self(ptr::null_mut())
    }
}

impl Waiting {
    /// Adds the buffers of a chain. False if there is no memory.
    ///
    /// # Safety
    /// `chain` is null or a live chain of the request.
    pub unsafe fn add(&mut self, request: Request, chain: *mut ngx_chain_t) -> bool {
        // SAFETY: the links are copied into the request's pool.
        unsafe { ngx_chain_add_copy(request.pool(), &raw mut self.0, chain) == 0 }
    }

    /// The next one.
    pub fn take(&mut self, request: Request) -> Option<Buffer> {
        // SAFETY: the links are this list's own, in the request's pool, where they go back to.
        unsafe {
            let this = self.0.as_mut()?;
            let link = self.0;
            self.0 = this.next;
            let buffer = Buffer(this.buf);
            free(request.pool(), link);
            Some(buffer)
        }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.is_null()
    }
}

/// A chain that is put together here and given to the next filter.
pub struct Output {
    request: Request,
    first: *mut ngx_chain_t,
    last: *mut ngx_chain_t,
    failed: bool,
}

impl Output {
    /// Empty.
    pub fn new(request: Request) -> Self {
        Self {
            request,
            first: ptr::null_mut(),
            last: ptr::null_mut(),
            failed: false,
        }
    }

    /// Adds a buffer as it is.
    pub fn pass(&mut self, buffer: Buffer) {
        // SAFETY: the pool is live; the new link is filled in completely.
        unsafe {
            let link = ngx_alloc_chain_link(self.request.pool());
            if link.is_null() {
                self.failed = true;
                return;
            }
            (*link).buf = buffer.0;
            (*link).next = ptr::null_mut();
            match self.last.as_mut() {
                Some(last) => last.next = link,
                None => self.first = link,
            }
            self.last = link;
        }
    }

    /// Gives the chain to `next`. The filters below copy the links they keep, so ours go back to the pool.
    pub fn send(self, next: impl FnOnce(*mut ngx_chain_t) -> isize) -> isize {
        if self.failed {
            return super::ffi::NGX_ERROR as isize;
        }
        let result = next(self.first);
        let mut link = self.first;
        // SAFETY: the links are our own.
        unsafe {
            while let Some(this) = link.as_ref() {
                let next = this.next;
                free(self.request.pool(), link);
                link = next;
            }
        }
        result
    }
}

/// Buffers of this module's own, used again once the client has taken what is in them.
#[derive(Default)]
pub struct Buffers(Vec<Own>);

struct Own {
    buffer: *mut ngx_buf_t,
    /// What the buffer points into; not touched while it is on its way.
    bytes: Vec<u8>,
}

impl Own {
    fn is_sent(&self) -> bool {
        // SAFETY: the buffer lives in the request's pool, which outlives this.
        unsafe { (*self.buffer).pos == (*self.buffer).last }
    }
}

impl Buffers {
    /// An empty vector to write into, with the room of one that was sent before.
    pub fn vacant(&mut self) -> Vec<u8> {
        match self.0.iter_mut().find(|own| own.is_sent()) {
            Some(own) => {
                let mut bytes = std::mem::take(&mut own.bytes);
                bytes.clear();
                bytes
            }
            None => Vec::new(),
        }
    }

    /// A buffer over `bytes` that leaves at once. `last` ends the answer. `None` if there is no memory.
    pub fn fill(&mut self, request: Request, bytes: Vec<u8>, last: bool) -> Option<Buffer> {
        let index = match self.0.iter().position(Own::is_sent) {
            Some(index) => index,
            None => {
                // SAFETY: the pool is live.
                let buffer: *mut ngx_buf_t =
                    unsafe { ngx_pcalloc(request.pool(), size_of::<ngx_buf_t>()).cast() };
                if buffer.is_null() {
                    return None;
                }
                self.0.push(Own {
                    buffer,
                    bytes: Vec::new(),
                });
                self.0.len() - 1
            }
        };
        let own = self.0.get_mut(index)?;
        own.bytes = bytes;
        // SAFETY: the buffer is ours and not on its way; the vector's memory stays where it is until the buffer is sent,
        // and until the request ends otherwise.
        unsafe {
            (*own.buffer).pos = own.bytes.as_mut_ptr();
            (*own.buffer).last = (*own.buffer).pos.wrapping_add(own.bytes.len());
            (*own.buffer).start = (*own.buffer).pos;
            (*own.buffer).end = (*own.buffer).last;
            ffi::set_buf_memory(own.buffer, (!own.bytes.is_empty()).into());
            ffi::set_buf_flush(own.buffer, 1);
            let (last_buf, last_in_chain) = match (last, request.is_main()) {
                (false, _) => (0, 0),
                (true, true) => (1, 1),
                (true, false) => (0, 1),
            };
            ffi::set_buf_last_buf(own.buffer, last_buf);
            ffi::set_buf_last_in_chain(own.buffer, last_in_chain);
        }
        Some(Buffer(own.buffer))
    }

    /// Whether something is still on its way to the client.
    pub fn busy(&self) -> bool {
        self.0.iter().any(|own| !own.is_sent())
    }
}

/// Gives a link back (`ngx_free_chain` in C).
///
/// # Safety
/// Nobody uses the link any more.
unsafe fn free(pool: *mut ngx_pool_t, link: *mut ngx_chain_t) {
    // SAFETY: the pool is live, and keeps free links in this list.
    unsafe {
        (*link).next = (*pool).chain;
        (*pool).chain = link;
    }
}
