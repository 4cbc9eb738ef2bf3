//! Phase 1: one read-only walk of the heap that collects what will have to change.
//!
//! The walk asks of each object only whether it refers to an old object, and of each edge only its
//! address: the referent is not touched. Where an old object is one that the collector does not
//! track, it may be held by tuples, dicts, code objects and context variables that are not tracked
//! either, and a `tzinfo` by a `datetime`; only then the walk goes into those ([`Depth::Untracked`]).
//!
//! A second walk (and a few more, where what is hashed by value is nested) is made only if something
//! that changes is hashed by value: it finds who is hashed by that, and which tables have it as a
//! key.
//!
//! Invariant: no Python code runs, nothing is written, and no memory is allocated per object, unless
//! what is hashed by value is nested deeply ([`HashEdges`]).

use std::ffi::{CStr, c_int, c_void};

use crate::addresses::{AddressMap, Filter};
use crate::ffi::*;
use crate::pairs::Pairs;
use crate::weakrefs::Found;

/// What the walk found; all borrowed, valid until Python code runs.
#[derive(Default)]
pub struct Findings {
    /// Objects that refer to an old object.
    pub holders: Vec<Object>,
    /// Objects that refer to one of `value_hashed`, and not to an old object.
    pub touched: Vec<Object>,
    /// Objects whose hash changes because of what they hold.
    pub value_hashed: AddressMap,
    /// Classes whose instances will be hashed or compared by another function.
    pub rehashed: AddressMap,
    /// Weak references to old objects, and those to members of `value_hashed`.
    pub weak: Found,
    /// Instances of old classes that the collector does not know.
    pub bare_instances: Vec<Object>,
    /// Tuples that belong to objects without `tp_traverse_change`, whose C code may count on what
    /// they hold.
    pub private_tuples: AddressMap,
    /// Dicts with an old object among keys that are all strings.
    pub string_keyed: Vec<Object>,
    /// The tuples of the constants of code, and those in them (see [`NESTED`]), if an old object may
    /// be a constant that the interpreter takes for a tuple, or a string in one.
    pub constants: AddressMap,
    /// All heap types.
    pub types: Vec<*mut PyTypeObject>,
    /// All iterators of sets.
    pub set_iterators: Vec<Object>,
    /// Objects visited by the first walk.
    pub visited: usize,
}

type TraverseRoot = unsafe extern "C" fn(visitchangeproc, *mut c_void) -> c_int;

/// The traversals of what no object of a generation holds, with what they are called. The first is
/// that of the threads, whose frames come and go.
pub const ROOTS: [(&CStr, TraverseRoot); 2] = [
    (c"the running threads", _PyRemap_TraverseThreads),
    (c"the interpreter", _PyRemap_TraverseInterpreter),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Only what the collector tracks can hold what is looked for.
    Tracked,
    Untracked,
}

/// Walks the heap of the current interpreter.
pub fn scan(pairs: &Pairs) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut depth = Depth::Tracked;
    let mut strings = false;
    let mut constants = false;
    let mut become_objects = AddressMap::default();
    for pair in &pairs.pairs {
        let old = pair.old.as_ptr();
        // SAFETY: the pair owns `old`.
        unsafe {
            let bare_class = is_type(old) && !collects_instances(old.cast());
            if bare_class || !is_tracked(old) || _PyRemap_MayBeHeldUnseen(old) != 0 {
                depth = Depth::Untracked;
            }
            let is_str = is_exact(old, &raw mut PyUnicode_Type);
            strings |= is_str;
            // Names in tuples of constants are strings.
            constants |= is_str;
            if may_be_constant(old) {
                depth = Depth::Untracked;
                constants = true;
            }
            let new = pair.new.as_ptr();
            let constant = !is_tracked(old) || may_be_constant(old);
            if constant && is_tracked(new) && !may_be_constant(new) {
                become_objects.insert(old as usize, 0)?;
            }
        }
    }

    if strings {
        // Its entries own the names with which they were found.
        // SAFETY: drops strings only.
        unsafe { PyType_ClearCache() };
    }
    let filter = Filter::new(&pairs.index)?;
    let mut walk = Walk::new(pairs, &filter, depth, strings);
    walk.constants = constants.then(AddressMap::default);
    walk.codes = (!become_objects.is_empty()).then(Vec::new);
    let mut value_hashed = Vec::new();
    walk.heap(|walk, object, hit| {
        findings.visited += 1;
        // SAFETY: the walk hands over living objects.
        unsafe {
            if is_type(object) {
                push(&mut findings.types, object.cast())?;
            } else if is_exact(object, &raw mut PySetIter_Type) {
                push(&mut findings.set_iterators, object)?;
            }
            if hit {
                push(&mut findings.holders, object)?;
                if walk.hash_depends(object) {
                    push(&mut value_hashed, object)?;
                }
            } else if _PyRemap_HasValueHash(type_of(object)) != 0 && walk.attributes_hit(object) {
                push(&mut value_hashed, object)?;
            }
        }
        Ok(())
    })?;
    findings.bare_instances = std::mem::take(&mut walk.bare_instances);
    findings.string_keyed = std::mem::take(&mut walk.string_keyed);
    findings.constants = walk.constants.take().unwrap_or_default();
    for code in walk.codes.take().unwrap_or_default() {
        // SAFETY: nothing has run since the walk.
        unsafe {
            if constants_hold(code, &become_objects)? {
                check(_PyRemap_SetCodeWithObjects(code))?;
            }
        }
    }
    for &instance in &findings.bare_instances {
        // SAFETY: nothing has run since the walk.
        if unsafe { walk.hash_depends(instance) } {
            push(&mut value_hashed, instance)?;
        }
    }
    let mut members = Vec::new();
    if !value_hashed.is_empty() {
        let owned = tuples_of_classes(&findings.types)?;
        for object in value_hashed {
            if !owned.contains(object as usize)
                && findings.value_hashed.insert(object as usize, 0)?.is_none()
            {
                push(&mut members, object)?;
            }
        }
    }
    findings.rehashed = rehashed_classes(pairs, &findings)?;
    if !findings.rehashed.is_empty() {
        let (types, classes) = (&findings.types, &findings.rehashed);
        for instance in instances(pairs, &filter, depth, types, classes)? {
            if findings
                .value_hashed
                .insert(instance as usize, 0)?
                .is_none()
            {
                push(&mut members, instance)?;
            }
        }
    }
    findings.weak = Found::of_pairs(pairs)?;
    for &(reference, _) in &findings.weak.following {
        findings.value_hashed.insert(reference as usize, 0)?;
        push(&mut members, reference)?;
    }
    close_over_hashes(pairs, depth, members, &mut findings)?;
    Ok(findings)
}

