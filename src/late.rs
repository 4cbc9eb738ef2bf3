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

/// Everything of which a table may have a wrong hash.
pub struct Watched {
    objects: Vec<Owned>,
    /// All instances of these.
    classes: Vec<Owned>,
}

impl Watched {
    /// Keeps it alive, so that it can be looked for when Python code has run. To be called before any
    /// has.
    pub fn of(pairs: &Pairs, plan: &Plan) -> Result<Self> {
        let mut watched = Self {
            objects: Vec::new(),
            classes: Vec::new(),
        };
        for address in plan.value_hashed.addresses() {
            // Held by what is alive: no Python code has run since the scan.
            push(&mut watched.objects, Owned::of(address as Object))?;
        }
        for pair in &pairs.pairs {
            push(&mut watched.objects, Owned::of(pair.old.as_ptr()))?;
            push(&mut watched.objects, Owned::of(pair.new.as_ptr()))?;
        }
        for address in plan.rehashed.addresses() {
            // As above.
            push(&mut watched.classes, Owned::of(address as Object))?;
        }
        Ok(watched)
    }
}

/// The tables that refer to what is watched, or to what is hashed by that.
pub struct Late {
    tables: Vec<Owned>,
    /// The classes that have one of the tables as their namespace.
    namespaces: Vec<Owned>,
    hashed: AddressMap,
    /// Weak references, and what they refer to: its hash is asked for.
    weak: Vec<(Owned, Owned)>,
}

impl Late {
    /// Walks the heap.
    pub fn find(pairs: &Pairs, watched: &Watched) -> Result<Self> {
        let mut objects = Vec::new();
        for object in &watched.objects {
            push(&mut objects, object.as_ptr())?;
        }
        let mut classes = AddressMap::default();
        for class in &watched.classes {
            classes.insert(class.as_ptr() as usize, 0)?;
        }
        let findings = scan::hashed_by(pairs, objects, &classes)?;
        let mut late = Self {
            tables: Vec::new(),
            namespaces: Vec::new(),
            hashed: findings.value_hashed,
            weak: Vec::new(),
        };
        let mut linked = AddressMap::default();
        for &holder in &findings.touched {
            // SAFETY: no Python code has run since the walk.
            let dict = unsafe { _PyFunctools_LinkedDict(holder) };
            if !dict.is_null() {
                linked.insert(dict as usize, 0)?;
            }
        }
        let mut tables = AddressMap::default();
        for holder in findings.touched {
            // SAFETY: as above.
            let is_table = unsafe { _PyRemap_IsTable(holder) != 0 };
            if is_table && !linked.contains(holder as usize) {
                tables.insert(holder as usize, 0)?;
                push(&mut late.tables, Owned::of(holder))?;
            }
        }
        for class in findings.types {
            // SAFETY: as above.
            if tables.contains(unsafe { (*class).tp_dict } as usize) {
                push(&mut late.namespaces, Owned::of(class.cast()))?;
            }
        }
        for reference in findings.weak.hashed {
            // SAFETY: as above.
            let referent = unsafe { _PyWeakref_Referent(reference) };
            if !referent.is_null() {
                push(&mut late.weak, (Owned::of(reference), Owned::of(referent)))?;
            }
        }
        Ok(late)
    }

    /// How many tables there are.
    pub fn count(&self) -> usize {
        self.tables.len()
    }

    /// Is each key of a table found where it is? May run Python code.
    pub fn is_right(&self, table: Object) -> Result<bool> {
        let hashed = (&raw const self.hashed).cast_mut().cast();
        // SAFETY: the caller owns the table; the function takes the map.
        let right = unsafe { _PyRemap_KeysAreFound(table, Some(is_hashed), hashed) };
        check(right)?;
        Ok(right != 0)
    }

    /// If the table that has been repaired is the namespace of a class, names are found elsewhere.
    pub fn repaired(&self, table: Object) {
        for class in &self.namespaces {
            let class: *mut PyTypeObject = class.as_ptr().cast();
            // SAFETY: the class is owned.
            unsafe {
                if (*class).tp_dict == table {
                    _PyType_NamespaceChanged(class);
                }
            }
        }
    }

