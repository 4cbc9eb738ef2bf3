//! Phase 2: validation. What can be refused is refused here, before anything is written.
//!
//! Every holder that the scan found is traversed once more, now with `tp_traverse_change` and a
//! visitor that asks each field whether it would take the replacement, and changes nothing.
//!
//! Invariant: after an error the heap is as it was; all reasons are collected, not the first alone.

use std::cell::OnceCell;
use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::cycles;
use crate::ffi::*;
use crate::flags::Flags;
use crate::kept;
use crate::late::Watched;
use crate::left_behind::{Holders, LeftBehind, Place};
use crate::mro::{Class, Conflict, Hierarchy};
use crate::pairs::{Pair, Pairs};
use crate::scan::{CONSTANTS, Findings, NESTED, ROOTS};
use crate::weakrefs::Following;

/// A class whose bases will be others.
pub struct Bases {
    pub class: Owned,
    pub new: Owned,
    /// The references to old objects among the old bases.
    pub references: usize,
    /// One of the pairs that they are of.
    pub pair: usize,
}

/// What will be changed; everything in it is kept alive until the remap ends.
#[derive(Default)]
pub struct Plan {
    /// Objects to traverse with `tp_traverse_change`.
    pub holders: Vec<Owned>,
    /// Instances that change their class, with the index of the pair.
    pub class_changes: Vec<(Owned, usize)>,
    pub bases: Vec<Bases>,
    /// Classes whose namespace changes, or what it holds in a way that inline caches know.
    pub namespaces: Vec<Owned>,
    pub flags: Flags,
    /// Objects whose hash changes: a table that has one as a key is told so.
    pub value_hashed: AddressMap,
    /// Classes whose instances are hashed or compared by another function.
    pub rehashed: AddressMap,
    /// Set before tables are repaired.
    pub watched: OnceCell<Watched>,
    pub weak: Following,
    /// Borrowed: not to be used after Python code has run.
    pub set_iterators: Vec<Object>,
    pub visited: usize,
    pub left_behind: LeftBehind,
}

pub type Visit = unsafe extern "C" fn(Object, changeproc, *mut c_void, *mut c_void) -> c_int;

impl Plan {
    /// The number of traversals that reach every reference to be changed: the threads, the
    /// interpreter, the holders.
    pub fn traversals(&self) -> usize {
        ROOTS.len() + self.holders.len()
    }

    /// Is it that of an object whose references are not changed?
    pub fn is_exempt(&self, index: usize, pairs: &Pairs) -> bool {
        index.checked_sub(ROOTS.len()).is_some_and(|holder| {
            let holder = self.holders[holder].as_ptr();
            pairs.exempt.contains(holder as usize)
        })
    }

    /// Makes one of them. `Err` if the visitor stopped it.
    pub fn traverse(&self, index: usize, visit: Visit, arg: *mut c_void) -> Result<()> {
        // SAFETY: the plan owns the objects; the visitor takes `arg`.
        let status = unsafe {
            if let Some((_, root)) = ROOTS.get(index) {
                root(Some(visit), arg)
            } else {
                let holder = self.holders[index - ROOTS.len()].as_ptr();
                let traverse = traverse_change_of(holder).expect("holders have the slot");
                traverse(holder, Some(visit), arg)
            }
        };
        if status == 0 { Ok(()) } else { Err(Raised) }
    }
}

/// Refuses pairs that are wrong whatever the heap looks like, and takes them out: what is wrong
/// with the others is to be found as well.
pub fn check_pairs(pairs: &mut Pairs) -> Result<Refusals> {
    let mut refusals = Refusals::new()?;
    for pair in &pairs.conflicts {
        // SAFETY: the pair owns the object.
        unsafe { _PyRemap_RaiseTwoReplacements(pair.old.as_ptr()) };
        refusals.note(-1, About::pair(pair))?;
    }
    let mut refused = AddressMap::default();
    for pair in &pairs.pairs {
        let (old, new) = (pair.old.as_ptr(), pair.new.as_ptr());
        // SAFETY: the pair owns both.
        unsafe {
            let status = _PyRemap_CheckPair(old, new);
            if status < 0 {
                refusals.note(status, About::pair(pair))?;
                refused.insert(old as usize, 0)?;
            }
            if is_dict(old) {
                // The owner of the inline values that it may use does not report it.
                check(_PyDict_DetachInlineValues(old))?;
            }
        }
    }
    if !refused.is_empty() {
        pairs.remove(&refused)?;
        if pairs.len() == 0 {
            refusals.raise()?;
        }
    }
    Ok(refusals)
}

