//! Phase 3: the change of references, and the journal that can undo it.
//!
//! A reference has no address in general: it is named by its holder and by its number in the
//! holder's traversal. The same traversal, repeated, finds it again. If Python code that ran since
//! has changed the holder, its references to the replacement are taken in their order. Locals of
//! frames do have addresses, and are found by them: frames come and go while Python code runs.
//! Old references are not dropped: the journal owns them until the remap is finished or undone.
//!
//! Invariant of [`Transaction`]: dropped before [`Transaction::commit`], it restores every
//! reference, class and table, in the reverse of the order in which they were changed.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::allocator::Pinned;
use crate::ffi::*;
use crate::late::{self, Late, Watched};
use crate::pairs::{Pair, Pairs};
use crate::plan::{Bases, Plan, Refusals, same_change};
use crate::weakrefs::Moved;

/// One changed reference.
struct Entry {
    /// Index of the traversal: see [`Transaction::traversal`].
    traversal: u32,
    ordinal: u32,
    pair: u32,
    /// Which changeproc made the change, more or less.
    kind: u16,
    restored: bool,
    /// Of the reference, or 0.
    address: usize,
}

/// A table that is to be repaired, or has been.
struct Repair {
    object: Owned,
    procedure: repairproc,
    state: *mut c_void,
    done: bool,
    /// It runs no Python code.
    is_reset: bool,
    /// The table before any Python code ran, or any of this round: see `_PyRemap_TableStamp`.
    stamp: u64,
}

/// Tables that ask for a repair, because of what Python code may have done.
#[derive(Default)]
struct Asked {
    late: Option<Late>,
    repairs: Vec<Repair>,
}

/// Trees that have been repaired: these are right, since they never change.
#[derive(Default)]
struct Trees {
    known: AddressMap,
    owned: Vec<Owned>,
}

/// Tables that have been put back, with their stamps.
#[derive(Default)]
struct PutBack {
    index: AddressMap,
    tables: Vec<(Owned, u64)>,
}

/// What was raised while tables were repaired after the undoing.
#[derive(Default)]
struct Lost {
    /// The first that is no `Exception`.
    interrupt: Option<Owned>,
    /// In the present round: memory was lacking.
    error: Option<Owned>,
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
    /// Those that ask again, while [`Late`] has them do so.
    late: Option<Vec<Repair>>,
}

pub struct Transaction<'a> {
    deferred: Pinned<Deferred>,
    previous: *mut _PyChangeContext,
    pub pairs: &'a Pairs,
    pub plan: &'a Plan,
    journal: Vec<Entry>,
    changed_classes: usize,
    /// What `change_bases` changes, as it was.
    saved_bases: Option<Owned>,
    weak: Moved,
    invalidated_iterators: Vec<Owned>,
    containers: usize,
    committed: bool,
    /// The number of references visited in each traversal.
    visits: Vec<u32>,
    traversal: u32,
    /// Of an object whose references stay.
    exempt: bool,
    ordinal: u32,
    failed: bool,
    /// Python code may run, or have run.
    code: bool,
}

/// Changes every reference of the plan. Runs no Python code.
pub fn apply<'a>(pairs: &'a Pairs, plan: &'a Plan) -> Result<Transaction<'a>> {
    let deferred = Pinned::new(Deferred {
        context: _PyChangeContext {
            defer_repair: Some(defer_repair),
            defer_reset: Some(defer_reset),
            report_collision: Some(report_collision),
        },
        tables: RefCell::new(Tables {
            accepting: true,
            ..Tables::default()
        }),
    })?;
    // SAFETY: the context is shared with C, which only reads it, until the transaction is dropped.
    let previous = unsafe { _PyChangeContext_Swap(deferred.as_ptr().cast()) };
    let mut transaction = Transaction {
        deferred,
        previous,
        pairs,
        plan,
        journal: Vec::new(),
        changed_classes: 0,
        saved_bases: None,
        weak: Moved::default(),
        invalidated_iterators: Vec::new(),
        containers: 0,
        committed: false,
        visits: Vec::new(),
        traversal: 0,
        exempt: false,
        ordinal: 0,
        failed: false,
        code: false,
    };

    for index in 0..plan.traversals() {
        let before = transaction.journal.len();
        transaction.traverse(index)?;
        let visits = transaction.ordinal;
        push(&mut transaction.visits, visits)?;
        if transaction.journal.len() > before {
            transaction.containers += 1;
        }
    }
    transaction.change_classes()?;
    transaction.weak = Moved::redirect(&plan.weak, pairs)?;
    plan.flags.apply();
    transaction.classes_changed();
    transaction.find_iterators()?;
    transaction.deferred.tables.borrow_mut().accepting = false;
    Ok(transaction)
}

