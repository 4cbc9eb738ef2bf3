//! What must stay alive until C code that may have borrowed it has returned.
//!
//! C code that calls Python code (`sorted()` its key function, `==` an `__eq__()`) may go on with
//! an item that it borrowed from a tuple, or with the table of a set. Where such calls are under
//! way, on any thread, the old objects and the old tables are handed to the interpreter, which
//! releases them at a later collection or remap, when those calls have returned.

use std::alloc::{Layout, alloc};
use std::ffi::c_void;

use crate::apply::Committed;
use crate::ffi::*;
use crate::pairs::Pairs;

/// What the transaction and the pairs held.
struct Payload {
    committed: Committed,
    objects: Vec<Owned>,
}

/// Room for what will be kept, made while failure is still possible.
pub struct Kept(Option<(*mut _PyRemap_Kept, *mut Payload, Vec<Owned>)>);

impl Kept {
    /// For the calls that are under way now: no Python code may run until [`Kept::finish`].
    pub fn prepare(pairs: &Pairs) -> Result<Self> {
        let mut node = std::ptr::null_mut();
        // SAFETY: `node` is written.
        check(unsafe { _PyRemap_NewKept(&mut node) })?;
        if node.is_null() {
            return Ok(Self(None));
        }
        // SAFETY: the layout is not empty.
        let payload = unsafe { alloc(Layout::new::<Payload>()) }.cast::<Payload>();
        let mut objects = Vec::new();
        if payload.is_null() || objects.try_reserve_exact(pairs.len()).is_err() {
            // SAFETY: gives both back unused.
            unsafe {
                if !payload.is_null() {
                    std::alloc::dealloc(payload.cast(), Layout::new::<Payload>());
                }
                _PyRemap_Keep(node, std::ptr::null_mut(), None);
            }
            return no_memory();
        }
        Ok(Self(Some((node, payload, objects))))
    }

    /// Keeps what must be kept, and drops the rest: finalizers may run.
    pub fn finish(mut self, mut committed: Committed, pairs: Pairs) {
        if self.0.is_none() {
            committed.drop_kept();
            return;
        }
        self.keep(committed, pairs.pairs.into_iter().map(|pair| pair.old));
    }

    /// After a change that was undone: other threads may have borrowed what took the places of the
    /// old objects, from a tuple for instance, while Python code ran in the repair.
    pub fn finish_undone(pairs: Pairs) {
        // SAFETY: the exception that is set is put back.
        let exception = unsafe { PyErr_GetRaisedException() };
        match Self::prepare(&pairs) {
            Ok(Self(None)) => {}
            Ok(mut kept) => {
                let replacements = pairs.pairs.into_iter().map(|pair| pair.new);
                kept.keep(Committed::default(), replacements);
            }
            // No memory to remember until when: for ever.
            Err(Raised) => pairs.pairs.into_iter().for_each(|pair| {
                let _ = pair.new.into_ptr();
            }),
        }
        // SAFETY: owned since it was taken; another one is dropped.
        unsafe { PyErr_SetRaisedException(exception) };
    }

    fn keep(&mut self, committed: Committed, kept: impl Iterator<Item = Owned>) {
        let Some((node, payload, mut objects)) = self.0.take() else {
            return;
        };
        objects.extend(kept);
        let value = Payload { committed, objects };
        // SAFETY: `payload` has the layout of the value and belongs to the node from here on.
        unsafe {
            payload.write(value);
            _PyRemap_Keep(node, payload.cast(), Some(release));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some((node, payload, _)) = self.0.take() {
            // SAFETY: neither has been used.
            unsafe {
                _PyRemap_Keep(node, std::ptr::null_mut(), None);
                std::alloc::dealloc(payload.cast(), Layout::new::<Payload>());
            }
        }
    }
}

/// For each pair, the references to its old object that are kept here from earlier calls.
pub fn references(pairs: &Pairs) -> Result<Vec<isize>> {
    let mut counter = Counter {
        pairs,
        counts: Vec::new(),
    };
    for _ in 0..pairs.len() {
        push(&mut counter.counts, 0)?;
    }
    // SAFETY: the visitor takes a `Counter`.
    unsafe { _PyRemap_VisitKept(Some(count), (&raw mut counter).cast()) };
    Ok(counter.counts)
}

struct Counter<'a> {
    pairs: &'a Pairs,
    counts: Vec<isize>,
}

unsafe extern "C" fn count(payload: *mut c_void, arg: *mut c_void) {
    // SAFETY: `arg` is the `Counter`; what is kept was written by `Kept::keep`.
    let (counter, payload) =
        unsafe { (&mut *arg.cast::<Counter<'_>>(), &*payload.cast::<Payload>()) };
    for object in &payload.objects {
        if let Some(pair) = counter.pairs.find(object.as_ptr()) {
            counter.counts[pair] += 1;
        }
    }
}

unsafe extern "C" fn release(payload: *mut c_void) {
    // SAFETY: written by `Kept::keep` with the layout of a box, and released once.
    let mut payload = unsafe { Box::from_raw(payload.cast::<Payload>()) };
    payload.committed.drop_kept();
}