/// Plans the change; with what has been refused before, it only finds out what else is wrong.
pub fn plan(
    pairs: &Pairs,
    findings: Findings,
    mut refusals: Refusals,
    strict: bool,
) -> Result<Plan> {
    let mut plan = Plan {
        value_hashed: findings.value_hashed,
        rehashed: findings.rehashed,
        set_iterators: findings.set_iterators,
        visited: findings.visited,
        ..Plan::default()
    };
    // Before the plan makes references of its own.
    let mut candidates = Vec::new();
    let kept = kept::references(pairs)?;
    for (index, kept) in kept.into_iter().enumerate() {
        push(&mut candidates, references_to_change(pairs, index) - kept)?;
    }
    plan.weak = Following::new(findings.weak)?;
    plan.weak
        .check(pairs, |pair| refusals.note(-1, About::pair(pair)))?;
    let mut kept = Holders::new(pairs)?;
    let mut accepted = Vec::new();
    if accepted.try_reserve_exact(pairs.len()).is_err() {
        return no_memory();
    }
    accepted.resize(pairs.len(), 0);

    let mut classes = Classes::default();
    let excluded = (&raw mut classes.excluded).cast();
    // SAFETY: the visitor takes an `AddressMap`.
    check(unsafe { _PyRemap_VisitReprGuards(Some(exclude), excluded) })?;
    // SAFETY: as above.
    check(unsafe { _PyType_VisitStaticTables(Some(exclude), excluded) })?;
    classes.plan(
        pairs,
        &findings.types,
        &mut plan,
        &mut refusals,
        &mut accepted,
    )?;
    if plan
        .holders
        .try_reserve(findings.holders.len() + findings.touched.len())
        .is_err()
    {
        return no_memory();
    }
    let mut properties = AddressMap::default();
    for &holder in findings.holders.iter().chain(&findings.touched) {
        // SAFETY: no Python code has run since the scan.
        unsafe {
            match classes.excluded.get(holder as usize) {
                None => {}
                Some(ACCOUNTED) => continue,
                Some(_) => {
                    kept.add_all(holder, true)?;
                    continue;
                }
            }
            let private = findings.private_tuples.contains(holder as usize);
            if private || traverse_change_of(holder).is_none() {
                kept.add_all(holder, private)?;
                continue;
            }
            if let Some(index) = classes.namespaces.get(holder as usize) {
                push(
                    &mut plan.namespaces,
                    Owned::of(findings.types[index as usize].cast()),
                )?;
            }
            if is_exact(holder, &raw mut PyProperty_Type) {
                properties.insert(holder as usize, 0)?;
            }
        }
        push(&mut plan.holders, Owned::of(holder))?;
    }
    classes_with_properties(&findings.types, &properties, &mut plan)?;

    for pair in &pairs.pairs {
        // SAFETY: the pair owns both.
        unsafe {
            let class = _PyRemap_FindOwnNew(pair.old.as_ptr());
            if !class.is_null() {
                _PyRemap_RaiseOwnNew(class, pair.new.as_ptr());
                let about = About::reference(pair, Place::Object(class.cast()));
                refusals.note(-1, about)?;
            }
        }
    }
    if let Some(index) = cycles::find(pairs)? {
        let pair = &pairs.pairs[index];
        // SAFETY: the pair owns both.
        unsafe { _PyRemap_RaiseCycle(pair.old.as_ptr(), pair.new.as_ptr()) };
        refusals.note(-1, About::pair(pair))?;
    }

    let mut asker = Check {
        pairs,
        refusals: &mut refusals,
        accepted: &mut accepted,
        kept: &mut kept,
        constants: &findings.constants,
        rebased: &classes.rebased,
        class_changes: Vec::new(),
        place: Place::Root(ROOTS[0].0),
        exempt: false,
        failed: false,
    };
    asker.roots()?;
    for holder in &plan.holders {
        asker.holder(holder.as_ptr())?;
    }
    for &instance in &findings.bare_instances {
        asker.instance(instance)?;
    }
    plan.class_changes = asker.class_changes;
    plan.flags = Flags::plan(pairs, &findings.types, &plan.namespaces)?;
    for &dict in &findings.string_keyed {
        count_string_keys(dict, pairs, &mut accepted);
    }
    refusals.raise()?;
    for (candidates, accepted) in candidates.iter_mut().zip(accepted) {
        *candidates = (*candidates - accepted).max(0);
    }
    let holders = kept.first()?;
    plan.left_behind = kept.finish(candidates)?;
    if strict {
        check_left_behind(pairs, &plan.left_behind, &holders)?;
    }
    for &dict in &findings.string_keyed {
        // SAFETY: no Python code has run since the scan.
        check(unsafe { _PyDict_MakeGeneral(dict) })?;
        push(&mut plan.holders, Owned::of(dict))?;
        // `type()` takes names as they are, interned or not.
        if let Some(index) = classes.namespaces.get(dict as usize) {
            let class = findings.types[index as usize];
            push(&mut plan.namespaces, Owned::of(class.cast()))?;
        }
    }
    detach_inline_values(&mut plan)?;
    Ok(plan)
}