impl Transaction<'_> {
    /// What was done, when nothing is left to do.
    pub fn counts(&self) -> Counts {
        let bases = &self.plan.bases;
        let tables = self.deferred.tables.borrow();
        let elsewhere = self.changed_classes + self.weak.len();
        Counts {
            references: self.journal.len()
                + elsewhere
                + bases.iter().map(|bases| bases.references).sum::<usize>(),
            containers: self.containers + elsewhere + bases.len(),
            // What is to be forgotten may not have been known.
            rehashed: (tables.repairs[..tables.index.len()].iter())
                .filter(|repair| !repair.is_reset || !repair.state.is_null())
                .count(),
            collisions: tables.collisions,
        }
    }

    fn traverse(&mut self, index: usize) -> Result<()> {
        self.traversal = index as u32;
        self.exempt = self.plan.is_exempt(index, self.pairs);
        self.ordinal = 0;
        self.failed = false;
        let plan = self.plan;
        plan.traverse(index, change_reference, (&raw mut *self).cast())?;
        if self.failed { Err(Raised) } else { Ok(()) }
    }

    fn change(&mut self, current: Object, change: changeproc, slot: *mut c_void) -> Result<()> {
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let change_slot = change.expect("a changeproc is not NULL");
        let Some(pair) = self.pairs.find(current).filter(|_| !self.exempt) else {
            if !is_plain(change, slot) && self.plan.value_hashed.contains(current as usize) {
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
        // Room first: after the change nothing may fail.
        if self.journal.try_reserve(1).is_err() {
            return no_memory();
        }
        let address = address_of(change, slot);
        let reference = Owned::of(new);
        // SAFETY: the visited type's own changeproc and slot; if it returns 0 it has taken over the
        // reference to `new`, and the journal has that to `current`.
        let status = unsafe { change_slot(slot, new) };
        check(status)?;
        if status == 0 {
            let _ = reference.into_ptr();
            self.journal.push(Entry {
                traversal: self.traversal,
                ordinal,
                pair: pair as u32,
                kind: kind_of(change, slot),
                restored: false,
                address,
            });
        }
        Ok(())
    }

    fn change_classes(&mut self) -> Result<()> {
        for (instance, pair) in &self.plan.class_changes {
            set_class(instance, &self.pairs.pairs[*pair].new)?;
            self.changed_classes += 1;
        }
        Ok(())
    }

    /// May `change_bases` run Python code?
    pub fn bases_run_code(&self) -> Result<bool> {
        let mut classes = Vec::new();
        for bases in &self.plan.bases {
            push(&mut classes, bases.class.as_ptr().cast())?;
        }
        // SAFETY: the plan owns the classes.
        let runs =
            unsafe { _PyType_SetBasesRunsCode(classes.as_mut_ptr(), classes.len() as isize) };
        check(runs)?;
        Ok(!classes.is_empty() && runs != 0)
    }

    /// Keeps what has to be known when Python code has run. To be called before any has.
    pub fn watch(&mut self) -> Result<()> {
        let repairs = &mut self.deferred.tables.borrow_mut().repairs;
        let plan = self.plan;
        if !(repairs.is_empty() && plan.bases.is_empty() && plan.namespaces.is_empty()) {
            let _ = self.plan.watched.set(Watched::of(self.pairs, self.plan)?);
        }
        for repair in repairs {
            repair.stamp = stamp(&repair.object);
        }
        Ok(())
    }

    /// Python code may run from here on, before all tables have been repaired.
    pub fn expect_code(&mut self) {
        self.code = true;
    }

    /// Repairs the tables that know a wrong hash because of what Python code has done meanwhile. May
    /// run Python code.
    pub fn repair_late(&mut self) -> Result<()> {
        let mut trees = Trees::default();
        let mut rounds = late::ROUNDS;
        for round in 0.. {
            let mut any = false;
            let Asked { late, repairs } = self.ask_late()?;
            let Some(late) = late else { break };
            if round == 0 {
                rounds = rounds.max(late.count());
            }
            for repair in repairs {
                let table = repair.object.as_ptr();
                if trees.contain(table) || late.is_right(table)? {
                    any |= repair.has_changed();
                    continue;
                }
                trees.add(table)?;
                let index = {
                    let tables = &mut *self.deferred.tables.borrow_mut();
                    push(&mut tables.repairs, repair)?;
                    tables.repairs.len() - 1
                };
                self.repair(index)?;
                late.repaired(table);
                any |= self.deferred.tables.borrow().repairs[index].has_changed();
            }
            if !any || round >= rounds {
                break;
            }
        }
        Ok(())
    }

    /// Tables that may know a wrong hash. Runs no Python code.
    fn ask_late(&self) -> Result<Asked> {
        let Some(watched) = self.plan.watched.get().filter(|_| self.code) else {
            return Ok(Asked::default());
        };
        let late = Late::find(self.pairs, watched)?;
        self.deferred.tables.borrow_mut().late = Some(Vec::new());
        let asked = late.ask();
        let repairs = self.deferred.tables.borrow_mut().late.take();
        asked?;
        let mut repairs = repairs.unwrap_or_default();
        for repair in &mut repairs {
            repair.stamp = stamp(&repair.object);
        }
        Ok(Asked {
            late: Some(late),
            repairs,
        })
    }

    /// Changes the bases of classes. May run Python code: the `mro()` of a metaclass.
    pub fn change_bases(&mut self) -> Result<()> {
        let bases = &self.plan.bases;
        if bases.is_empty() {
            return Ok(());
        }
        // SAFETY: the plan owns the classes and the tuples of classes; the dict is not shared. It is
        // complete before anything is changed.
        unsafe {
            let saved = Owned::from_new(PyDict_New())?;
            for Bases { class, new, .. } in bases {
                let class = class.as_ptr().cast();
                check(_PyType_SaveBases(class, new.as_ptr(), saved.as_ptr()))?;
            }
            self.saved_bases = Some(saved);
            let (mut classes, mut new) = (Vec::new(), Vec::new());
            for bases in bases {
                push(&mut classes, bases.class.as_ptr().cast())?;
                push(&mut new, bases.new.as_ptr())?;
            }
            let mut failed = std::ptr::null_mut();
            let count = classes.len() as isize;
            if _PyType_SetBases(classes.as_mut_ptr(), new.as_mut_ptr(), count, &mut failed) < 0 {
                let failed = Owned::from_new(failed.cast());
                // Not an exception of a metaclass's `mro()`.
                if let Ok(class) = failed
                    && PyErr_Occurred() == PyExc_TypeError
                {
                    let of = |bases: &&Bases| bases.class.as_ptr() == class.as_ptr();
                    let bases = bases.iter().find(of).unwrap_or(&bases[0]);
                    Refusals::annotate(&self.pairs.pairs[bases.pair], class.as_ptr())?;
                }
                return Err(Raised);
            }
        }
        Ok(())
    }

    /// Names are found in another place, or in none: before what they referred to is dropped.
    fn namespaces_repaired(&self) {
        for class in &self.plan.namespaces {
            let class: *mut PyTypeObject = class.as_ptr().cast();
            // SAFETY: the plan owns the class.
            unsafe {
                if self.repair_of((*class).tp_dict).is_some() {
                    _PyType_NamespaceChanged(class);
                }
            }
        }
    }

    /// The namespaces of classes in which something changes.
    pub fn namespaces(&self) -> Result<AddressMap> {
        let mut namespaces = AddressMap::default();
        for class in &self.plan.namespaces {
            // SAFETY: the plan owns the class.
            let namespace = unsafe { (*class.as_ptr().cast::<PyTypeObject>()).tp_dict };
            if !namespace.is_null() {
                namespaces.insert(namespace as usize, 0)?;
            }
        }
        Ok(namespaces)
    }

    /// May that run Python code?
    pub fn namespaces_run_code(&self) -> bool {
        self.plan.namespaces.iter().any(|class| {
            // SAFETY: the plan owns the class.
            unsafe { _PyType_NamespaceChangeRunsCode(class.as_ptr().cast()) != 0 }
        })
    }

    /// Slots and caches are made anew from what is in the namespaces. May run Python code.
    pub fn namespaces_changed(&self) {
        for class in &self.plan.namespaces {
            // SAFETY: the plan owns the class.
            unsafe { _PyType_NamespaceChanged(class.as_ptr().cast()) };
        }
    }

    /// Caches of what classes are to each other start anew.
    fn classes_changed(&self) {
        // SAFETY: the pairs own the objects.
        let is_class = |pair: &Pair| unsafe { is_type(pair.old.as_ptr()) };
        if self.pairs.pairs.iter().any(is_class) {
            // SAFETY: nothing is passed.
            unsafe { _PyRemap_ClassesChanged() };
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
        // A copy: the code that runs may look at the tables.
        let mut repair = {
            let repair = &self.deferred.tables.borrow().repairs[index];
            Repair::new(repair.object.as_ptr(), repair.procedure)
        };
        if repair.run().is_err() {
            // SAFETY: an exception is set.
            unsafe { _PyRemap_NoteRepair(repair.object.as_ptr()) };
            return Err(Raised);
        }
        let known = &mut self.deferred.tables.borrow_mut().repairs[index];
        known.state = repair.state;
        known.done = true;
        Ok(())
    }

    /// Repairs once more what has been repaired. May run Python code.
    pub fn repair_again(&mut self, index: usize) -> Result<()> {
        let next = {
            let tables = &mut *self.deferred.tables.borrow_mut();
            let Repair {
                object, procedure, ..
            } = &tables.repairs[index];
            let again = Repair::new(object.as_ptr(), *procedure);
            push(&mut tables.repairs, again)?;
            tables.repairs.len() - 1
        };
        self.repair(next)
    }

    /// The tables that are to be repaired, in the order in which they were found.
    pub fn tables(&self) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        for repair in &self.deferred.tables.borrow().repairs {
            push(&mut objects, repair.object.as_ptr())?;
        }
        Ok(objects)
    }

    /// Does the repair only make the object forget something?
    pub fn is_reset(&self, index: usize) -> bool {
        self.deferred.tables.borrow().repairs[index].is_reset
    }

    /// The index of the repair of an object.
    pub fn repair_of(&self, object: Object) -> Option<usize> {
        let tables = self.deferred.tables.borrow();
        tables
            .index
            .get(object as usize)
            .map(|index| index as usize)
    }

    /// From here on nothing can be undone. Runs no Python code but that by which keys of a namespace
    /// that are no strings are compared with names: all tables are right by then.
    pub fn commit(mut self) -> Committed {
        self.committed = true;
        self.namespaces_repaired();
        self.classes_changed();
        for iterator in &self.invalidated_iterators {
            // SAFETY: the iterator is owned.
            unsafe { _PySet_InvalidateIterator(iterator.as_ptr()) };
        }
        let mut tables = self.deferred.tables.borrow_mut();
        let committed = Committed {
            repairs: std::mem::take(&mut tables.repairs),
            _bases: self.saved_bases.take(),
        };
        drop(tables);
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
        let mut tables = std::mem::take(&mut *self.deferred.tables.borrow_mut());
        for repair in tables.repairs.iter_mut().rev() {
            repair.end(Py_REPAIR_UNDO);
        }
        let mut put_back = PutBack::default();
        if self.code {
            report(put_back.add(&tables));
        }
        if let Some(saved) = &self.saved_bases {
            // SAFETY: made by `change_bases`.
            unsafe { _PyType_RestoreBases(saved.as_ptr()) };
        }
        self.plan.flags.undo();
        self.weak.undo(&self.plan.weak, self.pairs);
        for (instance, pair) in self.plan.class_changes[..self.changed_classes].iter().rev() {
            report(set_class(instance, &self.pairs.pairs[*pair].old));
        }
        let mut journal = std::mem::take(&mut self.journal);
        for entries in journal.chunk_by_mut(|a, b| a.traversal == b.traversal) {
            report(self.restore_traversal(entries));
        }
        for entry in journal.iter().filter(|entry| !entry.restored) {
            // The holder no longer has the reference.
            // SAFETY: as in `commit`.
            unsafe { Py_DecRef(self.pairs.pairs[entry.pair as usize].old.as_ptr()) };
        }
        self.namespaces_changed();
        self.classes_changed();
        drop(tables);
        let Lost { interrupt, error } = self.repair_after_undo(&put_back);
        // SAFETY: the exceptions are owned, and are taken over.
        unsafe {
            if let Some(error) = error {
                PyErr_SetRaisedException(error.into_ptr());
                report(Err(Raised));
            }
            match interrupt.map(Owned::into_ptr) {
                Some(interrupt) => {
                    PyException_SetContext(interrupt, exception);
                    PyErr_SetRaisedException(interrupt);
                }
                None => PyErr_SetRaisedException(exception),
            }
        }
    }

    /// Repairs the tables that know a wrong hash because of what Python code has done meanwhile. May
    /// run Python code; a table of which a key cannot be hashed stays as that code has left it.
    fn repair_after_undo(&mut self, put_back: &PutBack) -> Lost {
        let mut lost = Lost::default();
        let mut trees = Trees::default();
        let (mut idle, mut rounds) = (0, late::ROUNDS);
        for round in 0.. {
            let (mut any, mut failed) = (false, false);
            lost.error = None;
            let Asked { late, repairs } = self.ask_late().unwrap_or_else(|Raised| {
                failed = true;
                lost.keep();
                Asked::default()
            });
            if round == 0 {
                rounds = rounds.max(late.as_ref().map_or(0, Late::count));
            }
            for mut repair in repairs {
                match &late {
                    Some(late) if !put_back.contains(repair.object.as_ptr()) => {
                        match repair.repair_wrong(late, &mut trees) {
                            Ok(changed) => any |= changed,
                            Err(Raised) => {
                                failed = true;
                                lost.keep();
                            }
                        }
                    }
                    _ => {}
                }
            }
            // What has failed, since a key could not be hashed or code has changed the table again, is
            // tried again, after all others.
            idle = if any { 0 } else { idle + 1 };
            if !(any || failed && idle < late::ROUNDS) || round >= rounds {
                break;
            }
        }
        lost
    }

    /// Puts back the references of one holder, or of the threads.
    fn restore_traversal(&self, entries: &mut [Entry]) -> Result<()> {
        let index = entries[0].traversal as usize;
        let mut restore = Restore {
            pairs: self.pairs,
            entries,
            find: Find::Count,
            ordinal: 0,
        };
        if index == 0 {
            restore.find = Find::Address;
            return restore.traverse(self.plan, index);
        }
        restore.traverse(self.plan, index)?;
        // Without a count the change stopped in the middle of this holder, and no code has run.
        if self
            .visits
            .get(index)
            .is_none_or(|&visits| visits == restore.ordinal)
        {
            restore.find = Find::Ordinal;
            restore.traverse(self.plan, index)?;
        }
        // The nodes of an OrderedDict and its entries have the same keys: each gets its own back.
        for find in [Find::Kind, Find::Value] {
            if restore.entries.iter().any(|entry| !entry.restored) {
                restore.find = find;
                restore.traverse(self.plan, index)?;
            }
        }
        Ok(())
    }
}

/// The visitor that puts references back.
struct Restore<'a> {
    pairs: &'a Pairs,
    entries: &'a mut [Entry],
    find: Find,
    ordinal: u32,
}

