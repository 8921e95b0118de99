//! The request body: reading it wherever nginx put it, and replacing it.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::mem::{ManuallyDrop, size_of};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr;

use gateway::{Body, Segment};

use super::ffi::{
    self, ngx_alloc_chain_link, ngx_buf_t, ngx_chain_t, ngx_file_t, ngx_http_request_body_t,
    ngx_pcalloc, ngx_pool_cleanup_file, ngx_pool_cleanup_file_t, ngx_temp_file_t,
};
use super::request::Request;

/// Where the bytes of a body are.
pub struct Pieces(Vec<Piece>);

enum Piece {
    Memory(*const u8, usize),
    File { fd: i32, from: u64, length: usize },
}

// SAFETY: the pieces are in the request's pool and in a file of the request, which nobody changes while the body is being
// worked on, and the request is kept alive as long as a thread has them (see `task`).
unsafe impl Send for Pieces {}

/// The body of a request that has been read.
pub fn pieces(request: Request) -> Pieces {
    pieces_of(of_client(request))
}

/// A body that is to be understood or sent.
pub fn pieces_of(body: NewBody) -> Pieces {
    // SAFETY: the request is live; a body is null or a chain that ends in null.
    unsafe { pieces_in(body.0.as_ref().map_or(ptr::null_mut(), |body| body.bufs)) }
}

/// What the buffers of a chain hold.
///
/// # Safety
/// `link` is null or a live chain that ends in null, and outlives what is done with the pieces.
pub unsafe fn pieces_in(mut link: *mut ngx_chain_t) -> Pieces {
    let mut pieces = Vec::new();
    // SAFETY: the caller's promise.
    unsafe {
        while let Some(this) = link.as_ref() {
            let buffer = this.buf;
            if ffi::get_buf_in_file(buffer) != 0 {
                let length = (*buffer).file_last - (*buffer).file_pos;
                pieces.push(Piece::File {
                    fd: (*(*buffer).file).fd,
                    from: u64::try_from((*buffer).file_pos).unwrap_or(0),
                    length: usize::try_from(length).unwrap_or(0),
                });
            } else if !(*buffer).pos.is_null() && (*buffer).last > (*buffer).pos {
                let length = (*buffer).last.offset_from_unsigned((*buffer).pos);
                pieces.push(Piece::Memory((*buffer).pos, length));
            }
            link = this.next;
        }
    }
    Pieces(pieces)
}

impl Pieces {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Memory(_, length) | Piece::File { length, .. } => *length,
            })
            .sum()
    }

    /// Whether a file has to be read for it, which may block.
    pub fn in_file(&self) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::File { .. }))
    }

    /// The whole body; copied only if it is in several pieces or in a file.
    ///
    /// # Errors
    /// The file could not be read.
    pub fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        if let [Piece::Memory(start, length)] = self.0.as_slice() {
            // SAFETY: see `Send` above.
            return Ok(Cow::Borrowed(unsafe {
                std::slice::from_raw_parts(*start, *length)
            }));
        }
        let mut whole = Vec::with_capacity(self.len());
        for piece in &self.0 {
            match piece {
                Piece::Memory(start, length) => {
                    // SAFETY: see `Send` above.
                    let bytes = unsafe { std::slice::from_raw_parts(*start, *length) };
                    whole.extend_from_slice(bytes);
                }
                Piece::File { fd, from, length } => {
                    // SAFETY: nginx keeps the file open, and ManuallyDrop leaves closing it to nginx.
                    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(*fd) });
                    let start = whole.len();
                    whole.resize(start + length, 0);
                    let target = whole.get_mut(start..).unwrap_or_default();
                    file.read_exact_at(target, *from)?;
                }
            }
        }
        Ok(Cow::Owned(whole))
    }

    /// The memory that bytes `from..to` are in, in order. A file is no memory: nothing of it is given.
    fn memory(&self, from: usize, to: usize) -> Vec<(*const u8, usize)> {
        let mut found = Vec::new();
        let mut before = 0;
        for piece in &self.0 {
            let Piece::Memory(start, length) = piece else {
                continue;
            };
            let begin = from.clamp(before, before + length) - before;
            let end = to.clamp(before, before + length) - before;
            if end > begin {
                found.push((start.wrapping_add(begin), end - begin));
            }
            before += length;
        }
        found
    }
}

/// The request's body pointer, to be put back later.
#[derive(Clone, Copy)]
pub struct Saved(*mut ngx_http_request_body_t);

/// Remembers the client's body.
pub fn save(request: Request) -> Saved {
    // SAFETY: the request is live.
    Saved(unsafe { (*request.raw()).request_body })
}

/// Puts the client's body back.
pub fn restore(request: Request, saved: Saved) {
    // SAFETY: both are of this request.
    unsafe { (*request.raw()).request_body = saved.0 }
}

/// Whether the body has been read (or found to be empty).
pub fn is_read(request: Request) -> bool {
    // SAFETY: the request is live.
    unsafe { !(*request.raw()).request_body.is_null() }
}

/// A body to send. It is in the request's pool.
#[derive(Clone, Copy)]
pub struct NewBody(*mut ngx_http_request_body_t);

/// The client's own.
pub fn of_client(request: Request) -> NewBody {
    NewBody(save(request).0)
}

