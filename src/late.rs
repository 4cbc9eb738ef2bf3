//! What Python code has done while tables were not repaired yet.
//!
//! A `__hash__`, the `mro()` of a metaclass and audit hooks run when all references have been
//! changed, and not all tables repaired; other threads may run then, too. Such code can copy a table
//! with the hashes in it, and file an object by a hash that is not right yet in a table that the plan
//! does not know. Two things are done about it: what can be repaired without Python code is repaired
//! before any runs ([`is_repaired_in_c`]), and afterwards the heap is walked once more for the other
//! tables ([`Late`]), whether the change stays or has been undone.

use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::apply::is_plain;
use crate::ffi::*;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::scan;

/// Keeps everything of which a table may have a wrong hash, so that it can be looked for when
/// Python code has run.
pub fn watch(pairs: &Pairs, plan: &Plan) -> Result<()> {
    let mut watched = Vec::new();
    for address in plan.value_hashed.addresses() {
        // Held by what is alive: no Python code has run since the scan.
        push(&mut watched, Owned::of(address as Object))?;
    }
    for pair in &pairs.pairs {
        push(&mut watched, Owned::of(pair.old.as_ptr()))?;
        push(&mut watched, Owned::of(pair.new.as_ptr()))?;
    }
    let _ = plan.watched.set(watched);
    Ok(())
}

/// The objects that refer to what is watched, and to what is hashed by that.
pub struct Late {
    holders: Vec<Owned>,
    hashed: AddressMap,
    /// The objects of the pairs.
    ends: AddressMap,
}

impl Late {
    /// Walks the heap.
    pub fn find(pairs: &Pairs, watched: &[Owned]) -> Result<Self> {
        let mut objects = Vec::new();
        for object in watched {
            push(&mut objects, object.as_ptr())?;
        }
        let findings = scan::hashed_by(pairs, objects)?;
        let mut late = Self {
            holders: Vec::new(),
            hashed: findings.value_hashed,
            ends: AddressMap::default(),
        };
        for holder in findings.touched {
            if !pairs.exempt.contains(holder as usize) {
                push(&mut late.holders, Owned::of(holder))?;
            }
        }
        for pair in &pairs.pairs {
            late.ends.insert(pair.old.as_ptr() as usize, 0)?;
            late.ends.insert(pair.new.as_ptr() as usize, 0)?;
        }
        Ok(late)
    }

    /// Has all tables among them ask for a repair. Runs no Python code.
    pub fn ask(&self) -> Result<()> {
        for holder in &self.holders {
            let holder = holder.as_ptr();
            // SAFETY: the holder is owned; the visitor takes an `Asked`.
            unsafe {
                let mut asked = Asked {
                    late: self,
                    is_table: _PyRemap_TableStamp(holder) != 0,
                };
                if let Some(traverse) = traverse_change_of(holder) {
                    check(traverse(holder, Some(ask), (&raw mut asked).cast()))?;
                }
            }
        }
        Ok(())
    }
}

/// The object whose references are visited.
struct Asked<'a> {
    late: &'a Late,
    is_table: bool,
}

/// The same object, but its hash may be another: ownership is exchanged with itself.
unsafe extern "C" fn ask(
    current: Object,
    change: changeproc,
    slot: *mut c_void,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: `arg` is the `Asked` of the traversal.
    let Asked { late, is_table } = unsafe { &*arg.cast::<Asked<'_>>() };
    let address = current as usize;
    if is_plain(change, slot)
        || !late.hashed.contains(address)
        || !is_table && late.ends.contains(address)
    {
        return 0;
    }
    // SAFETY: the visited type's own changeproc and slot.
    unsafe { change.expect("a changeproc is not NULL")(slot, current).min(0) }
}

/// How deep the parts of a key are looked into.
const PARTS: usize = 8;

/// Does the repair of a table run no Python code, since all of its keys are hashed and compared in
/// C? If that cannot be told, the answer is no.
pub fn is_repaired_in_c(plan: &Plan, table: Object) -> Result<bool> {
    // SAFETY: the table is alive; what it refers to is, too, and stays so while no Python code runs.
    unsafe {
        if is_dict(table) {
            let (mut position, mut key, mut value) =
                (0, std::ptr::null_mut(), std::ptr::null_mut());
            while PyDict_Next(table, &mut position, &mut key, &mut value) != 0 {
                if !is_hashed_in_c(plan, key, PARTS)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        if _PyRemap_IsContextTree(table) != 0 {
            return Ok(true); // its keys are context variables
        }
        Ok(_PyRemap_TableStamp(table) != 0 && are_hashed_in_c(plan, table, PARTS)?)
    }
}

/// # Safety
/// `key` is alive, and no Python code runs.
unsafe fn is_hashed_in_c(plan: &Plan, key: Object, parts: usize) -> Result<bool> {
    // SAFETY: by contract.
    unsafe {
        let kind = type_of(key);
        if _PyRemap_HasIdentityHash(kind) != 0 {
            // It has another hash now, or will have when its class has other bases.
            return Ok(!plan.value_hashed.contains(key as usize));
        }
        if is_heap_type(kind) {
            return Ok(false);
        }
        if (*kind).tp_traverse.is_none() {
            return Ok(true);
        }
        if parts == 0 {
            return Ok(false);
        }
        let referent = _PyWeakref_Referent(key);
        if !referent.is_null() {
            return is_hashed_in_c(plan, referent, parts - 1);
        }
        if is_exact(key, &raw mut PyTuple_Type) || is_exact(key, &raw mut PyFrozenSet_Type) {
            return are_hashed_in_c(plan, key, parts - 1);
        }
        Ok(false)
    }
}

/// Are all that a set or a tuple refers to?
///
/// # Safety
/// See [`is_hashed_in_c`].
unsafe fn are_hashed_in_c(plan: &Plan, holder: Object, parts: usize) -> Result<bool> {
    let mut referents: Vec<Object> = Vec::new();
    // SAFETY: by contract; the visitor takes the list.
    unsafe {
        let arg = (&raw mut referents).cast();
        check(traverse(holder, Some(scan::collect), arg))?;
        for referent in referents {
            if !is_hashed_in_c(plan, referent, parts)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