/// How the entry of a visited reference is found.
#[derive(Clone, Copy)]
enum Find {
    /// Not at all: references are counted.
    Count,
    Ordinal,
    Address,
    /// By the new object, and the changeproc.
    Kind,
    /// By the new object alone.
    Value,
}

impl Restore<'_> {
    fn traverse(&mut self, plan: &Plan, index: usize) -> Result<()> {
        self.ordinal = 0;
        plan.traverse(index, restore_reference, (&raw mut *self).cast())
    }

    fn restore(&mut self, current: Object, change: changeproc, slot: *mut c_void) -> Result<()> {
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let address = address_of(change, slot);
        let pairs = self.pairs;
        let new = |entry: &Entry| pairs.pairs[entry.pair as usize].new.as_ptr();
        let at = match self.find {
            Find::Count => None,
            Find::Ordinal => self
                .entries
                .binary_search_by_key(&ordinal, |e| e.ordinal)
                .ok(),
            Find::Address => self.entries.iter().position(|e| e.address == address),
            Find::Kind | Find::Value => {
                let kind = matches!(self.find, Find::Kind).then(|| kind_of(change, slot));
                let fits = |e: &Entry| {
                    !e.restored && new(e) == current && kind.is_none_or(|kind| e.kind == kind)
                };
                (self.entries.iter())
                    .position(|e| e.address == address && fits(e))
                    .or_else(|| self.entries.iter().position(fits))
            }
        };
        let entry = at.map(|at| &mut self.entries[at]);
        let Some(entry) = entry.filter(|entry| !entry.restored && new(entry) == current) else {
            return Ok(());
        };
        let pair = &pairs.pairs[entry.pair as usize];
        // Frames come and go: another one may have something else at the address.
        let there = !matches!(self.find, Find::Address) && address != 0 && entry.address == address;
        let Some((change, slot)) = restoring(change, slot, pair.old.as_ptr(), there) else {
            return Ok(());
        };
        // SAFETY: the changeproc takes over the journal's reference to the old object, and gives
        // back that to the new one, of which the pair owns another.
        unsafe {
            let status = change.expect("a changeproc is not NULL")(slot, pair.old.as_ptr());
            check(status)?;
            if status == 0 {
                Py_DecRef(pair.new.as_ptr());
                entry.restored = true;
            }
        }
        Ok(())
    }
}

