//! Immutable objects that are hashed by what they hold must not come to hold themselves.
//!
//! No Python program can build such a tuple, and so `tuple.__hash__()` does not look out for one:
//! it would overflow the C stack. The same goes for the attributes of a
//! bound method, for the next item of an iterator over iterators, and for the referent of a weak
//! reference, which is hashed and, by a proxy, asked for attributes.

use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::ffi::*;
use crate::pairs::Pairs;

/// The index of a pair whose replacement would hold itself, through immutable objects only.
pub fn find(pairs: &Pairs) -> Result<Option<usize>> {
    // Objects from which no cycle is reached.
    let mut done = AddressMap::default();
    for (index, pair) in pairs.pairs.iter().enumerate() {
        // SAFETY: the pair owns the object.
        if unsafe { is_immutable(pair.new.as_ptr()) }
            && reaches_itself(pairs, pair.new.as_ptr(), &mut done)?
        {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// # Safety
/// `object` is alive.
unsafe fn is_immutable(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe {
        is_tuple(object)
            || !_PyWeakref_Referent(object).is_null()
            || [
                &raw mut PyFrozenSet_Type,
                &raw mut PySlice_Type,
                &raw mut Py_GenericAliasType,
                &raw mut _PyUnion_Type,
                &raw mut PyMethod_Type,
                &raw mut PyFilter_Type,
                &raw mut PyMap_Type,
                &raw mut PyZip_Type,
                &raw mut PyEnum_Type,
            ]
            .contains(&type_of(object))
    }
}

fn reaches_itself(pairs: &Pairs, start: Object, done: &mut AddressMap) -> Result<bool> {
    let mut path = Vec::new();
    push(&mut path, (start, Items::of(pairs, start)?))?;
    while let Some((object, items)) = path.last_mut() {
        let Some(item) = items.found.pop() else {
            done.insert(*object as usize, 0)?;
            path.pop();
            continue;
        };
        if path.iter().any(|(object, _)| *object == item) {
            return Ok(true);
        }
        if !done.contains(item as usize) {
            push(&mut path, (item, Items::of(pairs, item)?))?;
        }
    }
    Ok(false)
}

/// What an object will hold, of the objects that are hashed by their items.
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
                traverse(object, Some(collect), (&raw mut items).cast());
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
    if unsafe { is_immutable(object) } {
        items.failed |= push(&mut items.found, object).is_err();
    }
    0
}
