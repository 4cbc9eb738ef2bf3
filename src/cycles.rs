//! What C code follows without a look back must not come to lead back to itself.
//!
//! No Python program can build a tuple that holds itself, and so `tuple.__hash__()` does not look
//! out for one: it would overflow the C stack. The same goes for an iterator over iterators, a
//! mapping proxy, a partial function, a stream on a stream, the next entry of a traceback; and
//! nothing would clear a circle of frames. Through a list, an instance or a function a program can
//! make any circle, and C code expects that.

use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::ffi::*;
use crate::pairs::Pairs;

/// The index of a pair whose replacement would lead back to itself.
pub fn find(pairs: &Pairs) -> Result<Option<usize>> {
    let mut states = AddressMap::default();
    for (index, pair) in pairs.pairs.iter().enumerate() {
        let new = pair.new.as_ptr();
        // SAFETY: the pair owns the object.
        if unsafe { is_followed(new) }
            && !states.contains(new as usize)
            && reaches_itself(pairs, new, &mut states)?
        {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// A weak reference is hashed by its referent, and a proxy asks it for attributes.
///
/// # Safety
/// `object` is alive.
unsafe fn is_followed(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe { _PyRemap_IsFollowed(object) != 0 || !_PyWeakref_Referent(object).is_null() }
}

/// An object from which no circle is reached.
const DONE: u32 = 0;
/// An object on the path that is being followed.
const ON_PATH: u32 = 1;

fn reaches_itself(pairs: &Pairs, start: Object, states: &mut AddressMap) -> Result<bool> {
    let mut path = Vec::new();
    states.insert(start as usize, ON_PATH)?;
    push(&mut path, (start, Items::of(pairs, start)?))?;
    while let Some((object, items)) = path.last_mut() {
        let Some(item) = items.found.pop() else {
            states.replace(*object as usize, DONE);
            path.pop();
            continue;
        };
        match states.insert(item as usize, ON_PATH)? {
            Some(ON_PATH) => return Ok(true),
            Some(_) => {}
            None => push(&mut path, (item, Items::of(pairs, item)?))?,
        }
    }
    Ok(false)
}

/// What will be followed from an object, and on from there.
struct Items<'a> {
    pairs: &'a Pairs,
    found: Vec<Object>,
    failed: bool,
}

impl<'a> Items<'a> {
    fn of(pairs: &'a Pairs, object: Object) -> Result<Self> {
        let mut items = Self {
            pairs,
            found: Vec::new(),
            failed: false,
        };
        // SAFETY: the object is held by a replacement; the visitor takes `Items`.
        unsafe {
            let referent = _PyWeakref_Referent(object);
            if referent.is_null() {
                _PyRemap_TraverseFollowed(object, Some(collect), (&raw mut items).cast());
            } else {
                collect(referent, (&raw mut items).cast());
            }
        }
        if items.failed { Err(Raised) } else { Ok(items) }
    }
}

unsafe extern "C" fn collect(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the `Items` of the traversal.
    let items = unsafe { &mut *arg.cast::<Items<'_>>() };
    let object = match items.pairs.find(object) {
        Some(index) => items.pairs.pairs[index].new.as_ptr(),
        None => object,
    };
    // SAFETY: a referent is alive, and so is a replacement.
    if unsafe { is_followed(object) } {
        items.failed |= push(&mut items.found, object).is_err();
    }
    0
}