/// How a reference goes back.
///
/// A field that is `there`, where the old object was, need not be asked whether that fits, and might
/// say no, since the answer may depend on what is in it now. Any other field, into which the new
/// object has been moved since, is asked, and skipped if it says no.
fn restoring(
    change: changeproc,
    slot: *mut c_void,
    old: Object,
    there: bool,
) -> Option<(changeproc, *mut c_void)> {
    if !same_change(change, PyObject_ChangeField) {
        return Some((change, slot));
    }
    let field = slot.cast::<PyChangeField>();
    // SAFETY: with this changeproc the slot is a `PyChangeField`, of the running traversal.
    unsafe {
        if !there && PyObject_CheckChangeField(field, old) != Py_CHANGE_ACCEPT {
            return None;
        }
        Some(((*field).change, (*field).slot))
    }
}

/// What stores the reference in the end: below a field that is asked first.
fn innermost(mut change: changeproc, mut slot: *mut c_void) -> (changeproc, *mut c_void) {
    while same_change(change, PyObject_ChangeField) {
        // SAFETY: with this changeproc the slot is a `PyChangeField`.
        (change, slot) = unsafe {
            let field = &*slot.cast::<PyChangeField>();
            (field.change, field.slot)
        };
    }
    (change, slot)
}

/// Does it store a reference and nothing else, so that it need not know of another hash?
pub fn is_plain(change: changeproc, slot: *mut c_void) -> bool {
    let (change, _) = innermost(change, slot);
    same_change(change, PyObject_ChangeRef)
        || same_change(change, PyObject_ChangeType)
        || same_change(change, _PyDict_ChangeManagedDict)
}

