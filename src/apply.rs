//! Phase 3: the change of references, and the journal that can undo it.
//!
//! A reference has no address in general: it is named by its holder and by its number in the
//! holder's traversal. The same traversal, repeated, finds it again. Old references are not
//! dropped: the journal owns them until the remap is finished or undone.
//!
//! Invariant of [`Transaction`]: dropped before [`Transaction::commit`], it restores every
//! reference, class and table, in the reverse of the order in which they were changed.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use crate::addresses::AddressMap;
use crate::ffi::*;
use crate::pairs::Pairs;
use crate::plan::{Bases, Plan, same_change};

/// One changed reference.
struct Entry {
    /// Index of the traversal: see [`Transaction::traversal`].
    traversal: u32,
    ordinal: u32,
    pair: u32,
}

/// A table that is to be repaired, or has been.
struct Repair {
    object: Owned,
    procedure: repairproc,
    state: *mut c_void,
    done: bool,
}

/// What types tell the engine in the middle of a traversal, through the thread's context.
#[repr(C)]
struct Deferred {
    /// First for C: what `PyObject_DeferRepair` gets is the address of this.
    context: _PyChangeContext,
    tables: RefCell<Tables>,
}

#[derive(Default)]
struct Tables {
    repairs: Vec<Repair>,
    /// Object to its index in `repairs`.
    index: AddressMap,
    /// Not while references are restored: then a table is as it was.
    accepting: bool,
    collisions: usize,
}

pub struct Transaction<'a> {
    deferred: Rc<Deferred>,
    previous: *mut _PyChangeContext,
    pub pairs: &'a Pairs,
    pub plan: &'a Plan,
    journal: Vec<Entry>,
    changed_classes: usize,
    changed_bases: usize,
    invalidated_iterators: Vec<Owned>,
    containers: usize,
    committed: bool,
    traversal: u32,
    ordinal: u32,
    next: usize,
    failed: bool,
}

/// Changes every reference of the plan. Runs no Python code.
pub fn apply<'a>(pairs: &'a Pairs, plan: &'a Plan) -> Result<Transaction<'a>> {
    let deferred = Rc::new(Deferred {
        context: _PyChangeContext {
            defer_repair: Some(defer_repair),
            report_collision: Some(report_collision),
        },
        tables: RefCell::new(Tables {
            accepting: true,
            ..Tables::default()
        }),
    });
    // SAFETY: the context is shared with C, which only reads it, until the transaction is dropped.
    let previous = unsafe { _PyChangeContext_Swap(Rc::as_ptr(&deferred).cast_mut().cast()) };
    let mut transaction = Transaction {
        deferred,
        previous,
        pairs,
        plan,
        journal: Vec::new(),
        changed_classes: 0,
        changed_bases: 0,
        invalidated_iterators: Vec::new(),
        containers: 0,
        committed: false,
        traversal: 0,
        ordinal: 0,
        next: 0,
        failed: false,
    };

    for index in 0..transaction.traversals() {
        let before = transaction.journal.len();
        transaction.traverse(index, change_reference)?;
        if transaction.journal.len() > before {
            transaction.containers += 1;
        }
    }
    transaction.change_classes()?;
    transaction.namespaces_changed();
    transaction.find_iterators()?;
    transaction.deferred.tables.borrow_mut().accepting = false;
    Ok(transaction)
}