/// An instance that changes its class has its attributes moved from its inline values to its dict
/// first, as assigning `__class__` does. Python code cannot tell the difference.
fn detach_inline_values(plan: &mut Plan) -> Result<()> {
    for (instance, _) in &plan.class_changes {
        // SAFETY: the plan owns the instance.
        unsafe {
            check(_PyObject_DetachInlineValues(instance.as_ptr()))?;
            let dict = _PyRemap_InstanceDict(instance.as_ptr());
            if !dict.is_null() && is_exact(dict, &raw mut PyDict_Type) {
                push(&mut plan.holders, Owned::of(dict))?;
            }
        }
    }
    deduplicate(&mut plan.holders)
}

fn deduplicate(holders: &mut Vec<Owned>) -> Result<()> {
    let mut seen = AddressMap::default();
    let mut failed = false;
    holders.retain(|holder| match seen.insert(holder.as_ptr() as usize, 0) {
        Ok(known) => known.is_none(),
        Err(Raised) => {
            failed = true;
            true
        }
    });
    if failed { Err(Raised) } else { Ok(()) }
}

/// Refuses what would be left behind. `holders` has the first known holder for each pair.
fn check_left_behind(pairs: &Pairs, left_behind: &LeftBehind, holders: &[Object]) -> Result<()> {
    let mut refusals = Refusals::new()?;
    for (index, pair) in pairs.pairs.iter().enumerate() {
        let (left, texts) = (left_behind.counts[index], &left_behind.texts[index]);
        if left > 0 {
            // SAFETY: the pair owns the object, and the texts are a tuple.
            unsafe { _PyRemap_RaiseLeftBehind(pair.old.as_ptr(), left, texts.as_ptr()) };
            let about = About::reference(pair, Place::Object(holders[index]));
            refusals.note(-1, about)?;
        }
    }
    refusals.raise()
}

/// The references to the old object of a pair, less those of the engine's pairs, of the argument
/// and of the object itself.
fn references_to_change(pairs: &Pairs, index: usize) -> isize {
    let old = pairs.pairs[index].old.as_ptr();
    // SAFETY: the pair owns the object.
    let (references, own) = unsafe { (_PyRemap_RefCount(old), _PyRemap_SelfReferences(old)) };
    references - pairs.engine_references[index] - pairs.exempt_references[index] - own
}

/// An excluded object whose references are changed in another way.
const ACCOUNTED: u32 = 0;
/// An excluded object that keeps its references.
const KEPT: u32 = 1;

/// Classes keep their invariants: bases and MROs are not changed as tuples.
#[derive(Default)]
struct Classes {
    /// The tuples that are the bases or the MRO of a class, and hold an old class
    /// ([`ACCOUNTED`], or [`KEPT`] if others hold them as well); the tables of subclasses, whose
    /// weak references C code trusts; the namespaces of immutable types; and the
    /// lists of what `repr()` is showing, which are about identity ([`KEPT`]).
    excluded: AddressMap,
    /// Namespace to the index of its class.
    namespaces: AddressMap,
    /// The classes that get new bases.
    rebased: AddressMap,
}