/// A number for the changeproc that changes a reference; another one may have the same.
fn kind_of(change: changeproc, slot: *mut c_void) -> u16 {
    let (change, _) = innermost(change, slot);
    let address = change.map_or(0, |change| change as usize);
    (address >> 4) as u16 ^ (address >> 20) as u16
}

/// The address of a reference that is kept in a `PyObject *`, or 0.
fn address_of(change: changeproc, slot: *mut c_void) -> usize {
    match innermost(change, slot) {
        (change, slot) if same_change(change, PyObject_ChangeRef) => slot as usize,
        _ => 0,
    }
}

impl Tables {
    fn defer(&mut self, object: Object, procedure: repairproc, is_reset: bool) -> Result<()> {
        let mut repair = Repair::new(object, procedure);
        repair.is_reset = is_reset;
        if let Some(late) = &mut self.late {
            return push(late, repair);
        }
        if !self.accepting {
            return Ok(());
        }
        let next = self.repairs.len() as u32;
        if let Some(known) = self.index.insert(object as usize, next)? {
            self.repairs[known as usize] = repair;
            return Ok(());
        }
        push(&mut self.repairs, repair)
    }
}

impl Trees {
    fn contain(&self, table: Object) -> bool {
        self.known.contains(table as usize)
    }

    /// If it is one.
    fn add(&mut self, table: Object) -> Result<()> {
        // SAFETY: the caller owns the table.
        if unsafe { _PyRemap_IsHamt(table) != 0 } {
            self.known.insert(table as usize, 0)?;
            push(&mut self.owned, Owned::of(table))?;
        }
        Ok(())
    }
}

