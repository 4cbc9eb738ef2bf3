//! The argument of `gc.remap`: pairs of an old object and its replacement.
//!
//! Invariant of [`Pairs`]: each old object has one replacement, which is another object.

use std::ffi::{c_int, c_void};

use crate::addresses::AddressMap;
use crate::ffi::*;

pub struct Pair {
    pub old: Owned,
    pub new: Owned,
}

pub struct Pairs {
    /// One for each old object that is to be replaced.
    pub pairs: Vec<Pair>,
    /// Old object to its index in `pairs`.
    pub index: AddressMap,
    /// For each pair that was passed in, its index in `pairs`; `None` for an object and itself.
    pub passed: Vec<Option<u32>>,
    /// The replacements.
    replacements: AddressMap,
    /// Objects that were passed in as their own replacement.
    unchanged: AddressMap,
    /// Pairs that give an object a second replacement.
    pub conflicts: Vec<Pair>,
    /// The mapping and the pairs that were passed in: what they hold are not references.
    pub exempt: AddressMap,
    /// For each of `pairs`, the references that exempt objects hold to the old object.
    pub exempt_references: Vec<isize>,
    /// For each of `pairs`, the references that the pairs themselves hold to the old object.
    pub engine_references: Vec<isize>,
    exempt_objects: Vec<Owned>,
    /// The argument, which is the first of them, is a dict.
    argument_is_dict: bool,
}

impl Pairs {
    /// Reads a mapping or an iterable of pairs. May run Python code.
    pub fn parse(argument: Object) -> Result<Self> {
        let mut this = Self {
            pairs: Vec::new(),
            index: AddressMap::default(),
            passed: Vec::new(),
            replacements: AddressMap::default(),
            unchanged: AddressMap::default(),
            conflicts: Vec::new(),
            exempt: AddressMap::default(),
            exempt_references: Vec::new(),
            engine_references: Vec::new(),
            exempt_objects: Vec::new(),
            // SAFETY: `argument` is an argument of the running call, so it is alive.
            argument_is_dict: unsafe { is_dict(argument) },
        };
        this.exempt(argument)?;
        // SAFETY: as above.
        let is_mapping = unsafe {
            let keys = PyObject_HasAttrStringWithError(argument, c"keys".as_ptr());
            check(keys)?;
            keys > 0 && PyMapping_Check(argument) != 0
        };
        if is_mapping {
            // SAFETY: as above.
            let items = Owned::from_new(unsafe { PyMapping_Items(argument) })?;
            this.read_pairs(items.as_ptr(), false)?;
        } else {
            this.read_pairs(argument, true)?;
        }
        if this.pairs.len() >= u32::MAX as usize {
            return no_memory();
        }
        this.count_own_references()?;
        Ok(this)
    }

