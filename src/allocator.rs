//! The engine's memory comes from the interpreter's raw allocator: `tracemalloc` sees it, and the
//! failures that tests inject reach it.
//!
//! Invariant: an allocation that fails raises `MemoryError`; none may abort. So nothing here or in
//! the other modules allocates without a way to say no (`Box::new`, `vec!`, `collect`).

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;

use crate::ffi::*;

/// What `malloc()` guarantees on the platforms of CPython.
const MALLOC_ALIGNMENT: usize = 16;

// Unit tests run without an interpreter.
#[cfg_attr(not(test), global_allocator)]
#[cfg_attr(test, expect(dead_code))]
static ALLOCATOR: Raw = Raw;

struct Raw;

// SAFETY: PyMem_Raw* have the contract of malloc(), realloc() and free(), on any thread; which of
// the two allocators a block is from follows from its layout.
unsafe impl GlobalAlloc for Raw {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the contract of the trait, here and below.
        unsafe {
            if layout.align() <= MALLOC_ALIGNMENT {
                PyMem_RawMalloc(layout.size()).cast()
            } else {
                System.alloc(layout)
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: see `alloc`.
        unsafe {
            if layout.align() <= MALLOC_ALIGNMENT {
                PyMem_RawFree(block.cast());
            } else {
                System.dealloc(block, layout);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see `alloc`.
        unsafe {
            if layout.align() <= MALLOC_ALIGNMENT {
                PyMem_RawRealloc(block.cast(), size).cast()
            } else {
                System.realloc(block, layout, size)
            }
        }
    }
}

/// A value on the heap, shared with C code that has its address.
pub struct Pinned<T>(NonNull<T>);

impl<T> Pinned<T> {
    /// Like `Box::new`, or raises `MemoryError`.
    pub fn new(value: T) -> Result<Self> {
        const { assert!(size_of::<T>() > 0) };
        // SAFETY: the layout is not empty; what has been allocated is written to.
        unsafe {
            let block = std::alloc::alloc(Layout::new::<T>()).cast::<T>();
            let Some(block) = NonNull::new(block) else {
                return no_memory();
            };
            block.write(value);
            Ok(Self(block))
        }
    }

    pub fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> std::ops::Deref for Pinned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: written by `new`, and only shared since.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with the layout of a box, and dropped once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
