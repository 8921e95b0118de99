//! Whether the nginx that runs is the one that the module was built for.
//!
//! nginx compares a module's number and signature with its own. Forks (OpenResty, freenginx) keep both and change structs: their
//! workers would crash at the first request. So the module asks nginx for its name, and has it fill in two structs.

use std::ffi::CStr;
use std::io::{Read, pipe};
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::ptr;

use super::ffi::{
    self, NGX_HTTP_PUT, NGX_LOG_NOTICE, NGX_OK, ngx_buf_t, ngx_connection_t, ngx_create_pool,
    ngx_destroy_pool, ngx_http_parse_request_line, ngx_http_request_t, ngx_http_upstream_create,
    ngx_http_upstream_t, ngx_log_t, ngx_open_file_t, ngx_os_status, ngx_pool_t,
};

/// Says what is wrong with this nginx, and what to do about it. `None` if it is the right one.
pub fn mismatch() -> Option<String> {
    // SAFETY: the function gives a constant of C's.
    let wanted = unsafe { CStr::from_ptr(ffi::nginx_ver()) }.to_string_lossy();
    match name() {
        None => return Some(
            "bedrock: nginx does not tell its version, so nobody can say whether the module fits"
                .to_owned(),
        ),
        Some(name) if !is_same(&name, &wanted) => {
            return Some(format!(
                "bedrock: the module was built for {wanted}, but this is {name}: build it from the source of {name}, as \
                 docs/building.md describes"
            ));
        }
        Some(_) => {}
    }
    let differs = if !has_same_request() {
        "ngx_http_request_t"
    } else if !has_same_upstream() {
        "ngx_http_upstream_t"
    } else {
        return None;
    };
    Some(format!(
        "bedrock: the module was built for {wanted}, and this nginx has that name, but its {differs} is different, because its \
         source was patched: build the module from the source of this very nginx, as docs/building.md describes"
    ))
}

/// The version of nginx that this was built for, and so of the one that runs it.
pub fn version() -> String {
    // SAFETY: the function gives a constant of C's.
    let name = unsafe { CStr::from_ptr(ffi::nginx_ver()) }.to_string_lossy();
    let version = name.split_once('/').map(|(_, version)| version.to_owned());
    version.unwrap_or_else(|| name.into_owned())
}

/// A build may have a name of its own behind nginx's: "nginx/1.31.4 (nginx-plus-r99)".
fn is_same(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// What nginx calls itself. It only tells its log: "2026/11/28 20:00:00 [notice] 1#1: nginx/1.22.1".
fn name() -> Option<String> {
    let (mut reader, writer) = pipe().ok()?;
    let mut file = Blank::<ngx_open_file_t>::new();
    let mut log = Blank::<ngx_log_t>::new();
    // SAFETY: the log begins with its level and its file, and the file with its descriptor, in every fork; all else of
    // them is zero, which means that there is none.
    unsafe {
        (*file.get()).fd = writer.as_raw_fd();
        (*log.get()).log_level = NGX_LOG_NOTICE as usize;
        (*log.get()).file = file.get();
        ngx_os_status(log.get());
    }
    drop(writer);
    let mut text = Vec::new();
    reader.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (_, name) = text.lines().next()?.split_once(": ")?;
    Some(name.to_owned())
}

/// nginx reads a request line; the results, among the last of the struct's members and bits, must be where the module looks for
/// them.
fn has_same_request() -> bool {
    let mut line = *b"PUT /a+b.c?e=f HTTP/1.1\r\n";
    let mut buffer = Blank::<ngx_buf_t>::new();
    let mut request = Blank::<ngx_http_request_t>::new();
    let (begin, length) = (line.as_mut_ptr(), line.len());
    let at = |offset| begin.wrapping_add(offset);
    let (start, end) = (begin, at(length));
    // SAFETY: the parser reads the line and writes into the request, which has room for a larger one.
    unsafe {
        let (b, r) = (buffer.get(), request.get());
        (*b).start = start;
        (*b).pos = start;
        (*b).last = end;
        (*b).end = end;
        ngx_http_parse_request_line(r, b) == NGX_OK as isize
            && (*r).method == NGX_HTTP_PUT as usize
            && (*r).request_start == start
            && (*r).uri_start == at(4)
            && (*r).uri_ext == at(9)
            && (*r).args_start == at(11)
            && (*r).uri_end == at(14)
            && ffi::get_request_http_major(r) == 1
            && ffi::get_request_http_minor(r) == 1
            && ffi::get_request_plus_in_uri(r) == 1
            && ffi::get_request_quoted_uri(r) == 0
    }
}

/// nginx makes an upstream for a request; its size, and what is set in it, must be what the module expects.
fn has_same_upstream() -> bool {
    let mut log = Blank::<ngx_log_t>::new();
    let mut connection = Blank::<ngx_connection_t>::new();
    let mut request = Blank::<ngx_http_request_t>::new();
    // SAFETY: what nginx uses of the request is its connection's log and its pool, which is destroyed once all of it has been
    // looked at.
    unsafe {
        let pool = ngx_create_pool(POOL, log.get());
        if pool.is_null() {
            return false;
        }
        (*connection.get()).log = log.get();
        (*request.get()).connection = connection.get();
        (*request.get()).pool = pool;
        let same = ngx_http_upstream_create(request.get()) == NGX_OK as isize
            && is_new_upstream((*request.get()).upstream, pool, log.get());
        ngx_destroy_pool(pool);
        same
    }
}

/// # Safety
/// `upstream` is null, or was made by nginx in the pool, as the first thing there.
unsafe fn is_new_upstream(
    upstream: *const ngx_http_upstream_t,
    pool: *const ngx_pool_t,
    log: *const ngx_log_t,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(new) = upstream.as_ref() else {
            return false;
        };
        let begin = upstream.cast::<u8>();
        let (pool_begin, pool_end) = (pool.cast::<u8>(), (*pool).d.end.cast_const());
        let in_pool = pool_begin < begin && begin < pool_end;
        // nginx for debugging (NGX_DEBUG_PALLOC) allocates it elsewhere, and does not tell its size.
        let same_size = !in_pool || begin.add(size_of::<ngx_http_upstream_t>()) == (*pool).d.last;
        same_size
            && new.headers_in.content_length_n == -1
            && new.headers_in.last_modified_time == -1
            && ptr::eq(new.peer.log, log)
    }
}

/// A struct of zeroes, with room behind it for one that is larger.
struct Blank<T> {
    words: Vec<u64>,
    of: PhantomData<T>,
}

impl<T> Blank<T> {
    fn new() -> Self {
        Self {
            words: vec![0; size_of::<T>().div_ceil(8) + ROOM],
            of: PhantomData,
        }
    }

    fn get(&mut self) -> *mut T {
        self.words.as_mut_ptr().cast()
    }
}

/// In words of 8 bytes.
const ROOM: usize = 512;
/// Bytes for what an upstream needs when it is made.
const POOL: usize = 16 << 10;