    /// Takes out the pairs of these old objects.
    pub fn remove(&mut self, old: &AddressMap) -> Result<()> {
        self.passed = Vec::new();
        self.index = AddressMap::default();
        self.replacements = AddressMap::default();
        for pair in std::mem::take(&mut self.pairs) {
            if !old.contains(pair.old.as_ptr() as usize) {
                self.add(pair)?;
            }
        }
        self.count_own_references()
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The index of the pair whose old object this is.
    pub fn find(&self, object: Object) -> Option<usize> {
        self.index.get(object as usize).map(|index| index as usize)
    }

    /// Will this be replaced, and replace nothing itself?
    pub fn is_on_its_way_out(&self, object: Object) -> bool {
        self.find(object).is_some() && !self.replacements.contains(object as usize)
    }

    fn exempt(&mut self, object: Object) -> Result<()> {
        if self.exempt.insert(object as usize, 0)?.is_none() {
            push(&mut self.exempt_objects, Owned::of(object))?;
        }
        Ok(())
    }

    fn read_pairs(&mut self, iterable: Object, passed_in: bool) -> Result<()> {
        // SAFETY: `iterable` is alive; every new reference is owned at once.
        let iterator = match Owned::from_new(unsafe { PyObject_GetIter(iterable) }) {
            Ok(iterator) => iterator,
            Err(Raised) => {
                // SAFETY: an exception is set; the class is a static of the interpreter.
                return unsafe {
                    if PyErr_ExceptionMatches(PyExc_TypeError) == 0 {
                        return Err(Raised);
                    }
                    raise(
                        PyExc_TypeError,
                        c"gc.remap() takes a mapping or an iterable of (old, new) pairs",
                    )
                };
            }
        };
        loop {
            // SAFETY: the iterator is owned.
            let Ok(item) = Owned::from_new(unsafe { PyIter_Next(iterator.as_ptr()) }) else {
                // SAFETY: nothing is passed.
                return if unsafe { PyErr_Occurred() }.is_null() {
                    Ok(())
                } else {
                    Err(Raised)
                };
            };
            // SAFETY: `item` is owned.
            let fields = unsafe {
                if !is_tuple_or_list(item.as_ptr()) {
                    return raise(
                        PyExc_TypeError,
                        c"gc.remap() takes (old, new) pairs: tuples or lists of two objects",
                    );
                }
                Owned::from_new(PySequence_Tuple(item.as_ptr()))?
            };
            // SAFETY: `fields` is an owned tuple; its items are borrowed from it.
            let pair = unsafe {
                if PyTuple_Size(fields.as_ptr()) != 2 {
                    return raise(
                        PyExc_ValueError,
                        c"gc.remap() takes (old, new) pairs: tuples or lists of two objects",
                    );
                }
                Pair {
                    old: Owned::of(PyTuple_GetItem(fields.as_ptr(), 0)),
                    new: Owned::of(PyTuple_GetItem(fields.as_ptr(), 1)),
                }
            };
            drop(fields);
            self.add(pair)?;
            if passed_in {
                self.exempt(item.as_ptr())?;
            }
        }
    }

    fn add(&mut self, pair: Pair) -> Result<()> {
        let (old, new) = (pair.old.as_ptr(), pair.new.as_ptr());
        let known = self.find(old);
        let consistent = match known {
            Some(known) => self.pairs[known].new.as_ptr() == new,
            None => old == new || !self.unchanged.contains(old as usize),
        };
        if !consistent {
            return push(&mut self.conflicts, pair);
        }
        if let Some(known) = known {
            return push(&mut self.passed, Some(known as u32));
        }
        if old == new {
            self.unchanged.insert(old as usize, 0)?;
            return push(&mut self.passed, None);
        }
        let next = self.pairs.len() as u32;
        self.index.insert(old as usize, next)?;
        self.replacements.insert(new as usize, 0)?;
        push(&mut self.passed, Some(next))?;
        push(&mut self.pairs, pair)
    }

    fn count_own_references(&mut self) -> Result<()> {
        let mut counter = Counter::new(&self.index)?;
        for pair in &self.pairs {
            counter.count(pair.old.as_ptr());
            counter.count(pair.new.as_ptr());
        }
        self.engine_references = counter.counts;

        let mut counter = Counter::new(&self.index)?;
        let arg = (&raw mut counter).cast();
        for (position, object) in self.exempt_objects.iter().enumerate() {
            // SAFETY: the objects are owned, and the visitors take a `Counter`.
            unsafe {
                traverse(object.as_ptr(), Some(count_reference), arg);
                if position == 0 && self.argument_is_dict {
                    _PyDict_VisitStringKeys(object.as_ptr(), Some(count_reference), arg);
                }
            }
        }
        self.exempt_references = counter.counts;
        Ok(())
    }
}

struct Counter<'a> {
    index: &'a AddressMap,
    counts: Vec<isize>,
}

impl<'a> Counter<'a> {
    fn new(index: &'a AddressMap) -> Result<Self> {
        let mut counts = Vec::new();
        if counts.try_reserve_exact(index.len()).is_err() {
            return no_memory();
        }
        counts.resize(index.len(), 0);
        Ok(Self { index, counts })
    }

    fn count(&mut self, object: Object) {
        if let Some(index) = self.index.get(object as usize) {
            self.counts[index as usize] += 1;
        }
    }
}

unsafe extern "C" fn count_reference(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the `Counter` of `count_own_references`.
    unsafe { &mut *arg.cast::<Counter<'_>>() }.count(object);
    0
}