/// The classes whose instances will be hashed or compared by another function: those below an old
/// class, and those below a class in which the function itself is replaced.
fn rehashed_classes(pairs: &Pairs, findings: &Findings) -> Result<AddressMap> {
    let mut roots = AddressMap::default();
    for pair in &pairs.pairs {
        let (old, new) = (pair.old.as_ptr(), pair.new.as_ptr());
        // SAFETY: the pair owns both.
        unsafe {
            // A key of which the class cannot be hashed any more is to be found as well.
            if is_type(old)
                && is_type(new)
                && (_PyRemap_HasValueHash(old.cast()) != 0
                    || _PyRemap_HasIdentityHash(new.cast()) == 0)
            {
                roots.insert(old as usize, 0)?;
            }
        }
    }
    let mut holders = AddressMap::default();
    for &holder in &findings.holders {
        holders.insert(holder as usize, 0)?;
    }
    let mut functions = Functions {
        pairs,
        holders: &holders,
        parts: Vec::new(),
        children: Vec::new(),
    };
    for &class in &findings.types {
        // SAFETY: nothing has run since the walk.
        unsafe {
            let namespace = (*class).tp_dict;
            if namespace.is_null() {
                continue;
            }
            let names = [c"__hash__", c"__eq__"];
            let replaced = holders.contains(namespace as usize)
                && find_old_under(pairs, namespace, &names).is_some();
            if replaced
                || is_heap_type(class)
                    && _PyRemap_HasValueHash(class) != 0
                    && find_under(namespace, &names, |function| {
                        match functions.runs_changed(function) {
                            Ok(false) => None,
                            answer => Some(answer),
                        }
                    })
                    .transpose()?
                    .is_some()
            {
                roots.insert(class as usize, 0)?;
            }
        }
    }
    classes_below(&findings.types, &roots)
}

/// The classes that have one of the roots in their MRO.
fn classes_below(types: &[*mut PyTypeObject], roots: &AddressMap) -> Result<AddressMap> {
    let mut classes = AddressMap::default();
    if roots.is_empty() {
        return Ok(classes);
    }
    for &class in types {
        // SAFETY: nothing has run since the types were found; an MRO is a tuple.
        unsafe {
            let mro = (*class).tp_mro;
            if !mro.is_null()
                && (0..PyTuple_Size(mro))
                    .any(|at| roots.contains(PyTuple_GetItem(mro, at) as usize))
            {
                classes.insert(class as usize, 0)?;
            }
        }
    }
    Ok(classes)
}

/// The first pair whose old object has one of these names in a namespace.
///
/// # Safety
/// `namespace` is a living dict.
pub unsafe fn find_old_under(pairs: &Pairs, namespace: Object, names: &[&CStr]) -> Option<usize> {
    // SAFETY: by contract.
    unsafe { find_under(namespace, names, |value| pairs.find(value)) }
}