impl Classes {
    fn plan(
        &mut self,
        pairs: &Pairs,
        types: &[*mut PyTypeObject],
        plan: &mut Plan,
        refusals: &mut Refusals,
        accepted: &mut [isize],
    ) -> Result<()> {
        let mut ready = Vec::new();
        let mut new_bases = NewBases::default();
        for (index, &class) in types.iter().enumerate() {
            // SAFETY: no Python code has run since the scan.
            unsafe {
                let (bases, mro, namespace) =
                    ((*class).tp_bases, (*class).tp_mro, (*class).tp_dict);
                if !namespace.is_null() {
                    self.namespaces.insert(namespace as usize, index as u32)?;
                    if (*class).tp_flags & IMMUTABLETYPE != 0 {
                        self.excluded.insert(namespace as usize, KEPT)?;
                    }
                }
                let subclasses = (*class).tp_subclasses;
                if !subclasses.is_null() {
                    self.excluded.insert(subclasses as usize, KEPT)?;
                }
                if bases.is_null() {
                    continue;
                }
                if mro.is_null() {
                    // C code is making it, and has looked at its bases.
                    self.excluded.insert(bases as usize, KEPT)?;
                    continue;
                }
                push(&mut ready, class)?;
                if refers_to_old(pairs, class, bases) {
                    new_bases.add(pairs, class, refusals)?;
                }
            }
        }
        new_bases.check_orders(pairs, &ready, refusals)?;
        let mut tuples = ClassTuples::default();
        for class in ready {
            // SAFETY: no Python code has run since the scan.
            unsafe {
                let (bases, mro) = ((*class).tp_bases, (*class).tp_mro);
                let changes = new_bases.changes(class);
                if pairs.find(class.cast()).is_some() || refers_to_old(pairs, class, mro) {
                    tuples.add(mro, class, new_bases.changes_mro(class))?;
                }
                if refers_to_old(pairs, class, bases) {
                    tuples.add(bases, class, changes)?;
                }
                if !changes {
                    continue;
                }
                if let Some(pair) = pairs.find((*class).tp_base.cast()) {
                    accepted[pair] += 1;
                }
                self.rebased.insert(class as usize, 0)?;
            }
        }
        new_bases.finish(&mut plan.bases)?;
        tuples.account(pairs, &mut self.excluded, accepted)
    }
}

/// The bases that classes are to have.
#[derive(Default)]
struct NewBases {
    bases: Vec<Bases>,
    /// Class to its index among them, or to [`STAYS`] or [`REFUSED`].
    index: AddressMap,
}

/// A class on its way out, which cannot have its new bases and need not.
const STAYS: u32 = u32::MAX;
/// A class that cannot have its new bases.
const REFUSED: u32 = u32::MAX - 1;

impl NewBases {
    /// The new bases of a class.
    fn of(&self, class: *mut PyTypeObject) -> Option<&Bases> {
        let index = self.index.get(class as usize)?;
        self.bases.get(index as usize)
    }

    /// Does a class get other bases?
    fn changes(&self, class: *mut PyTypeObject) -> bool {
        self.of(class).is_some()
    }

    /// Does it, or one that it inherits from, and with them another MRO?
    ///
    /// # Safety
    /// The class is alive and ready, and no Python code runs.
    unsafe fn changes_mro(&self, class: *mut PyTypeObject) -> bool {
        // SAFETY: by contract.
        unsafe { items((*class).tp_mro) }.any(|ancestor| self.changes(ancestor.cast()))
    }

    /// A class with an old one among its bases.
    ///
    /// # Safety
    /// `class` is alive and ready.
    unsafe fn add(
        &mut self,
        pairs: &Pairs,
        class: *mut PyTypeObject,
        refusals: &mut Refusals,
    ) -> Result<()> {
        // SAFETY: by contract; the new tuple owns what is put into it.
        unsafe {
            let old = (*class).tp_bases;
            let size = PyTuple_Size(old);
            let new = Owned::from_new(PyTuple_New(size))?;
            let mut references = 0;
            let mut first = None;
            for at in 0..size {
                let mut base = PyTuple_GetItem(old, at);
                if let Some(pair) = pairs.find(base) {
                    references += 1;
                    first = first.or(Some(pair));
                    base = pairs.pairs[pair].new.as_ptr();
                }
                PyTuple_SetItem(new.as_ptr(), at, Owned::of(base).into_ptr());
            }
            let Some(pair) = first else {
                return Ok(());
            };
            if _PyType_CheckBases(class, new.as_ptr()) < 0 {
                if pairs.find(class.cast()).is_some() {
                    PyErr_Clear();
                    self.index.insert(class as usize, STAYS)?;
                    return Ok(());
                }
                self.index.insert(class as usize, REFUSED)?;
                let about = About::reference(&pairs.pairs[pair], Place::Object(class.cast()));
                return refusals.note(-1, about);
            }
            self.index.insert(class as usize, self.bases.len() as u32)?;
            push(
                &mut self.bases,
                Bases {
                    class: Owned::of(class.cast()),
                    new,
                    references,
                    pair,
                },
            )
        }
    }

