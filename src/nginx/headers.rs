//! A request's headers: reading the client's, and having others in their place.

use std::borrow::Cow;
use std::mem::size_of;
use std::ptr;

use super::ffi::{self, ngx_list_part_t, ngx_list_t, ngx_pcalloc, ngx_table_elt_t};
use super::request::Request;

/// What has to be put back after the request's headers were replaced.
#[derive(Clone, Copy)]
pub struct Saved {
    list: ngx_list_t,
    content_length: *mut ngx_table_elt_t,
    content_length_n: i64,
    chunked: u32,
}

/// The headers that stand on the request, in their order. A byte that is no UTF-8 shows as U+FFFD.
pub fn of(request: Request) -> impl Iterator<Item = (Cow<'static, str>, Cow<'static, str>)> {
    raw(request).map(|(name, value)| (shown(name), shown(value)))
}

/// The first of these headers with this name.
pub fn first(request: Request, name: &str) -> Option<Cow<'static, str>> {
    raw(request)
        .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| shown(value))
}

/// The same as they are.
pub fn raw(request: Request) -> impl Iterator<Item = (&'static [u8], &'static [u8])> {
    // SAFETY: the list is live and not changed meanwhile; its strings live as long as the request, and every use ends before.
    unsafe {
        elements(&raw mut (*request.raw()).headers_in.headers).map(|element| {
            let element = &*element;
            (super::bytes(&element.key), super::bytes(&element.value))
        })
    }
}

/// Nearly every header is plain text, and told to be so at once.
fn shown(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Remembers the headers as they are.
pub fn save(request: Request) -> Saved {
    // SAFETY: the request is live.
    unsafe {
        let headers_in = &raw mut (*request.raw()).headers_in;
        Saved {
            list: (*request.raw()).headers_in.headers,
            content_length: (*headers_in).content_length,
            content_length_n: (*headers_in).content_length_n,
            chunked: ffi::get_headers_in_chunked(headers_in),
        }
    }
}

/// Puts back what [`save`] remembered, on the same request.
pub fn restore(request: Request, saved: &Saved) {
    // SAFETY: the request is live; the saved list lives in its pool. Where the list was in one part, its `last` points
    // into the request's own struct, and that has not moved.
    unsafe {
        let headers_in = &raw mut (*request.raw()).headers_in;
        (*request.raw()).headers_in.headers = saved.list;
        (*headers_in).content_length = saved.content_length;
        (*headers_in).content_length_n = saved.content_length_n;
        ffi::set_headers_in_chunked(headers_in, saved.chunked);
    }
}

/// Headers for `proxy_pass` to send. They are in the request's pool.
pub struct NewHeaders {
    elements: *mut ngx_table_elt_t,
    length: usize,
    body_length: Option<usize>,
}

/// Makes the headers of a call with a body of `body_length` bytes, or without one. `None` if there is no memory.
pub fn make<'h>(
    request: Request,
    headers: impl ExactSizeIterator<Item = (&'h str, &'h str)>,
    body_length: Option<usize>,
) -> Option<NewHeaders> {
    let length = headers.len();
    // SAFETY: the pool is live, and the array has an element for each header.
    unsafe {
        let size = length.max(1) * size_of::<ngx_table_elt_t>();
        let elements: *mut ngx_table_elt_t = ngx_pcalloc(request.pool(), size).cast();
        if elements.is_null() {
            return None;
        }
        for (index, (name, value)) in headers.take(length).enumerate() {
            let element = elements.add(index);
            (*element).key = request.copy(name.as_bytes())?;
            (*element).value = request.copy(value.as_bytes())?;
            // Names are in lower case already.
            (*element).lowcase_key = (*element).key.data;
            (*element).hash = hash(name.as_bytes());
        }
        Some(NewHeaders {
            elements,
            length,
            body_length,
        })
    }
}

/// Puts new headers in the place of the client's.
pub fn put(request: Request, new: &NewHeaders) {
    // SAFETY: the request is live; the new list is a full one, in place as ngx_list_init makes it, so `last` is right.
    unsafe {
        let list = &raw mut (*request.raw()).headers_in.headers;
        (*list).part.elts = new.elements.cast();
        (*list).part.nelts = new.length;
        (*list).part.next = ptr::null_mut();
        (*list).last = &raw mut (*list).part;
        (*list).size = size_of::<ngx_table_elt_t>();
        (*list).nalloc = new.length;
        (*list).pool = request.pool();
        let headers_in = &raw mut (*request.raw()).headers_in;
        (*headers_in).content_length = ptr::null_mut();
        (*headers_in).content_length_n = match new.body_length {
            Some(length) => i64::try_from(length).unwrap_or(i64::MAX),
            None => -1,
        };
        ffi::set_headers_in_chunked(headers_in, 0);
    }
}

/// The elements of a header list.
///
/// # Safety
/// `list` is a live list of `ngx_table_elt_t` that is not changed while the iterator is used.
pub unsafe fn elements(list: *mut ngx_list_t) -> impl Iterator<Item = *mut ngx_table_elt_t> {
    // SAFETY: the caller's promise.
    let mut part: *mut ngx_list_part_t = unsafe { &raw mut (*list).part };
    let mut index = 0;
    std::iter::from_fn(move || {
        // SAFETY: parts are linked and end in null; each holds nelts elements.
        unsafe {
            while index >= part.as_ref()?.nelts {
                part = (*part).next;
                index = 0;
            }
            let element = (*part).elts.cast::<ngx_table_elt_t>().add(index);
            index += 1;
            Some(element)
        }
    })
}

/// nginx's hash of a header name, by which `proxy_set_header` finds what it overrides (`ngx_hash` in C).
fn hash(name: &[u8]) -> usize {
    name.iter().fold(0, |hash: usize, byte| {
        hash.wrapping_mul(31).wrapping_add(usize::from(*byte))
    })
}