/// The first answer about an object that has one of these names in a namespace.
///
/// # Safety
/// `namespace` is a living dict, and `answer` does not change it.
unsafe fn find_under<T>(
    namespace: Object,
    names: &[&CStr],
    mut answer: impl FnMut(Object) -> Option<T>,
) -> Option<T> {
    let (mut position, mut name, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: by contract; the comparison is with an exact string, and runs no Python code.
    unsafe {
        while PyDict_Next(namespace, &mut position, &mut name, &mut value) != 0 {
            if is_exact(name, &raw mut PyUnicode_Type)
                && names
                    .iter()
                    .any(|text| PyUnicode_CompareWithASCIIString(name, text.as_ptr()) == 0)
                && let Some(found) = answer(value)
            {
                return Some(found);
            }
        }
    }
    None
}

/// Finds out whether a function will run something else: whether its code is replaced, a constant or
/// a default of it, or the function that a decorator has wrapped.
struct Functions<'a> {
    pairs: &'a Pairs,
    holders: &'a AddressMap,
    /// What the present function is made of: few objects.
    parts: Vec<Object>,
    children: Vec<Object>,
}

impl Functions<'_> {
    /// # Safety
    /// `function` is alive.
    unsafe fn runs_changed(&mut self, function: Object) -> Result<bool> {
        self.parts.clear();
        self.children.clear();
        push(&mut self.children, function)?;
        let mut at = 0;
        loop {
            while let Some(child) = self.children.pop() {
                // SAFETY: by contract; what is held is alive.
                unsafe {
                    // The globals of a module say nothing of one function.
                    if is_dict(child) {
                        continue;
                    }
                    if self.pairs.find(child).is_some() || self.holders.contains(child as usize) {
                        return Ok(true);
                    }
                    if _PyRemap_WrapsFunction(type_of(child)) != 0 && !self.parts.contains(&child) {
                        push(&mut self.parts, child)?;
                    }
                }
            }
            let Some(&part) = self.parts.get(at) else {
                return Ok(false);
            };
            at += 1;
            // SAFETY: as above; the visitor takes the list.
            unsafe {
                let constants = _PyRemap_CodeConstants(part);
                if constants.is_null() {
                    let arg = (&raw mut self.children).cast();
                    check(traverse(part, Some(collect), arg))?;
                } else {
                    push(&mut self.children, constants)?;
                }
            }
        }
    }
}

/// All heap types.
fn types(pairs: &Pairs) -> Result<Vec<*mut PyTypeObject>> {
    let mut types = Vec::new();
    let nothing = AddressMap::default();
    let filter = Filter::new(&nothing)?;
    Walk::new(pairs, &filter, Depth::Tracked, false).heap(|_, object, _| {
        // SAFETY: the walk hands over living objects.
        if unsafe { is_type(object) } {
            push(&mut types, object.cast())?;
        }
        Ok(())
    })?;
    Ok(types)
}

/// All instances of some classes.
fn instances(
    pairs: &Pairs,
    filter: &Filter<'_>,
    depth: Depth,
    types: &[*mut PyTypeObject],
    classes: &AddressMap,
) -> Result<Vec<Object>> {
    let mut found = Vec::new();
    let mut walk = Walk::new(pairs, filter, depth, false);
    walk.bare_classes = Some(classes);
    // SAFETY: nothing has run since the types were found.
    let bare = |&class: &*mut PyTypeObject| unsafe { !collects_instances(class) };
    if (types
        .iter()
        .filter(|class| classes.contains(**class as usize)))
    .any(bare)
    {
        walk.depth = Depth::Untracked;
    }
    walk.heap(|_, object, _| {
        // SAFETY: the walk hands over living objects.
        if classes.contains(unsafe { type_of(object) } as usize) {
            push(&mut found, object)?;
        }
        Ok(())
    })?;
    for instance in walk.bare_instances {
        push(&mut found, instance)?;
    }
    Ok(found)
}

/// Is it a tuple such as the compiler makes? One that has just been made is tracked.
///
/// # Safety
/// `object` is alive.
unsafe fn may_be_constant(object: Object) -> bool {
    // SAFETY: by contract; the items of a tuple are alive or NULL.
    unsafe {
        is_exact(object, &raw mut PyTuple_Type)
            && (0..PyTuple_Size(object)).all(|at| {
                let item = PyTuple_GetItem(object, at);
                !item.is_null() && (is_tuple(item) || !is_tracked(item))
            })
    }
}