impl Transaction<'_> {
    /// References changed so far.
    pub fn references(&self) -> usize {
        let bases = &self.plan.bases[..self.changed_bases];
        self.journal.len()
            + self.changed_classes
            + bases.iter().map(|bases| bases.references).sum::<usize>()
    }

    /// The traversals are numbered: the threads, the dicts of strings, the holders.
    fn traversals(&self) -> usize {
        1 + self.plan.string_keyed.len() + self.plan.holders.len()
    }

    fn traverse(&mut self, index: usize, visit: Visit) -> Result<()> {
        self.traversal = index as u32;
        self.ordinal = 0;
        let (plan, arg) = (self.plan, (&raw mut *self).cast());
        let strings = plan.string_keyed.len();
        // SAFETY: the plan owns the objects; the visitor takes a `Transaction`.
        let status = unsafe {
            if index == 0 {
                _PyRemap_TraverseThreads(Some(visit), arg)
            } else if index <= strings {
                _PyDict_VisitChangeStringKeys(
                    plan.string_keyed[index - 1].as_ptr(),
                    Some(visit),
                    arg,
                )
            } else {
                let holder = plan.holders[index - 1 - strings].as_ptr();
                let traverse = traverse_change_of(holder).expect("holders have the slot");
                traverse(holder, Some(visit), arg)
            }
        };
        if status != 0 || self.failed {
            return Err(Raised);
        }
        Ok(())
    }

    fn change(&mut self, current: Object, change: changeproc, slot: *mut c_void) -> Result<()> {
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let change_slot = change.expect("a changeproc is not NULL");
        let Some(pair) = self.pairs.find(current) else {
            let plain = same_change(change, PyObject_ChangeRef)
                || same_change(change, PyObject_ChangeField)
                || same_change(change, PyObject_ChangeType)
                || same_change(change, _PyDict_ChangeManagedDict);
            if !plain && self.plan.value_hashed.contains(current as usize) {
                // The same object, but its hash changes: ownership is exchanged with itself.
                // SAFETY: the visited type's own changeproc and slot.
                check(unsafe { change_slot(slot, current) })?;
            }
            return Ok(());
        };
        if same_change(change, PyObject_ChangeType) {
            return Ok(()); // in `change_classes`
        }
        let new = self.pairs.pairs[pair].new.as_ptr();
        // SAFETY: with this changeproc the slot is a `PyChangeField`.
        if same_change(change, PyObject_ChangeField)
            && unsafe { PyObject_CheckChangeField(slot.cast(), new) } == Py_CHANGE_KEEP
        {
            return Ok(());
        }
        // Room first: after the change nothing may fail.
        if self.journal.try_reserve(1).is_err() {
            return no_memory();
        }
        let reference = Owned::of(new);
        // SAFETY: the visited type's own changeproc and slot; on success it has taken over the
        // reference to `new`, and the journal has that to `current`.
        check(unsafe { change_slot(slot, new) })?;
        let _ = reference.into_ptr();
        self.journal.push(Entry {
            traversal: self.traversal,
            ordinal,
            pair: pair as u32,
        });
        Ok(())
    }

    fn change_classes(&mut self) -> Result<()> {
        for (instance, pair) in &self.plan.class_changes {
            set_class(instance, &self.pairs.pairs[*pair].new)?;
            self.changed_classes += 1;
        }
        Ok(())
    }

    /// Changes the bases of classes. May run Python code: the `mro()` of a metaclass.
    pub fn change_bases(&mut self) -> Result<()> {
        for bases in &self.plan.bases {
            set_bases(&bases.class, &bases.new)?;
            self.changed_bases += 1;
        }
        Ok(())
    }

    fn namespaces_changed(&self) {
        for class in &self.plan.namespaces {
            // SAFETY: the plan owns the class.
            unsafe { _PyType_NamespaceChanged(class.as_ptr().cast()) };
        }
    }

    /// Iterators on their way through a set whose table will be rebuilt.
    fn find_iterators(&mut self) -> Result<()> {
        for &iterator in &self.plan.set_iterators {
            // SAFETY: no Python code has run since the scan.
            let set = unsafe { _PySet_IteratedSet(iterator) };
            if !set.is_null() && self.repair_of(set).is_some() {
                push(&mut self.invalidated_iterators, Owned::of(iterator))?;
            }
        }
        Ok(())
    }

    /// Runs one repair. May run Python code.
    pub fn repair(&mut self, index: usize) -> Result<()> {
        let (object, procedure) = {
            let repair = &self.deferred.tables.borrow().repairs[index];
            (Owned::of(repair.object.as_ptr()), repair.procedure)
        };
        let mut state = std::ptr::null_mut();
        let procedure = procedure.expect("a repairproc is not NULL");
        // SAFETY: the type registered the procedure for this object, which is owned here.
        check(unsafe { procedure(object.as_ptr(), Py_REPAIR_RUN, &mut state) })?;
        let repair = &mut self.deferred.tables.borrow_mut().repairs[index];
        repair.state = state;
        repair.done = true;
        Ok(())
    }

    /// The tables that are to be repaired, in the order in which they were found.
    pub fn tables(&self) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        for repair in &self.deferred.tables.borrow().repairs {
            push(&mut objects, repair.object.as_ptr())?;
        }
        Ok(objects)
    }

    /// The index of the repair of an object.
    pub fn repair_of(&self, object: Object) -> Option<usize> {
        let tables = self.deferred.tables.borrow();
        tables
            .index
            .get(object as usize)
            .map(|index| index as usize)
    }

    /// Ends all repairs that were made; their procedures may call back.
    fn end_repairs(&self, step: PyRepairStep) {
        let repairs = std::mem::take(&mut self.deferred.tables.borrow_mut().repairs);
        for mut repair in repairs.into_iter().rev() {
            repair.end(step);
        }
    }

    /// From here on nothing can be undone: drops what was kept for that.
    pub fn commit(mut self) -> Committed {
        self.committed = true;
        for iterator in &self.invalidated_iterators {
            // SAFETY: the iterator is owned.
            unsafe { _PySet_InvalidateIterator(iterator.as_ptr()) };
        }
        let committed = Committed {
            references: self.references(),
            containers: self.containers + self.changed_classes + self.changed_bases,
            rehashed: self.deferred.tables.borrow().repairs.len(),
            collisions: self.deferred.tables.borrow().collisions,
        };
        self.end_repairs(Py_REPAIR_FINISH);
        for entry in &self.journal {
            // SAFETY: the journal owns a reference to the old object of each entry, and the pair
            // owns one more, so that no finalizer runs here.
            unsafe { Py_DecRef(self.pairs.pairs[entry.pair as usize].old.as_ptr()) };
        }
        committed
    }

    fn undo(&mut self) {
        self.deferred.tables.borrow_mut().accepting = false;
        // SAFETY: an exception may be set; it is put back below.
        let exception = unsafe { PyErr_GetRaisedException() };
        self.end_repairs(Py_REPAIR_UNDO);
        for Bases { class, old, .. } in self.plan.bases[..self.changed_bases].iter().rev() {
            report(set_bases(class, old));
        }
        for (instance, pair) in self.plan.class_changes[..self.changed_classes].iter().rev() {
            report(set_class(instance, &self.pairs.pairs[*pair].old));
        }
        self.next = 0;
        self.failed = false;
        while let Some(entry) = self.journal.get(self.next) {
            let traversal = entry.traversal;
            report(self.traverse(traversal as usize, restore_reference));
            // A holder that Python code has changed meanwhile no longer has the reference.
            while let Some(lost) = self.journal.get(self.next)
                && lost.traversal == traversal
            {
                self.next += 1;
                // SAFETY: as in `commit`.
                unsafe { Py_DecRef(self.pairs.pairs[lost.pair as usize].old.as_ptr()) };
            }
        }
        self.namespaces_changed();
        // SAFETY: the exception was owned since it was taken.
        unsafe { PyErr_SetRaisedException(exception) };
    }

    fn restore(&mut self, current: Object, change: changeproc, slot: *mut c_void) -> Result<()> {
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let Some(entry) = self.journal.get(self.next) else {
            return Ok(());
        };
        if entry.traversal != self.traversal || entry.ordinal != ordinal {
            return Ok(());
        }
        let pair = &self.pairs.pairs[entry.pair as usize];
        if current != pair.new.as_ptr() {
            return Ok(());
        }
        // SAFETY: the changeproc takes over the journal's reference to the old object, and gives
        // back that to the new one, of which the pair owns another.
        unsafe {
            check(change.expect("a changeproc is not NULL")(
                slot,
                pair.old.as_ptr(),
            ))?;
            Py_DecRef(pair.new.as_ptr());
        }
        self.next += 1;
        Ok(())
    }
}