    /// Will every class have an MRO? One on its way out that would have none, or because of which
    /// another would have none, keeps its bases.
    fn check_orders(
        &mut self,
        pairs: &Pairs,
        classes: &[*mut PyTypeObject],
        refusals: &mut Refusals,
    ) -> Result<()> {
        while !self.bases.is_empty() {
            let conflicts = self.conflicts(pairs, classes)?;
            let mut stays = false;
            for (class, conflict) in &conflicts {
                stays |= self.keep(pairs, *class, matches!(conflict, Conflict::Cycle))?;
            }
            if stays {
                continue;
            }
            for (class, conflict) in conflicts {
                self.refuse(pairs, class as *mut PyTypeObject, &conflict, refusals)?;
            }
            break;
        }
        Ok(())
    }

    /// The classes that would have no MRO.
    fn conflicts(
        &self,
        pairs: &Pairs,
        classes: &[*mut PyTypeObject],
    ) -> Result<Vec<(usize, Conflict)>> {
        // SAFETY: what is looked at is one of the classes, or a base of one.
        let mut hierarchy = Hierarchy::new(|class| unsafe { self.describe(pairs, class) });
        for &class in classes {
            // SAFETY: no Python code has run since the scan.
            if unsafe { self.changes_mro(class) } {
                hierarchy.visit(class as usize)?;
            }
        }
        Ok(hierarchy.conflicts)
    }

    /// # Safety
    /// `class` is the address of one that is alive and ready, and no Python code runs.
    unsafe fn describe(&self, pairs: &Pairs, class: usize) -> Result<Class> {
        let class = class as *mut PyTypeObject;
        // SAFETY: by contract, and so are its bases.
        unsafe {
            if self.index.get(class as usize) == Some(REFUSED) {
                return Ok(Class::Own(Vec::new()));
            }
            if !self.changes_mro(class) {
                return Ok(Class::Settled(addresses(items((*class).tp_mro))?));
            }
            let bases = addresses(self.bases_of(class))?;
            let metatype = type_of(class.cast()).cast();
            let metatype = match pairs.find(metatype) {
                Some(pair) => pairs.pairs[pair].new.as_ptr(),
                None => metatype,
            };
            if !is_type(metatype) || _PyType_HasOwnMro(metatype.cast()) != 0 {
                return Ok(Class::Own(bases));
            }
            Ok(Class::Inherits(bases))
        }
    }

    /// The bases that a class will have, borrowed.
    ///
    /// # Safety
    /// The class is alive and ready, and no Python code runs.
    unsafe fn bases_of(&self, class: *mut PyTypeObject) -> impl Iterator<Item = Object> {
        // SAFETY: by contract; the new bases are owned.
        unsafe {
            items(match self.of(class) {
                Some(bases) => bases.new.as_ptr(),
                None => (*class).tp_bases,
            })
        }
    }

    /// Has a class on its way out keep its bases, for a conflict in this class: the class itself,
    /// or else all that it would inherit from. False if there is none.
    fn keep(&mut self, pairs: &Pairs, class: usize, cycle: bool) -> Result<bool> {
        if !cycle && self.keep_one(pairs, class) {
            return Ok(true);
        }
        let mut kept = false;
        let mut seen = AddressMap::default();
        let mut path = Vec::new();
        push(&mut path, class)?;
        while let Some(class) = path.pop() {
            if seen.insert(class, 0)?.is_some() {
                continue;
            }
            // SAFETY: the class is alive, as are those that it inherits from.
            for base in unsafe { self.bases_of(class as *mut PyTypeObject) } {
                push(&mut path, base as usize)?;
            }
            kept |= self.keep_one(pairs, class);
        }
        Ok(kept)
    }

    fn keep_one(&mut self, pairs: &Pairs, class: usize) -> bool {
        let changes = self.changes(class as *mut PyTypeObject);
        // The address is compared only.
        let stays = changes && pairs.find(class as Object).is_some();
        if stays {
            self.index.replace(class, STAYS);
        }
        stays
    }