impl PutBack {
    /// The tables that are what they were before any Python code ran.
    fn add(&mut self, tables: &Tables) -> Result<()> {
        // Others were made by such code, or are there a second time.
        for repair in &tables.repairs[..tables.index.len()] {
            if stamp(&repair.object) == repair.stamp {
                let table = Owned::of(repair.object.as_ptr());
                let next = self.tables.len() as u32;
                self.index.insert(table.as_ptr() as usize, next)?;
                push(&mut self.tables, (table, repair.stamp))?;
            }
        }
        Ok(())
    }

    /// Is it one of these, and not changed since?
    fn contains(&self, table: Object) -> bool {
        self.index
            .get(table as usize)
            .and_then(|at| self.tables.get(at as usize))
            .is_some_and(|(table, known)| stamp(table) == *known)
    }
}

impl Lost {
    /// Keeps the exception that is set, unless it is that of a key that cannot be hashed.
    fn keep(&mut self) {
        // SAFETY: an exception is set.
        let exception = unsafe {
            let is_error = PyErr_ExceptionMatches(PyExc_MemoryError) != 0;
            let kept = match PyErr_ExceptionMatches(PyExc_Exception) {
                0 => &mut self.interrupt,
                _ if is_error => &mut self.error,
                _ => return PyErr_Clear(),
            };
            Owned::from_new(PyErr_GetRaisedException()).map(|exception| (kept, exception))
        };
        if let Ok((kept, exception)) = exception {
            kept.get_or_insert(exception);
        }
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
    fn new(object: Object, procedure: repairproc) -> Self {
        Self {
            object: Owned::of(object),
            procedure,
            state: std::ptr::null_mut(),
            done: false,
            is_reset: false,
            stamp: 0,
        }
    }

    /// Has it been changed in this round, by its repair or by Python code? Then it may have been wrong,
    /// and copied, before. To be asked when all that may run has run: a key that is hashed can have
    /// emptied the table.
    fn has_changed(&self) -> bool {
        !self.state.is_null() || self.stamp != stamp(&self.object)
    }

    /// May run Python code.
    fn run(&mut self) -> Result<()> {
        let procedure = self.procedure.expect("a repairproc is not NULL");
        let object = self.object.as_ptr();
        // SAFETY: the type registered the procedure for this object, which is owned here.
        check(unsafe { procedure(object, Py_REPAIR_RUN, &mut self.state) })?;
        self.done = true;
        Ok(())
    }

    /// Repairs a table for good if it is wrong: has it been changed in this round? May run Python code.
    fn repair_wrong(&mut self, late: &Late, trees: &mut Trees) -> Result<bool> {
        let table = self.object.as_ptr();
        if trees.contain(table) || late.is_right(table)? {
            return Ok(self.has_changed());
        }
        self.run()?;
        let changed = self.has_changed();
        self.end(Py_REPAIR_FINISH);
        late.repaired(table);
        trees.add(table)?;
        Ok(changed)
    }

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

/// What was done, in numbers.
pub struct Counts {
    pub references: usize,
    pub containers: usize,
    pub rehashed: usize,
    pub collisions: usize,
}

/// What was kept to undo the changes.
#[derive(Default)]
pub struct Committed {
    repairs: Vec<Repair>,
    _bases: Option<Owned>,
}

impl Committed {
    /// Drops what the repairs kept to be undone. Finalizers may run.
    pub fn drop_kept(&mut self) {
        for repair in &mut self.repairs {
            repair.end(Py_REPAIR_FINISH);
        }
    }
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

fn stamp(table: &Owned) -> u64 {
    // SAFETY: the table is owned.
    unsafe { _PyRemap_TableStamp(table.as_ptr()) }
}

/// An error while undoing can only be reported.
fn report(result: Result<()>) {
    if result.is_err() {
        // SAFETY: prints the exception that is set and clears it.
        unsafe { PyErr_WriteUnraisable(std::ptr::null_mut()) };
    }
}

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
    // SAFETY: `arg` is the `Restore` of the traversal.
    let restore = unsafe { &mut *arg.cast::<Restore<'_>>() };
    match restore.restore(current, change, slot) {
        Ok(()) => 0,
        Err(Raised) => -1,
    }
}

unsafe extern "C" fn defer_repair(
    context: *mut _PyChangeContext,
    object: Object,
    procedure: repairproc,
) -> c_int {
    // SAFETY: the context is that of a transaction.
    unsafe { defer(context, object, procedure, false) }
}

unsafe extern "C" fn defer_reset(
    context: *mut _PyChangeContext,
    object: Object,
    procedure: repairproc,
) -> c_int {
    // SAFETY: as above.
    unsafe { defer(context, object, procedure, true) }
}

/// # Safety
/// The context is that of a [`Transaction`].
unsafe fn defer(
    context: *mut _PyChangeContext,
    object: Object,
    procedure: repairproc,
    is_reset: bool,
) -> c_int {
    // SAFETY: the context is the first member of a `Deferred`, which is only shared.
    let deferred = unsafe { &*context.cast_const().cast::<Deferred>() };
    let result = (deferred.tables.borrow_mut()).defer(object, procedure, is_reset);
    -c_int::from(result.is_err())
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
