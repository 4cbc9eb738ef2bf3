//! Phase 4: what depended on the old identities is put right: classes, then hash tables.
//!
//! Tables are repaired innermost first: the hash of a key may come from the table of a frozenset.
//! This is the first phase in which Python code runs (`__hash__`, `__eq__`, `mro`).

use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::apply::Transaction;
use crate::ffi::*;
use crate::scan::CONTAINER_DEPTH;

pub fn repair<'a>(mut transaction: Transaction<'a>) -> Result<Transaction<'a>> {
    let order = innermost_first(&transaction)?;
    transaction.change_bases()?;
    for index in order {
        transaction.repair(index)?;
    }
    Ok(transaction)
}

/// The tables in the order of their repair: depth first through what is hashed by value.
fn innermost_first(transaction: &Transaction<'_>) -> Result<Vec<usize>> {
    let mut order = Vec::new();
    let mut edges = Edges {
        transaction,
        found: Vec::new(),
        entered: AddressMap::default(),
        depth: 0,
        failed: false,
    };
    let mut entered = AddressMap::default();
    let mut stack = Vec::new();
    for table in transaction.tables()? {
        push(&mut stack, Step::Enter(table))?;
        while let Some(step) = stack.pop() {
            match step {
                Step::Enter(object) => {
                    if entered.insert(object as usize, 0)?.is_some() {
                        continue;
                    }
                    push(&mut stack, Step::Leave(object))?;
                    for inner in edges.of(object)? {
                        push(&mut stack, Step::Enter(inner))?;
                    }
                }
                Step::Leave(object) => {
                    if let Some(index) = transaction.repair_of(object) {
                        push(&mut order, index)?;
                    }
                }
            }
        }
    }
    Ok(order)
}

enum Step {
    Enter(Object),
    Leave(Object),
}

struct Edges<'a> {
    transaction: &'a Transaction<'a>,
    found: Vec<Object>,
    /// Containers that were looked into for the present object.
    entered: AddressMap,
    depth: usize,
    failed: bool,
}

impl Edges<'_> {
    /// What the hash of an object, or of its keys, may come from.
    fn of(&mut self, object: Object) -> Result<Vec<Object>> {
        self.entered = AddressMap::default();
        // SAFETY: tables are owned, members of `value_hashed` are held by what is alive, and no
        // Python code has run since the scan; the visitor takes `Edges`.
        unsafe {
            traverse(object, Some(collect), (&raw mut *self).cast());
            let dict = _PyRemap_InstanceDict(object);
            if !dict.is_null() {
                traverse(dict, Some(collect), (&raw mut *self).cast());
            }
            let referent = _PyWeakref_Referent(object);
            if !referent.is_null() {
                collect(referent, (&raw mut *self).cast());
            }
        }
        if self.failed {
            return no_memory();
        }
        Ok(std::mem::take(&mut self.found))
    }
}

unsafe extern "C" fn collect(object: Object, arg: *mut c_void) -> c_int {
    let edges = arg.cast::<Edges<'_>>();
    // SAFETY: `arg` is the `Edges` of the traversal, of which no reference is held across the inner
    // one. A referent is alive; its holder may be hashed by what is in it.
    unsafe {
        if (*edges).depth < CONTAINER_DEPTH && is_mutable_container(object) {
            match (*edges).entered.insert(object as usize, 0) {
                Ok(None) => {
                    (*edges).depth += 1;
                    traverse(object, Some(collect), arg);
                    (*edges).depth -= 1;
                }
                Ok(Some(_)) => {}
                Err(Raised) => (*edges).failed = true,
            }
        }
        let transaction = (*edges).transaction;
        if transaction.plan.value_hashed.contains(object as usize)
            || transaction.repair_of(object).is_some()
        {
            let failed = push(&mut (*edges).found, object).is_err();
            (*edges).failed |= failed;
        }
    }
    0
}