impl Tables {
    fn defer(&mut self, object: Object, procedure: repairproc) -> Result<()> {
        if !self.accepting {
            return Ok(());
        }
        let next = self.repairs.len() as u32;
        if let Some(known) = self.index.insert(object as usize, next)? {
            self.repairs[known as usize].procedure = procedure;
            return Ok(());
        }
        push(
            &mut self.repairs,
            Repair {
                object: Owned::of(object),
                procedure,
                state: std::ptr::null_mut(),
                done: false,
            },
        )
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.undo();
        }
        // SAFETY: puts back what `apply` found.
        unsafe { _PyChangeContext_Swap(self.previous) };
    }
}

impl Repair {
    fn end(&mut self, step: PyRepairStep) {
        if std::mem::take(&mut self.done) {
            let procedure = self.procedure.expect("a repairproc is not NULL");
            // SAFETY: Py_REPAIR_RUN succeeded for this object.
            report(check(unsafe {
                procedure(self.object.as_ptr(), step, &mut self.state)
            }));
        }
    }
}

/// What was done, for the report.
pub struct Committed {
    pub references: usize,
    pub containers: usize,
    pub rehashed: usize,
    pub collisions: usize,
}

fn set_class(instance: &Owned, class: &Owned) -> Result<()> {
    let reference = Owned::of(class.as_ptr());
    // SAFETY: what `tp_traverse_change` would have done with this changeproc and slot. The old
    // type is alive: its pair owns a reference, and so one of them can be dropped.
    unsafe {
        let old = type_of(instance.as_ptr());
        check(PyObject_ChangeType(
            instance.as_ptr().cast(),
            class.as_ptr(),
        ))?;
        Py_DecRef(old.cast());
    }
    let _ = reference.into_ptr();
    Ok(())
}