/// These bytes. `None` if there is no memory.
pub fn of_bytes(request: Request, bytes: &[u8]) -> Option<NewBody> {
    let copy = request.copy(bytes)?;
    let buffer = new_buffer(request)?;
    in_memory(buffer, copy.data, copy.len);
    body(request, [Some(buffer)].into_iter(), ptr::null_mut())
}

/// Puts a body in the place of the client's.
pub fn put(request: Request, new: NewBody) {
    // SAFETY: both are of this request.
    unsafe { (*request.raw()).request_body = new.0 }
}

/// A body made of pieces of the body `old`, which must be in memory, and new ones between. `None` if there is no memory.
pub fn splice(request: Request, old: NewBody, new: &Body) -> Option<NewBody> {
    let Body::Spliced(segments) = new else {
        return Some(old);
    };
    let old = pieces_of(old);
    let mut buffers = Vec::new();
    for segment in segments {
        match segment {
            Segment::Kept(range) => buffers.extend(old.memory(range.start, range.end)),
            Segment::New(bytes) => {
                let copy = request.copy(bytes)?;
                buffers.push((copy.data.cast_const(), copy.len));
            }
        }
    }
    let chain = buffers.into_iter().map(|(start, length)| {
        let buffer = new_buffer(request)?;
        in_memory(buffer, start, length);
        Some(buffer)
    });
    body(request, chain, ptr::null_mut())
}

/// The body that is in a file, from its beginning. The file is closed with the request. `None` if there is no memory.
pub fn of_file(request: Request, file: File, length: usize) -> Option<NewBody> {
    // SAFETY: the request is live, and what is allocated is zeroed as ngx_pcalloc leaves it.
    unsafe {
        let cleanup =
            super::ffi::ngx_pool_cleanup_add(request.pool(), size_of::<ngx_pool_cleanup_file_t>());
        let temp: *mut ngx_temp_file_t =
            ngx_pcalloc(request.pool(), size_of::<ngx_temp_file_t>()).cast();
        let (Some(cleanup), false) = (cleanup.as_mut(), temp.is_null()) else {
            return None;
        };
        let log = (*request.connection()).log;
        let fd = file.into_raw_fd();
        let data: *mut ngx_pool_cleanup_file_t = cleanup.data.cast();
        (*data).fd = fd;
        (*data).name = c"request body".as_ptr().cast_mut().cast();
        (*data).log = log;
        cleanup.handler = Some(ngx_pool_cleanup_file);
        let handle: *mut ngx_file_t = &raw mut (*temp).file;
        (*handle).fd = fd;
        (*handle).log = log;
        let buffer = new_buffer(request)?;
        (*buffer).file = handle;
        (*buffer).file_last = i64::try_from(length).unwrap_or(0);
        ffi::set_buf_in_file(buffer, 1);
        body(request, [Some(buffer)].into_iter(), temp)
    }
}

/// Has a new buffer hold bytes that are in the request's pool.
fn in_memory(buffer: *mut ngx_buf_t, start: *const u8, length: usize) {
    // SAFETY: the buffer is new. nginx starts over at `start` when it sends a request again, so that is where the bytes begin.
    unsafe {
        (*buffer).start = start.cast_mut();
        (*buffer).pos = start.cast_mut();
        (*buffer).last = start.wrapping_add(length).cast_mut();
        (*buffer).end = (*buffer).last;
        ffi::set_buf_memory(buffer, 1);
    }
}

/// Where nginx keeps request bodies.
pub fn directory(core: &super::ffi::ngx_http_core_loc_conf_t) -> Option<PathBuf> {
    super::directory(core.client_body_temp_path).map(PathBuf::from)
}

/// A new file without a name, for a body.
///
/// # Errors
/// The system has none.
pub fn new_file(directory: Option<&Path>) -> io::Result<File> {
    match directory {
        Some(directory) => tempfile::tempfile_in(directory),
        None => tempfile::tempfile(),
    }
}

fn new_buffer(request: Request) -> Option<*mut ngx_buf_t> {
    // SAFETY: the pool is live.
    let buffer: *mut ngx_buf_t =
        unsafe { ngx_pcalloc(request.pool(), size_of::<ngx_buf_t>()).cast() };
    (!buffer.is_null()).then_some(buffer)
}

fn body(
    request: Request,
    buffers: impl Iterator<Item = Option<*mut ngx_buf_t>>,
    temp_file: *mut ngx_temp_file_t,
) -> Option<NewBody> {
    // SAFETY: the request is live. The struct is new, because subrequests share their parent's.
    unsafe {
        let body: *mut ngx_http_request_body_t =
            ngx_pcalloc(request.pool(), size_of::<ngx_http_request_body_t>()).cast();
        if body.is_null() {
            return None;
        }
        let mut target: *mut *mut ngx_chain_t = &raw mut (*body).bufs;
        for buffer in buffers {
            let link = ngx_alloc_chain_link(request.pool());
            let (Some(buffer), false) = (buffer, link.is_null()) else {
                return None;
            };
            (*link).buf = buffer;
            (*link).next = ptr::null_mut();
            *target = link;
            target = &raw mut (*link).next;
        }
        (*body).temp_file = temp_file;
        Some(NewBody(body))
    }
}