    fn refuse(
        &self,
        pairs: &Pairs,
        class: *mut PyTypeObject,
        conflict: &Conflict,
        refusals: &mut Refusals,
    ) -> Result<()> {
        // SAFETY: the classes are alive, and no Python code has run since the scan.
        unsafe {
            match conflict {
                Conflict::Cycle => _PyRemap_RaiseInheritanceCycle(class),
                Conflict::Duplicate(base) => _PyRemap_RaiseDuplicateBase(class, *base as *mut _),
                Conflict::Order(first) => {
                    let classes = Owned::from_new(PyTuple_New(first.len() as isize))?;
                    for (at, &class) in first.iter().enumerate() {
                        let class = Owned::of(class as Object);
                        PyTuple_SetItem(classes.as_ptr(), at as isize, class.into_ptr());
                    }
                    _PyRemap_RaiseNoMro(class, classes.as_ptr());
                }
            }
            // Its own bases, or those of one that it inherits from.
            let mut mro = items((*class).tp_mro);
            let bases = mro.find_map(|ancestor| self.of(ancestor.cast()));
            let bases = bases.expect("the MRO changes");
            let pair = &pairs.pairs[bases.pair];
            refusals.note(-1, About::reference(pair, Place::Object(class.cast())))
        }
    }

    /// What is to be changed.
    fn finish(self, plan: &mut Vec<Bases>) -> Result<()> {
        let Self { bases, index } = self;
        for (at, bases) in bases.into_iter().enumerate() {
            if index.get(bases.class.as_ptr() as usize) == Some(at as u32) {
                push(plan, bases)?;
            }
        }
        Ok(())
    }
}

fn addresses(objects: impl Iterator<Item = Object>) -> Result<Vec<usize>> {
    let mut addresses = Vec::new();
    for object in objects {
        push(&mut addresses, object as usize)?;
    }
    Ok(addresses)
}

/// Does a tuple of a class refer to an old class other than itself?
///
/// # Safety
/// All are alive, and no Python code runs.
unsafe fn refers_to_old(pairs: &Pairs, class: *mut PyTypeObject, tuple: Object) -> bool {
    // SAFETY: by contract.
    unsafe { items(tuple) }.any(|item| item != class.cast() && pairs.find(item).is_some())
}

/// The items of a tuple, borrowed.
///
/// # Safety
/// The tuple is alive, and not changed while the iterator is.
unsafe fn items(tuple: Object) -> impl Iterator<Item = Object> {
    // SAFETY: by contract.
    (0..unsafe { PyTuple_Size(tuple) }).map(move |at| unsafe { PyTuple_GetItem(tuple, at) })
}

/// The bases or the MRO of a class.
struct ClassTuple {
    tuple: Object,
    class: *mut PyTypeObject,
    /// The number of classes that have it.
    classes: isize,
    /// They get others instead of it.
    released: bool,
}

/// Bases and MROs that hold old classes.
#[derive(Default)]
struct ClassTuples {
    tuples: Vec<ClassTuple>,
    index: AddressMap,
}

impl ClassTuples {
    fn add(&mut self, tuple: Object, class: *mut PyTypeObject, released: bool) -> Result<()> {
        let next = self.tuples.len() as u32;
        if let Some(known) = self.index.insert(tuple as usize, next)? {
            let known = &mut self.tuples[known as usize];
            known.classes += 1;
            known.released &= released;
            return Ok(());
        }
        push(
            &mut self.tuples,
            ClassTuple {
                tuple,
                class,
                classes: 1,
                released,
            },
        )
    }

    /// Counts the references that go away with their tuple. One that a program or C code holds as
    /// well stays, and is what it was.
    fn account(
        &self,
        pairs: &Pairs,
        excluded: &mut AddressMap,
        accepted: &mut [isize],
    ) -> Result<()> {
        for known in &self.tuples {
            // SAFETY: no Python code has run since the scan.
            let others = unsafe { _PyRemap_RefCount(known.tuple) } > known.classes;
            let stays = others || !known.released;
            // SAFETY: as above.
            let kept = others || stays && unsafe { refers_to_old(pairs, known.class, known.tuple) };
            excluded.insert(known.tuple as usize, if kept { KEPT } else { ACCOUNTED })?;
            // SAFETY: as above.
            for item in unsafe { items(known.tuple) } {
                let Some(pair) = pairs.find(item) else {
                    continue;
                };
                if item != known.class.cast() {
                    accepted[pair] += isize::from(!stays);
                } else if others {
                    // What a class says of itself has not been counted.
                    accepted[pair] -= 1;
                }
            }
        }
        Ok(())
    }
}

