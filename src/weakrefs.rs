//! Weak references: they follow the object that they refer to.
//!
//! A weak reference does not own its referent, and `tp_traverse` does not report it. It is found
//! from the other end: an object that can be weakly referenced has a list of those that refer to
//! it. To redirect one is to move it from one list to another; nothing is allocated, no code runs.
//!
//! A weak reference is hashed and compared by its referent, and remembers the hash. So it is an
//! object whose hash changes, if it is redirected or if the hash of its referent changes: the
//! hash is forgotten, and the tables that have it as a key are repaired like others.
//!
//! What C code made with `_PyWeakref_NewFixed()` stays: the classes in `__subclasses__()`, the
//! caches of ABCs, what a cast relies on.
//!
//! Invariant of [`Moved`]: each redirected weak reference is alive, and [`Moved::undo`] puts it back
//! to its place in the list that it came from, with the hash that it remembered.

use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::ffi::*;
use crate::pairs::{Pair, Pairs};

/// What the scan found: borrowed, valid until Python code runs.
#[derive(Default)]
pub struct Found {
    /// Weak references to old objects, in the order of the pairs and of their lists, with the index
    /// of the pair.
    pub following: Vec<(Object, u32)>,
    /// Those whose hash may change.
    pub hashed: Vec<Object>,
}

impl Found {
    /// Those that refer to an old object.
    pub fn of_pairs(pairs: &Pairs) -> Result<Self> {
        let mut found = Self::default();
        for (index, pair) in pairs.pairs.iter().enumerate() {
            for reference in list_of(pair.old.as_ptr())? {
                // SAFETY: nothing has run since it was found in the list.
                if unsafe { _PyWeakref_IsFixed(reference) } == 0 {
                    push(&mut found.following, (reference, index as u32))?;
                    push(&mut found.hashed, reference)?;
                }
            }
        }
        Ok(found)
    }

    /// Adds the weak references to what is hashed by value, and those to them in turn.
    pub fn join(&mut self, mut members: Vec<Object>, value_hashed: &mut AddressMap) -> Result<()> {
        while let Some(member) = members.pop() {
            for reference in list_of(member)? {
                if value_hashed.insert(reference as usize, 0)?.is_none() {
                    push(&mut self.hashed, reference)?;
                    push(&mut members, reference)?;
                }
            }
        }
        Ok(())
    }
}

/// The weak references to a living object.
fn list_of(object: Object) -> Result<Vec<Object>> {
    let mut list = Vec::new();
    // SAFETY: the callers have living objects; the visitor takes the list.
    let status = unsafe { _PyWeakref_VisitList(object, Some(collect), (&raw mut list).cast()) };
    if status == 0 { Ok(list) } else { Err(Raised) }
}

unsafe extern "C" fn collect(reference: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the list of `list_of`.
    let list = unsafe { &mut *arg.cast::<Vec<Object>>() };
    push(list, reference).map_or(-1, |()| 0)
}

/// What will be changed; kept alive until the remap ends.
#[derive(Default)]
pub struct Following {
    redirects: Vec<(Owned, u32)>,
    hashed: Vec<Owned>,
}

impl Following {
    pub fn new(found: Found) -> Result<Self> {
        let mut this = Self::default();
        for (reference, pair) in found.following {
            push(&mut this.redirects, (Owned::of(reference), pair))?;
        }
        for reference in found.hashed {
            push(&mut this.hashed, Owned::of(reference))?;
        }
        Ok(this)
    }

    /// Has the hashes asked for anew, which may have come from a table that was not repaired yet.
    pub fn forget_hashes(&self) {
        for reference in &self.hashed {
            // SAFETY: the weak reference is owned.
            unsafe { _PyWeakref_SwapHash(reference.as_ptr(), -1) };
        }
    }

    /// Calls `refuse` for each pair whose new object cannot be weakly referenced, and would be.
    pub fn check(&self, pairs: &Pairs, mut refuse: impl FnMut(&Pair) -> Result<()>) -> Result<()> {
        for redirects in self.redirects.chunk_by(|a, b| a.1 == b.1) {
            let pair = &pairs.pairs[redirects[0].1 as usize];
            let (old, new) = (pair.old.as_ptr(), pair.new.as_ptr());
            // SAFETY: the pair owns both.
            unsafe {
                if _PyRemap_SupportsWeakReferences(new) == 0 {
                    _PyRemap_RaiseNoWeakReferences(old, new);
                    refuse(pair)?;
                }
            }
        }
        Ok(())
    }
}

/// Where a weak reference was.
struct Place {
    /// Its neighbour in the list, of those that were not redirected; its address only.
    before: Object,
    kind: *mut PyTypeObject,
}

/// The journal.
#[derive(Default)]
pub struct Moved {
    places: Vec<Place>,
    hashes: Vec<Py_hash_t>,
}

impl Moved {
    /// Redirects all of them, or raises before anything is changed.
    pub fn redirect(following: &Following, pairs: &Pairs) -> Result<Self> {
        let mut this = Self::default();
        let room = this
            .places
            .try_reserve_exact(following.redirects.len())
            .and_then(|()| this.hashes.try_reserve_exact(following.hashed.len()));
        if room.is_err() {
            return no_memory();
        }
        for reference in &following.hashed {
            // SAFETY: the plan owns the weak reference, here and below.
            this.hashes
                .push(unsafe { _PyWeakref_SwapHash(reference.as_ptr(), -1) });
        }
        // All leave their lists before one enters another.
        for (reference, _) in &following.redirects {
            let reference = reference.as_ptr();
            // SAFETY: it is in the list of the old object of its pair.
            this.places.push(unsafe {
                Place {
                    kind: type_of(reference),
                    before: _PyWeakref_Detach(reference),
                }
            });
        }
        for redirects in following.redirects.chunk_by(|a, b| a.1 == b.1) {
            let new = pairs.pairs[redirects[0].1 as usize].new.as_ptr();
            let mut after = std::ptr::null_mut();
            for (reference, _) in redirects {
                // SAFETY: it is detached; the pair owns the object, which was found to support weak
                // references.
                after = unsafe { _PyWeakref_Attach(reference.as_ptr(), new, after) };
            }
        }
        Ok(this)
    }

    /// Redirected weak references.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Puts back what `redirect` has changed.
    pub fn undo(&mut self, following: &Following, pairs: &Pairs) {
        let places = std::mem::take(&mut self.places);
        let redirects = &following.redirects[..places.len()];
        for (reference, _) in redirects {
            // SAFETY: the replacement is alive, and so it is still in that one's list.
            unsafe { _PyWeakref_Detach(reference.as_ptr()) };
        }
        // From the last to the first, each finds its neighbour, or is the first.
        for ((reference, pair), place) in redirects.iter().zip(&places).rev() {
            let old = pairs.pairs[*pair as usize].old.as_ptr();
            // SAFETY: it is detached; the pair owns the object.
            unsafe { _PyWeakref_Reattach(reference.as_ptr(), place.kind, old, place.before) };
        }
        let hashes = std::mem::take(&mut self.hashes);
        for (reference, hash) in following.hashed.iter().zip(hashes) {
            // SAFETY: as above.
            unsafe { _PyWeakref_SwapHash(reference.as_ptr(), hash) };
        }
    }
}
