//! Phase 4: what depended on the old identities is put right: classes, then hash tables.
//!
//! Tables are repaired innermost first: the hash of a key may come from the table of a frozenset.
//! Where two of them refer to each other it cannot be told which hash comes from which, since that
//! is up to a `__hash__` written in Python: they are repaired until no hash changes any more.
//! This is the first phase in which Python code runs (`__hash__`, `__eq__`, `mro`): what can do
//! without is repaired before, and what that code has made or changed afterwards, see
//! [`late`](crate::late).

use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::apply::Transaction;
use crate::ffi::*;
use crate::late;
use crate::scan::CONTAINER_DEPTH;

pub fn repair<'a>(mut transaction: Transaction<'a>) -> Result<Transaction<'a>> {
    let Order { tables, tangled } = innermost_first(&transaction)?;
    transaction.watch()?;
    let rest = repair_in_c(&mut transaction, &tables)?;
    if !rest.is_empty() || transaction.bases_run_code()? || transaction.namespaces_run_code() {
        transaction.expect_code();
    }
    transaction.namespaces_changed();
    transaction.change_bases()?;
    for &index in &rest {
        transaction.repair(index)?;
    }
    if tangled {
        settle(&mut transaction, &tables)?;
    }
    transaction.repair_late()?;
    Ok(transaction)
}

/// Repairs those tables for which no Python code has to run; returns the others.
fn repair_in_c(transaction: &mut Transaction<'_>, tables: &[usize]) -> Result<Vec<usize>> {
    let mut rest = Vec::new();
    if tables.is_empty() {
        return Ok(rest);
    }
    let objects = transaction.tables()?;
    // Slots are updated with the names in these when a class has its bases.
    let namespaces = transaction.namespaces()?;
    for &index in tables {
        let table = objects[index];
        if transaction.is_reset(index)
            || !namespaces.contains(table as usize)
                && late::is_repaired_in_c(transaction.plan, table)?
        {
            transaction.repair(index)?;
        } else {
            push(&mut rest, index)?;
        }
    }
    Ok(rest)
}

/// Repairs tables that refer to each other until no hash changes any more.
fn settle(transaction: &mut Transaction<'_>, tables: &[usize]) -> Result<()> {
    // A hash is right at the latest when all that it comes from have been repaired in turn.
    for _ in 0..=tables.len() {
        let before = hashes(transaction, tables)?;
        transaction.plan.weak.forget_hashes();
        for &index in tables {
            if !transaction.is_reset(index) {
                transaction.repair_again(index)?;
            }
        }
        if hashes(transaction, tables)? == before {
            return Ok(());
        }
    }
    // SAFETY: the class is a static of the interpreter.
    let kind = unsafe { PyExc_RuntimeError };
    raise(
        kind,
        c"gc.remap() would make the hash of a frozenset depend on itself",
    )
}

/// The hashes that tables have, by what they know of their keys.
fn hashes(transaction: &Transaction<'_>, tables: &[usize]) -> Result<Vec<isize>> {
    let mut hashes = Vec::new();
    let objects = transaction.tables()?;
    for &index in tables {
        // SAFETY: the transaction owns the tables; no Python code runs.
        push(&mut hashes, unsafe {
            _PyRemap_FrozenSetHash(objects[index])
        })?;
    }
    Ok(hashes)
}

struct Order {
    tables: Vec<usize>,
    /// Some refer to each other.
    tangled: bool,
}

/// The tables in the order of their repair: depth first through what is hashed by value.
fn innermost_first(transaction: &Transaction<'_>) -> Result<Order> {
    let mut order = Order {
        tables: Vec::new(),
        tangled: false,
    };
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
                    if let Some(state) = entered.insert(object as usize, ON_PATH)? {
                        order.tangled |= state == ON_PATH;
                        continue;
                    }
                    push(&mut stack, Step::Leave(object))?;
                    for inner in edges.of(object)? {
                        push(&mut stack, Step::Enter(inner))?;
                    }
                }
                Step::Leave(object) => {
                    entered.replace(object as usize, LEFT);
                    if let Some(index) = transaction.repair_of(object) {
                        push(&mut order.tables, index)?;
                    }
                }
            }
        }
    }
    Ok(order)
}

/// States of an object: what it refers to is being looked at, or has been.
const ON_PATH: u32 = 1;
const LEFT: u32 = 0;

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
        if is_tuple(object) {
            for item in containers_in(object) {
                collect(item, arg);
            }
        }
        if (*edges).depth < CONTAINER_DEPTH && is_container(object) {
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