/// Inline caches know the getter of a property in a class: see `LOAD_ATTR_PROPERTY`.
fn classes_with_properties(
    types: &[*mut PyTypeObject],
    properties: &AddressMap,
    plan: &mut Plan,
) -> Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    for &class in types {
        // SAFETY: no Python code has run since the scan.
        unsafe {
            let namespace = (*class).tp_dict;
            if namespace.is_null() {
                continue;
            }
            let (mut at, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
            while PyDict_Next(namespace, &mut at, &mut key, &mut value) != 0 {
                if properties.contains(value as usize) {
                    push(&mut plan.namespaces, Owned::of(class.cast()))?;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// What a refusal is about.
struct About<'a> {
    pair: &'a Pair,
    holder: Object,
    field: *mut PyChangeField,
}

impl<'a> About<'a> {
    /// The two objects, whoever refers to the old one.
    fn pair(pair: &'a Pair) -> Self {
        Self {
            pair,
            holder: std::ptr::null_mut(),
            field: std::ptr::null_mut(),
        }
    }

    /// A reference in this place.
    fn reference(pair: &'a Pair, place: Place) -> Self {
        Self {
            holder: place.for_c().0,
            ..Self::pair(pair)
        }
    }
}

/// The exceptions that say why the remap is refused.
pub struct Refusals(Owned);

impl Refusals {
    fn new() -> Result<Self> {
        // SAFETY: makes a new list.
        Ok(Self(Owned::from_new(unsafe { PyList_New(0) })?))
    }

    /// Raises the one exception that is set, with what it is about.
    pub fn annotate(pair: &Pair, holder: Object) -> Result<()> {
        let mut this = Self::new()?;
        this.note(-1, About::reference(pair, Place::Object(holder)))?;
        this.raise()
    }

    /// Keeps the exception that a negative status stands for.
    fn note(&mut self, status: c_int, about: About<'_>) -> Result<()> {
        if status >= 0 {
            return Ok(());
        }
        // SAFETY: an exception is set, and is owned from here on; so are the pair's objects, and
        // the holder is alive.
        unsafe {
            let exception = Owned::from_new(PyErr_GetRaisedException())?;
            check(_PyRemap_AnnotateRefusal(
                exception.as_ptr(),
                about.pair.old.as_ptr(),
                about.pair.new.as_ptr(),
                about.holder,
                about.field,
            ))?;
            check(PyList_Append(self.0.as_ptr(), exception.as_ptr()))
        }
    }

    fn raise(&self) -> Result<()> {
        // SAFETY: the list is owned.
        unsafe {
            if PyList_Size(self.0.as_ptr()) == 0 {
                return Ok(());
            }
            _PyRemap_RaiseFirst(self.0.as_ptr());
        }
        Err(Raised)
    }
}

/// The visitor that asks, and changes nothing.
struct Check<'a, 'b> {
    pairs: &'a Pairs,
    refusals: &'a mut Refusals,
    /// For each pair, the references that can be changed.
    accepted: &'a mut [isize],
    /// Those that will be kept.
    kept: &'a mut Holders<'b>,
    /// Tuples of the constants of code.
    constants: &'a AddressMap,
    /// Classes that get new bases.
    rebased: &'a AddressMap,
    class_changes: Vec<(Owned, usize)>,
    /// What is being traversed.
    place: Place,
    /// It is exempt: only its table may have to be repaired.
    exempt: bool,
    failed: bool,
}

impl Check<'_, '_> {
    fn holder(&mut self, holder: Object) -> Result<()> {
        self.place = Place::Object(holder);
        self.exempt = self.pairs.exempt.contains(holder as usize);
        // SAFETY: the plan owns the holder; the visitor takes a `Check`.
        unsafe {
            let traverse = traverse_change_of(holder).expect("holders have the slot");
            traverse(holder, Some(ask), (&raw mut *self).cast());
        }
        if self.failed { Err(Raised) } else { Ok(()) }
    }

    fn roots(&mut self) -> Result<()> {
        for (name, root) in ROOTS {
            self.place = Place::Root(name);
            // SAFETY: the visitor takes a `Check`.
            check(unsafe { root(Some(ask), (&raw mut *self).cast()) })?;
        }
        if self.failed { Err(Raised) } else { Ok(()) }
    }

    /// An instance of an old class.
    fn instance(&mut self, instance: Object) -> Result<()> {
        // SAFETY: the instance is alive, and its type is.
        let kind = unsafe { type_of(instance) };
        let pair = self
            .pairs
            .find(kind.cast())
            .expect("the type is an old class");
        let new = self.pairs.pairs[pair].new.as_ptr();
        let place = Place::Object(instance);
        // SAFETY: as above; the pair owns the new type.
        if unsafe { _PyObject_CheckChangeType(instance, new) } < 0 {
            if self.pairs.is_on_its_way_out(instance) {
                // It need not fit: it keeps its class, which is counted.
                // SAFETY: an exception is set.
                unsafe { PyErr_Clear() };
                return self.kept.add(pair, place, std::ptr::null_mut());
            }
            let about = About::reference(&self.pairs.pairs[pair], place);
            return self.refusals.note(-1, about);
        }
        self.accepted[pair] += 1;
        push(&mut self.class_changes, (Owned::of(instance), pair))
    }

    /// Is a reference that a field keeps changed in another way, or what a class says of itself?
    ///
    /// # Safety
    /// Both are alive.
    unsafe fn is_accounted(&self, current: Object, holder: Object) -> bool {
        // SAFETY: by contract; what gets new bases is a type.
        unsafe {
            self.rebased.contains(holder as usize)
                && (*holder.cast::<PyTypeObject>()).tp_base == current.cast()
                || _PyRemap_IsOwnDescriptor(current, holder) != 0
        }
    }

    fn ask(&mut self, current: Object, change: changeproc, slot: *mut c_void) -> Result<()> {
        let Some(pair) = self.pairs.find(current).filter(|_| !self.exempt) else {
            return Ok(());
        };
        if same_change(change, PyObject_ChangeType) {
            return self.instance(slot.cast());
        }
        let new = self.pairs.pairs[pair].new.as_ptr();
        let (holder, root) = self.place.for_c();
        let mut about = About::reference(&self.pairs.pairs[pair], self.place);
        if let Some(place) = self.constants.get(holder as usize) {
            let is = |what| c_int::from(place & what != 0);
            let (constant, nested) = (is(CONSTANTS), is(NESTED));
            // SAFETY: the reference is one to the old object; the pair owns the new one.
            let status = unsafe { _PyRemap_CheckConstant(current, new, constant, nested) };
            if status < 0 {
                return self.refusals.note(status, about);
            }
        }
        if same_change(change, PyObject_ChangeField) {
            let field = slot.cast::<PyChangeField>();
            // SAFETY: with this changeproc the slot is a `PyChangeField`.
            unsafe {
                let verdict = PyObject_CheckChangeField(field, new);
                if verdict == Py_CHANGE_KEEP {
                    if !holder.is_null() && self.is_accounted(current, holder) {
                        return Ok(());
                    }
                    return self.kept.add(pair, self.place, field);
                }
                // C code that follows such a field does not expect to come back to where it was.
                if verdict != Py_CHANGE_ACCEPT || new == holder {
                    _PyRemap_RaiseField(holder, root, field, new);
                    about.field = field;
                    return self.refusals.note(-1, about);
                }
            }
        }
        // SAFETY: the pair owns the new object.
        if same_change(change, _PyDict_ChangeManagedDict) && !unsafe { is_dict(new) } {
            // SAFETY: the changeproc raises without writing.
            let status = unsafe { _PyDict_ChangeManagedDict(slot, new) };
            return self.refusals.note(status, about);
        }
        self.accepted[pair] += 1;
        Ok(())
    }
}

type Change = unsafe extern "C" fn(*mut c_void, Object) -> c_int;

/// Is it this changeproc of the interpreter's own?
pub fn same_change(change: changeproc, other: Change) -> bool {
    change.is_some_and(|change| std::ptr::fn_addr_eq(change as Change, other))
}

unsafe extern "C" fn ask(
    current: Object,
    change: changeproc,
    slot: *mut c_void,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: `arg` is the `Check` of the traversal.
    let check = unsafe { &mut *arg.cast::<Check<'_, '_>>() };
    match check.ask(current, change, slot) {
        Ok(()) => 0,
        Err(Raised) => {
            check.failed = true;
            -1
        }
    }
}

unsafe extern "C" fn exclude(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the map of excluded objects.
    let excluded = unsafe { &mut *arg.cast::<AddressMap>() };
    match excluded.insert(object as usize, KEPT) {
        Ok(_) => 0,
        Err(Raised) => -1,
    }
}

fn count_string_keys(dict: Object, pairs: &Pairs, accepted: &mut [isize]) {
    let mut counter = (pairs, accepted);
    // SAFETY: no Python code has run since the scan found the dict; the visitor takes the counter.
    unsafe {
        _PyDict_VisitStringKeys(dict, Some(count_key), (&raw mut counter).cast());
    }
}

unsafe extern "C" fn count_key(key: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the counter of `count_string_keys`.
    let (pairs, accepted) = unsafe { &mut *arg.cast::<(&Pairs, &mut [isize])>() };
    if let Some(pair) = pairs.find(key) {
        accepted[pair] += 1;
    }
    0
}