fn set_bases(class: &Owned, bases: &Owned) -> Result<()> {
    // SAFETY: both are owned; the tuple holds classes.
    check(unsafe { _PyType_SetBases(class.as_ptr().cast(), bases.as_ptr()) })
}

/// An error while undoing can only be reported.
fn report(result: Result<()>) {
    if result.is_err() {
        // SAFETY: prints the exception that is set and clears it.
        unsafe { PyErr_WriteUnraisable(std::ptr::null_mut()) };
    }
}

type Visit = unsafe extern "C" fn(Object, changeproc, *mut c_void, *mut c_void) -> c_int;

unsafe extern "C" fn change_reference(
    current: Object,
    change: changeproc,
    slot: *mut c_void,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: `arg` is the `Transaction` of the traversal.
    let transaction = unsafe { &mut *arg.cast::<Transaction<'_>>() };
    match transaction.change(current, change, slot) {
        Ok(()) => 0,
        Err(Raised) => {
            transaction.failed = true;
            -1
        }
    }
}

unsafe extern "C" fn restore_reference(
    current: Object,
    change: changeproc,
    slot: *mut c_void,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: as above.
    let transaction = unsafe { &mut *arg.cast::<Transaction<'_>>() };
    match transaction.restore(current, change, slot) {
        Ok(()) => 0,
        Err(Raised) => -1,
    }
}

unsafe extern "C" fn defer_repair(
    context: *mut _PyChangeContext,
    object: Object,
    procedure: repairproc,
) -> c_int {
    // SAFETY: the context is the first member of a `Deferred`, which is only shared.
    let deferred = unsafe { &*context.cast_const().cast::<Deferred>() };
    match deferred.tables.borrow_mut().defer(object, procedure) {
        Ok(()) => 0,
        Err(Raised) => -1,
    }
}

unsafe extern "C" fn report_collision(
    context: *mut _PyChangeContext,
    _table: Object,
    _kept: Object,
    _duplicate: Object,
) {
    // SAFETY: as above.
    let deferred = unsafe { &*context.cast_const().cast::<Deferred>() };
    deferred.tables.borrow_mut().collisions += 1;
}