    /// Has all tables ask for a repair, and weak references for their hashes. Runs no Python code.
    pub fn ask(&self) -> Result<()> {
        for (reference, _) in &self.weak {
            // SAFETY: the weak reference is owned.
            unsafe { _PyWeakref_SwapHash(reference.as_ptr(), -1) };
        }
        for table in &self.tables {
            let table = table.as_ptr();
            // SAFETY: the table is owned; the visitor takes the map.
            unsafe {
                if let Some(traverse) = traverse_change_of(table) {
                    let hashed = (&raw const self.hashed).cast_mut();
                    check(traverse(table, Some(ask), hashed.cast()))?;
                }
            }
        }
        Ok(())
    }
}

/// The same object, but its hash may be another: ownership is exchanged with itself.
unsafe extern "C" fn ask(
    current: Object,
    change: changeproc,
    slot: *mut c_void,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: `arg` is the map of what has another hash, which is only read.
    let hashed = unsafe { &*arg.cast_const().cast::<AddressMap>() };
    if is_plain(change, slot) || !hashed.contains(current as usize) {
        return 0;
    }
    // SAFETY: the visited type's own changeproc and slot.
    unsafe { change.expect("a changeproc is not NULL")(slot, current).min(0) }
}

/// Is the key one that may have another hash?
unsafe extern "C" fn is_hashed(key: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the map of what has another hash, which is only read.
    let hashed = unsafe { &*arg.cast_const().cast::<AddressMap>() };
    hashed.contains(key as usize).into()
}

/// How often tables are looked for that Python code has made or changed during the repair of others,
/// or as many times as there are tables at first: each time one more level is right of tables that
/// are keys of each other. A key whose hash is another one each time is never right.
pub const ROUNDS: usize = 16;

/// How deep the parts of a key are looked into.
const PARTS: usize = 8;

/// Does the repair of a table run no Python code, since all of its keys are hashed and compared in
/// C? If that cannot be told, the answer is no.
pub fn is_repaired_in_c(plan: &Plan, table: Object) -> Result<bool> {
    // SAFETY: the table is alive; what it refers to is, too, and stays so while no Python code runs.
    unsafe {
        if is_dict(table) {
            // The keys of an OrderedDict's nodes need not be in the dict.
            let mut nodes: Vec<Object> = Vec::new();
            let arg = (&raw mut nodes).cast();
            check(_PyODict_VisitNodes(table, Some(scan::collect), arg))?;
            if !are_hashed_in_c(plan, &nodes, PARTS)? {
                return Ok(false);
            }
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
        Ok(_PyRemap_IsTable(table) != 0 && are_hashed_in_c(plan, &referents_of(table)?, PARTS)?)
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
            return Ok(!plan.value_hashed.contains(key as usize)
                && (!is_heap_type(kind) || _PyRemap_HasIdentityEquality(kind) != 0));
        }
        if is_heap_type(kind) {
            return Ok(false);
        }
        if parts == 0 {
            return Ok(false);
        }
        let constants = _PyRemap_CodeConstants(key);
        if !constants.is_null() {
            return is_hashed_in_c(plan, constants, parts - 1);
        }
        if (*kind).tp_traverse.is_none() {
            return Ok(true);
        }
        let referent = _PyWeakref_Referent(key);
        if !referent.is_null() {
            return is_hashed_in_c(plan, referent, parts - 1);
        }
        if is_exact(key, &raw mut PyTuple_Type) || is_exact(key, &raw mut PyFrozenSet_Type) {
            return are_hashed_in_c(plan, &referents_of(key)?, parts - 1);
        }
        Ok(false)
    }
}

/// # Safety
/// See [`is_hashed_in_c`].
unsafe fn are_hashed_in_c(plan: &Plan, keys: &[Object], parts: usize) -> Result<bool> {
    for &key in keys {
        // SAFETY: by contract.
        if !unsafe { is_hashed_in_c(plan, key, parts)? } {
            return Ok(false);
        }
    }
    Ok(true)
}

/// # Safety
/// `holder` is alive, and no Python code runs.
unsafe fn referents_of(holder: Object) -> Result<Vec<Object>> {
    let mut referents: Vec<Object> = Vec::new();
    // SAFETY: by contract; the visitor takes the list.
    unsafe {
        let arg = (&raw mut referents).cast();
        check(traverse(holder, Some(scan::collect), arg))?;
    }
    Ok(referents)
}
