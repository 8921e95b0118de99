//! Tables that nginx reads from the shared object.

/// Pointers, ending in null.
#[repr(transparent)]
pub struct Table<T: 'static, const N: usize>([*const T; N]);

// SAFETY: the pointers are to statics and are never written through here.
unsafe impl<T, const N: usize> Sync for Table<T, N> {}

impl<T, const N: usize> Table<T, N> {
    /// Of these pointers.
    pub const fn new(pointers: [*const T; N]) -> Self {
        Self(pointers)
    }
}
