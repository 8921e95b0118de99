//! Where this module's memory is from. What is large is mapped by itself, and so goes back to the system when it is freed,
//! whichever thread frees it. glibc keeps such pieces in the heap of each thread that once worked on a large body: it takes
//! the first for a sign that more of the size will come.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

use libc::{
    MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, MREMAP_MAYMOVE, PROT_READ, PROT_WRITE, mmap, mremap,
    munmap,
};

/// The system's allocator, but for what is large.
pub struct Memory;

// SAFETY: what is asked for is mapped or allocated in full; which of the two it was shows in the layout, which is the same
// each time.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout.size(), layout) {
            // SAFETY: the caller's promises are passed on.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: a new mapping touches no other one.
        let mapped = unsafe {
            mmap(
                ptr::null_mut(),
                layout.size(),
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        given(mapped)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match is_large(layout.size(), layout) {
            // SAFETY: the caller's promises are passed on; a new mapping is all zeroes.
            true => unsafe { self.alloc(layout) },
            // SAFETY: the caller's promises are passed on.
            false => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        match is_large(layout.size(), layout) {
            true => {
                // SAFETY: this is a whole mapping of that size. It fails only where it would be cut in two.
                unsafe { munmap(piece.cast(), layout.size()) };
            }
            // SAFETY: the caller's promises are passed on.
            false => unsafe { System.dealloc(piece, layout) },
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (is_large(layout.size(), layout), is_large(size, layout)) {
            // SAFETY: the caller's promises are passed on.
            (false, false) => unsafe { System.realloc(piece, layout, size) },
            (true, true) => {
                // SAFETY: this is a whole mapping of that size.
                given(unsafe { mremap(piece.cast(), layout.size(), size, MREMAP_MAYMOVE) })
            }
            _ => {
                // SAFETY: the caller promises that the size is a good one for this alignment; the old piece and the new one
                // are two, and both have what is copied.
                unsafe {
                    let new = Layout::from_size_align_unchecked(size, layout.align());
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        ptr::copy_nonoverlapping(piece, moved, size.min(layout.size()));
                        self.dealloc(piece, layout);
                    }
                    moved
                }
            }
        }
    }
}

/// A mapping begins at a page, which is enough for every alignment that Rust's own types have.
fn is_large(size: usize, layout: Layout) -> bool {
    size >= LARGE && layout.align() <= PAGE
}

fn given(mapped: *mut libc::c_void) -> *mut u8 {
    match mapped == MAP_FAILED {
        true => ptr::null_mut(),
        false => mapped.cast(),
    }
}

const LARGE: usize = 128 << 10;
/// The smallest page there is.
const PAGE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_what_is_in_them_at_every_size() {
        let sizes = [
            1,
            4096,
            LARGE - 1,
            LARGE,
            3 * LARGE + 5,
            40 * LARGE,
            LARGE,
            100,
        ];
        // SAFETY: as the trait demands: each size is that of the piece, and none is zero.
        unsafe {
            let mut layout = Layout::from_size_align(sizes[0], 8).unwrap();
            let mut piece = Memory.alloc(layout);
            *piece = 7;
            for size in sizes {
                piece = Memory.realloc(piece, layout, size);
                layout = Layout::from_size_align(size, 8).unwrap();
                assert_eq!(*piece, 7);
                *piece.add(size - 1) = 7;
            }
            Memory.dealloc(piece, layout);
            for size in [10, 2 * LARGE] {
                let layout = Layout::from_size_align(size, 8).unwrap();
                let piece = Memory.alloc_zeroed(layout);
                assert_eq!(std::slice::from_raw_parts(piece, size), vec![0; size]);
                Memory.dealloc(piece, layout);
            }
        }
    }
}