/// Is code, which the collector does not know, hashed by one of these? No compiler makes such
/// constants: most often there is no such code.
fn constants_changed(value_hashed: &AddressMap) -> Result<bool> {
    let mut codes: Vec<Object> = Vec::new();
    // SAFETY: the visitor takes the list.
    check(unsafe { _PyRemap_VisitCodeWithObjects(Some(collect), (&raw mut codes).cast()) })?;
    for code in codes {
        // SAFETY: what the interpreter lists is alive, and nothing runs here.
        if unsafe { constants_hold(code, value_hashed)? } {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What [`Findings::constants`] says of a tuple: the constants of code, or a tuple in them, or both.
pub const CONSTANTS: u32 = 1;
pub const NESTED: u32 = 2;

fn note(known: &mut AddressMap, tuple: Object, what: u32) -> Result<()> {
    if let Some(before) = known.insert(tuple as usize, what)? {
        known.replace(tuple as usize, before | what);
    }
    Ok(())
}

/// Notes the tuple of the constants of a code object, and the tuples in it.
///
/// # Safety
/// `constants` is a tuple that is alive, and no Python code runs.
unsafe fn note_constants(known: &mut AddressMap, constants: Object) -> Result<()> {
    note(known, constants, CONSTANTS)?;
    // SAFETY: by contract; what is in a living tuple is alive.
    unsafe {
        for at in 0..PyTuple_Size(constants) {
            let item = PyTuple_GetItem(constants, at);
            if is_exact(item, &raw mut PyTuple_Type) {
                note(known, item, NESTED)?;
            }
        }
    }
    Ok(())
}

/// Is one of these among the constants of a code object, or in a tuple or a frozenset among them?
///
/// # Safety
/// `code` is a living code object.
unsafe fn constants_hold(code: Object, objects: &AddressMap) -> Result<bool> {
    let mut seen = AddressMap::default();
    // SAFETY: by contract; what is held is alive, and the visitor takes the list.
    unsafe {
        let mut pending = Vec::new();
        push(&mut pending, _PyRemap_CodeConstants(code))?;
        while let Some(constant) = pending.pop() {
            if objects.contains(constant as usize) {
                return Ok(true);
            }
            let nests = is_exact(constant, &raw mut PyTuple_Type)
                || is_exact(constant, &raw mut PyFrozenSet_Type);
            if nests && seen.insert(constant as usize, 0)?.is_none() {
                check(traverse(constant, Some(collect), (&raw mut pending).cast()))?;
            }
        }
    }
    Ok(false)
}

/// A visitor that takes a list of objects.
pub unsafe extern "C" fn collect(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is a list of objects, which nothing else uses meanwhile.
    unsafe { -c_int::from(push(&mut *arg.cast::<Vec<Object>>(), object).is_err()) }
}

/// The MROs and the bases of classes that nothing else refers to: no table has one as a key, and so
/// a class among the old objects costs no second walk.
fn tuples_of_classes(types: &[*mut PyTypeObject]) -> Result<AddressMap> {
    let mut owned = AddressMap::default();
    for &class in types {
        // SAFETY: nothing has run since the walk.
        unsafe {
            for tuple in [(*class).tp_mro, (*class).tp_bases] {
                if !tuple.is_null() && _PyRemap_RefCount(tuple) == 1 {
                    owned.insert(tuple as usize, 0)?;
                }
            }
        }
    }
    Ok(owned)
}

/// After so many walks, of which each finds one level of nesting or more, the levels are searched
/// for in one go.
const WALKS: usize = 2;

/// Adds all that is hashed by a member of `value_hashed`, at any depth, and finds its holders.
///
/// `members` are those that it has.
fn close_over_hashes(
    pairs: &Pairs,
    mut depth: Depth,
    mut members: Vec<Object>,
    findings: &mut Findings,
) -> Result<()> {
    let mut seen = AddressMap::default();
    if findings.value_hashed.is_empty() {
        return Ok(());
    }
    for &object in &findings.holders {
        seen.insert(object as usize, 0)?;
    }
    // What a walk of the tracked objects finds is tracked itself.
    // SAFETY: nothing has run since they were found.
    if members.iter().any(|&object| unsafe { !is_tracked(object) }) {
        depth = Depth::Untracked;
    }
    let mut edges = None;
    let mut types = findings.types.is_empty().then(Vec::new);
    for walks in 0.. {
        if walks >= WALKS {
            // No Python code runs in a scan: the edges stay as they are.
            let edges = match &edges {
                Some(edges) => edges,
                None => edges.insert(HashEdges::of_heap(pairs, depth)?),
            };
            edges.add_all_levels(&mut members, &mut findings.value_hashed)?;
        }
        // SAFETY: nothing has run since they were found.
        let unseen = |&object: &Object| unsafe { _PyRemap_MayBeHeldUnseen(object) != 0 };
        let held_unseen = members.iter().any(unseen);
        findings.weak.join(members, &mut findings.value_hashed)?;
        if depth == Depth::Tracked && (held_unseen || constants_changed(&findings.value_hashed)?) {
            depth = Depth::Untracked;
            edges = None;
        }
        let mut found = Vec::new();
        let filter = Filter::new(&findings.value_hashed)?;
        let mut walk = Walk::new(pairs, &filter, depth, false);
        walk.exempts = false;
        let touched = &mut findings.touched;
        let private = &mut findings.private_tuples;
        walk.heap(|walk, object, hit| {
            // SAFETY: the walk hands over living objects.
            let depends = unsafe {
                _PyRemap_HasValueHash(type_of(object)) != 0 && (hit || walk.attributes_hit(object))
            };
            // SAFETY: as above.
            if hit && unsafe { traverse_change_of(object) }.is_none() {
                let mut referents: Vec<Object> = Vec::new();
                let arg = (&raw mut referents).cast();
                // SAFETY: as above; the visitor takes the list.
                check(unsafe { traverse(object, Some(collect), arg) })?;
                for referent in referents {
                    // SAFETY: a referent is alive.
                    if unsafe { is_exact(referent, &raw mut PyTuple_Type) } {
                        private.insert(referent as usize, 0)?;
                    }
                }
            }
            if hit && seen.insert(object as usize, 0)?.is_none() {
                push(touched, object)?;
            }
            // SAFETY: as above.
            let is_type = unsafe { is_type(object) };
            if let Some(types) = types.as_mut().filter(|_| is_type) {
                push(types, object.cast())?;
            }
            if depends && !filter.contains(object as usize) {
                push(&mut found, object)?;
            }
            Ok(())
        })?;
        if let Some(types) = types.take() {
            findings.types = types;
        }
        for code in walk.changed_codes {
            if !filter.contains(code as usize) {
                push(&mut found, code)?;
            }
        }
        members = Vec::new();
        for object in found {
            if findings.value_hashed.insert(object as usize, 0)?.is_none() {
                push(&mut members, object)?;
            }
        }
        if members.is_empty() {
            break;
        }
    }
    Ok(())
}

/// All that is hashed by some objects, or by instances of some classes, with these, and its holders;
/// for when Python code has run.
///
/// The objects and the classes are alive.
pub fn hashed_by(
    pairs: &Pairs,
    mut objects: Vec<Object>,
    classes: &AddressMap,
) -> Result<Findings> {
    let mut findings = Findings::default();
    if !classes.is_empty() {
        findings.types = types(pairs)?;
        let classes = classes_below(&findings.types, classes)?;
        let nothing = AddressMap::default();
        let filter = Filter::new(&nothing)?;
        for instance in instances(pairs, &filter, Depth::Tracked, &findings.types, &classes)? {
            push(&mut objects, instance)?;
        }
    }
    for &object in &objects {
        findings.value_hashed.insert(object as usize, 0)?;
    }
    close_over_hashes(pairs, Depth::Tracked, objects, &mut findings)?;
    Ok(findings)
}

/// What is hashed by what, through references of its own: each pair is a referent and its holder,
/// in order of the referents.
struct HashEdges(Vec<(Object, Object)>);

impl HashEdges {
    /// Those between all objects that are hashed by value.
    fn of_heap(pairs: &Pairs, depth: Depth) -> Result<HashEdges> {
        let nowhere = AddressMap::default();
        let filter = Filter::new(&nowhere)?;
        let mut walk = Walk::new(pairs, &filter, depth, false);
        walk.exempts = false;
        let mut recorder = EdgeRecorder {
            edges: Vec::new(),
            holder: std::ptr::null_mut(),
        };
        walk.heap(|_, object, _| {
            // SAFETY: the walk hands over living objects; the visitor takes the recorder.
            unsafe {
                if _PyRemap_HasValueHash(type_of(object)) == 0 {
                    return Ok(());
                }
                recorder.holder = object;
                let arg = (&raw mut recorder).cast();
                check(traverse(object, Some(record_edge), arg))
            }
        })?;
        recorder.edges.sort_unstable();
        Ok(HashEdges(recorder.edges))
    }

    /// Adds what is hashed by `members`, at any depth: a linked list of tuples has as many levels
    /// as it has cells.
    fn add_all_levels(
        &self,
        members: &mut Vec<Object>,
        value_hashed: &mut AddressMap,
    ) -> Result<()> {
        let mut at = 0;
        while let Some(&member) = members.get(at) {
            at += 1;
            for holder in self.holders(member) {
                if value_hashed.insert(holder as usize, 0)?.is_none() {
                    push(members, holder)?;
                }
            }
        }
        Ok(())
    }

    fn holders(&self, referent: Object) -> impl Iterator<Item = Object> {
        let first = self.0.partition_point(|edge| edge.0 < referent);
        (self.0[first..].iter())
            .take_while(move |edge| edge.0 == referent)
            .map(|edge| edge.1)
    }
}

/// The argument of the visitor that records edges: those of one holder at a time.
struct EdgeRecorder {
    edges: Vec<(Object, Object)>,
    holder: Object,
}

unsafe extern "C" fn record_edge(referent: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the recorder, which nothing else uses during a traversal; a referent is
    // alive.
    unsafe {
        let recorder = &mut *arg.cast::<EdgeRecorder>();
        let kind = type_of(referent);
        // What has no references is hashed by nothing else.
        if (*kind).tp_traverse.is_none() || _PyRemap_HasValueHash(kind) == 0 {
            return 0;
        }
        let edge = (referent, recorder.holder);
        if push(&mut recorder.edges, edge).is_err() {
            -1
        } else {
            0
        }
    }
}

/// The walk is a chase through a linked list: have the next object on its way.
#[inline(always)]
fn prefetch(gc: *const PyGC_Head) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is a hint and nothing else.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(gc.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = gc;
}

struct Walk<'a> {
    pairs: &'a Pairs,
    filter: &'a Filter<'a>,
    depth: Depth,
    strings: bool,
    /// Did the object that is being traversed refer to one of the addresses?
    hit: bool,
    /// Untracked objects that were met and not traversed yet.
    pending: Vec<Object>,
    seen: AddressMap,
    bare_instances: Vec<Object>,
    /// Classes whose instances are looked for besides those of old classes.
    bare_classes: Option<&'a AddressMap>,
    /// Are exempt objects passed over?
    exempts: bool,
    /// Code objects with one of the addresses as their constants.
    changed_codes: Vec<Object>,
    /// All code objects that were met, if they are asked for.
    codes: Option<Vec<Object>>,
    string_keyed: Vec<Object>,
    /// The tuples of constants that were met, if they are asked for.
    constants: Option<AddressMap>,
    /// Containers that were looked into for the hash of an instance: [`HITS`] and so on.
    containers: AddressMap,
    search: Search,
    failed: bool,
}

impl<'a> Walk<'a> {
    fn new(pairs: &'a Pairs, filter: &'a Filter<'a>, depth: Depth, strings: bool) -> Self {
        Self {
            pairs,
            filter,
            depth,
            strings,
            hit: false,
            pending: Vec::new(),
            seen: AddressMap::default(),
            bare_instances: Vec::new(),
            bare_classes: None,
            exempts: true,
            changed_codes: Vec::new(),
            codes: None,
            string_keyed: Vec::new(),
            constants: None,
            containers: AddressMap::default(),
            search: Search::default(),
            failed: false,
        }
    }

    /// Calls `found` for each object, with whether it refers to one of the addresses.
    fn heap(&mut self, mut found: impl FnMut(&mut Self, Object, bool) -> Result<()>) -> Result<()> {
        let visit: visitproc = match self.depth {
            Depth::Tracked => Some(visit_tracked),
            Depth::Untracked => Some(visit_untracked),
        };
        if self.depth == Depth::Untracked {
            for (_, root) in ROOTS {
                // SAFETY: the adapter takes a `Walk`; nothing is written.
                check(unsafe { root(Some(adapt), (&raw mut *self).cast()) })?;
            }
            self.drain(visit, &mut found)?;
        }
        for index in 0.. {
            // SAFETY: the lists stay as they are while no Python code runs.
            let head = unsafe { _PyRemap_Generation(index) };
            if head.is_null() {
                break;
            }
            // SAFETY: a list of the collector is circular, and each header is followed by its
            // object; `visit` takes a `Walk`.
            unsafe {
                let mut gc = ((*head)._gc_next & !1) as *mut PyGC_Head;
                while gc != head {
                    let object: Object = gc.add(1).cast();
                    gc = ((*gc)._gc_next & !1) as *mut PyGC_Head;
                    prefetch(gc);
                    self.object(object, visit, &mut found)?;
                }
            }
        }
        self.check()
    }

    /// Visitors that ran out of memory have said so.
    fn check(&self) -> Result<()> {
        if self.failed { no_memory() } else { Ok(()) }
    }

    /// # Safety
    /// `object` is alive, and `visit` takes a `Walk`.
    #[inline(always)]
    unsafe fn object(
        &mut self,
        object: Object,
        visit: visitproc,
        found: &mut impl FnMut(&mut Self, Object, bool) -> Result<()>,
    ) -> Result<()> {
        self.hit = false;
        // SAFETY: by contract.
        unsafe { traverse(object, visit, (&raw mut *self).cast()) };
        if self.depth == Depth::Untracked {
            // SAFETY: by contract.
            unsafe { self.string_keys(object)? };
        }
        let hit = self.hit && !self.passes_over(object);
        found(self, object, hit)?;
        if self.depth == Depth::Untracked {
            self.drain(visit, found)?;
        }
        Ok(())
    }

    /// To be asked about an object that hits: the map may be large.
    fn passes_over(&self, object: Object) -> bool {
        self.exempts && self.pairs.exempt.contains(object as usize)
    }

    fn drain(
        &mut self,
        visit: visitproc,
        found: &mut impl FnMut(&mut Self, Object, bool) -> Result<()>,
    ) -> Result<()> {
        while let Some(object) = self.pending.pop() {
            self.hit = false;
            // SAFETY: what was met is held by what is alive.
            unsafe {
                let constants = _PyRemap_CodeConstants(object);
                if constants.is_null() {
                    traverse(object, visit, (&raw mut *self).cast());
                    self.string_keys(object)?;
                    let hit = self.hit && !self.passes_over(object);
                    found(self, object, hit)?;
                } else {
                    if let Some(known) = &mut self.constants {
                        note_constants(known, constants)?;
                    }
                    if let Some(codes) = &mut self.codes {
                        push(codes, object)?;
                    }
                    if self.filter.contains(constants as usize) {
                        push(&mut self.changed_codes, object)?;
                    }
                    self.meet(constants);
                }
            }
        }
        self.check()
    }

    /// # Safety
    /// `object` is alive.
    unsafe fn string_keys(&mut self, object: Object) -> Result<()> {
        // SAFETY: by contract; the adapter takes a `Walk`.
        unsafe {
            if !self.strings || !is_dict(object) || self.pairs.exempt.contains(object as usize) {
                return Ok(());
            }
            let hit = std::mem::replace(&mut self.hit, false);
            _PyDict_VisitStringKeys(object, Some(visit_untracked), (&raw mut *self).cast());
            if self.hit {
                push(&mut self.string_keyed, object)?;
            }
            self.hit = hit;
        }
        Ok(())
    }

    /// An edge to something that the collector does not track.
    ///
    /// # Safety
    /// `object` is alive.
    unsafe fn meet(&mut self, object: Object) {
        // SAFETY: by contract.
        let (container, bare) = unsafe {
            let kind = type_of(object);
            let container = (is_exact(object, &raw mut PyTuple_Type)
                || is_exact(object, &raw mut PyDict_Type)
                || is_exact(object, &raw mut PyContextVar_Type))
                && !is_tracked(object)
                || !_PyRemap_CodeConstants(object).is_null()
                || !collects_instances(kind)
                    && (*kind).tp_traverse.is_some()
                    && traverse_change_of(object).is_some();
            let bare = !collects_instances(kind)
                && (self.pairs.find(kind.cast()).is_some()
                    || (self.bare_classes).is_some_and(|classes| classes.contains(kind as usize)));
            (container, bare)
        };
        if !container && !bare {
            return;
        }
        match self.seen.insert(object as usize, 0) {
            Ok(Some(_)) => {}
            Ok(None) => {
                let list = if container {
                    &mut self.pending
                } else {
                    &mut self.bare_instances
                };
                self.failed |= push(list, object).is_err();
            }
            Err(Raised) => self.failed = true,
        }
    }

    /// Does the hash of a holder depend on more than its identity, now or after the change?
    ///
    /// # Safety
    /// `object` is alive.
    unsafe fn hash_depends(&self, object: Object) -> bool {
        // SAFETY: by contract; the pair owns the new type.
        unsafe {
            let kind = type_of(object);
            if _PyRemap_HasValueHash(kind) != 0 {
                return true;
            }
            match self.pairs.find(kind.cast()) {
                Some(index) => {
                    let new = self.pairs.pairs[index].new.as_ptr();
                    is_type(new) && _PyRemap_HasIdentityHash(new.cast()) == 0
                }
                None => false,
            }
        }
    }

    /// A `__hash__` written in Python may look into the `__dict__` of its instance, which is an
    /// object of its own, and into lists and other objects without a hash that the instance holds:
    /// does one of them hit?
    ///
    /// # Safety
    /// `object` is alive.
    unsafe fn attributes_hit(&mut self, object: Object) -> bool {
        // SAFETY: by contract.
        unsafe {
            // What was being looked into when memory ran out has no answer.
            if self.failed || !is_heap_type(type_of(object)) {
                return false;
            }
            let dict = _PyRemap_InstanceDict(object);
            let mut search = std::mem::take(&mut self.search);
            let hit = self.containers_hit(object, dict, &mut search);
            self.search = search;
            hit.unwrap_or_else(|Raised| {
                self.failed = true;
                false
            })
        }
    }

    /// Is there a way from an object or its `__dict__`, through containers alone, to one that hits?
    /// Each container is looked into once in a walk.
    ///
    /// # Safety
    /// `object` is alive, and `dict` is its or NULL.
    unsafe fn containers_hit(
        &mut self,
        object: Object,
        dict: Object,
        search: &mut Search,
    ) -> Result<bool> {
        search.clear();
        // SAFETY: by contract.
        unsafe { contained(object, &mut search.children)? };
        if !dict.is_null() {
            push(&mut search.children, dict)?;
        }
        if search.children.is_empty() {
            return Ok(false);
        }
        search.add(object, 0)?;
        let mut at = 0;
        loop {
            while let Some(child) = search.children.pop() {
                let state = NEW + search.nodes.len() as u32;
                match self.containers.insert(child as usize, state)? {
                    Some(HITS) => search.nodes[at].hits = true,
                    Some(CLEAN) => {}
                    Some(state) => push(&mut search.ways, (state - NEW, at as u32))?,
                    None => {
                        push(&mut search.ways, (search.nodes.len() as u32, at as u32))?;
                        search.add(child, search.nodes[at].depth + 1)?;
                    }
                }
            }
            at += 1;
            let Some(&Node {
                container, depth, ..
            }) = search.nodes.get(at)
            else {
                break;
            };
            self.hit = false;
            // SAFETY: what an object holds is alive; the visitor takes a `Walk`.
            unsafe { traverse(container, Some(visit_tracked), (&raw mut *self).cast()) };
            search.nodes[at].hits = std::mem::replace(&mut self.hit, false);
            if !search.nodes[at].hits && depth < CONTAINER_DEPTH {
                // SAFETY: as above.
                unsafe { contained(container, &mut search.children)? };
            }
        }
        search.follow_back()?;
        for node in &search.nodes[1..] {
            let state = if node.hits { HITS } else { CLEAN };
            self.containers.replace(node.container as usize, state);
        }
        Ok(search.nodes[0].hits)
    }
}

/// A container from which a hit is reached.
const HITS: u32 = 0;
/// One from which none is reached.
const CLEAN: u32 = 1;
/// The first node of the search that is under way.
const NEW: u32 = 2;

/// How deep objects without a hash in others are looked into.
pub const CONTAINER_DEPTH: usize = 32;

/// A search through containers, which may hold each other in circles.
#[derive(Default)]
struct Search {
    nodes: Vec<Node>,
    /// A container and one that holds it.
    ways: Vec<(u32, u32)>,
    /// What the present node holds.
    children: Vec<Object>,
    /// Nodes that hit, of which the holders are not known to.
    pending: Vec<u32>,
}

struct Node {
    container: Object,
    depth: usize,
    hits: bool,
}

impl Search {
    fn clear(&mut self) {
        self.nodes.clear();
        self.ways.clear();
        self.children.clear();
        self.pending.clear();
    }

    fn add(&mut self, container: Object, depth: usize) -> Result<()> {
        let node = Node {
            container,
            depth,
            hits: false,
        };
        push(&mut self.nodes, node)
    }

    /// What holds a container that hits does so as well.
    fn follow_back(&mut self) -> Result<()> {
        self.ways.sort_unstable();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.hits {
                push(&mut self.pending, index as u32)?;
            }
        }
        while let Some(index) = self.pending.pop() {
            let first = self.ways.partition_point(|way| way.0 < index);
            for &(_, holder) in self.ways[first..].iter().take_while(|way| way.0 == index) {
                let node = &mut self.nodes[holder as usize];
                if !std::mem::replace(&mut node.hits, true) {
                    push(&mut self.pending, holder)?;
                }
            }
        }
        Ok(())
    }
}

/// Lists the containers that an object holds.
///
/// # Safety
/// `object` is alive.
unsafe fn contained(object: Object, containers: &mut Vec<Object>) -> Result<()> {
    let arg = (&raw mut *containers).cast();
    // SAFETY: by contract; the visitor takes the list.
    check(unsafe { traverse(object, Some(collect_containers), arg) })
}

unsafe extern "C" fn collect_containers(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the list of `contained`; a referent is alive.
    unsafe {
        let containers = &mut *arg.cast::<Vec<Object>>();
        if is_tuple(object) {
            // A tuple of what has a hash has one itself, and is found by that.
            for item in containers_in(object) {
                if push(containers, item).is_err() {
                    return -1;
                }
            }
        } else if is_container(object) && push(containers, object).is_err() {
            return -1;
        }
    }
    0
}

unsafe extern "C" fn visit_tracked(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the `Walk`, which nothing else uses during a traversal.
    let walk = unsafe { &mut *arg.cast::<Walk<'_>>() };
    if walk.filter.contains(object as usize) {
        walk.hit = true;
        return 1;
    }
    0
}

unsafe extern "C" fn visit_untracked(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: as above; a referent is alive.
    unsafe {
        let walk = &mut *arg.cast::<Walk<'_>>();
        walk.hit |= walk.filter.contains(object as usize);
        walk.meet(object);
    }
    0
}

unsafe extern "C" fn adapt(
    object: Object,
    _change: changeproc,
    _slot: *mut c_void,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: as above.
    unsafe { visit_untracked(object, arg) }
}
