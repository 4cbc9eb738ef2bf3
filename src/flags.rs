//! Flags of classes that are derived from what is replaced.
//!
//! * That a class is a sequence or a mapping for a `match` statement: `ABC.register()` gives it the
//!   flag of the ABC (`_abc__abc_register_impl`, Modules/_abc.c). The registry's weak reference goes
//!   over to what replaces the class, and so does the flag.
//! * That a class is abstract: assigning `__abstractmethods__` derives it from the value
//!   (`type_set_abstractmethods`, Objects/typeobject.c).
//! * That instances of a class are called by a vectorcall: `update_one_slot()` in
//!   Objects/typeobject.c takes the flag away when `__call__` changes, and gives it to none.
//!
//! Invariant: [`Flags::undo`] sets each flag as it was when it was planned, also before
//! [`Flags::apply`].

use crate::ffi::*;
use crate::pairs::Pairs;
use crate::scan::find_old_under;

const COLLECTION: u64 = (1 << 5) | (1 << 6);
const IMMUTABLE: u64 = 1 << 8;
const ABSTRACT: u64 = 1 << 20;
const VECTORCALL: u64 = 1 << 11;

struct Change {
    class: Owned,
    mask: u64,
    before: u64,
    after: u64,
}

/// What will be changed.
#[derive(Default)]
pub struct Flags(Vec<Change>);

impl Flags {
    /// `types` are all classes, `namespaces` those whose namespace changes. Runs no Python code.
    pub fn plan(pairs: &Pairs, types: &[*mut PyTypeObject], namespaces: &[Owned]) -> Result<Self> {
        let mut flags = Self::default();
        let mut registered = Vec::new();
        for pair in &pairs.pairs {
            let (old, new) = (pair.old.as_ptr(), pair.new.as_ptr());
            // SAFETY: the pair owns both.
            unsafe {
                if is_type(old) && is_type(new) {
                    let flag = registered_as(old.cast());
                    if flag != 0 {
                        flags.change(old.cast(), COLLECTION, 0)?;
                        push(&mut registered, (new.cast::<PyTypeObject>(), flag))?;
                    }
                }
            }
        }
        for (new, flag) in registered {
            flags.change(new, COLLECTION, flag)?;
            if pairs.find(new.cast()).is_some() {
                continue; // its subclasses will not be
            }
            for &class in types {
                // SAFETY: no Python code has run since the scan.
                if class != new && unsafe { has_in_mro(class, new) } {
                    flags.change(class, COLLECTION, flag)?;
                }
            }
        }
        for class in namespaces {
            let class = class.as_ptr().cast();
            // SAFETY: the plan owns the class.
            if let Some(is_abstract) = unsafe { becomes_abstract(pairs, class) } {
                flags.change(class, ABSTRACT, if is_abstract { ABSTRACT } else { 0 })?;
            }
            // SAFETY: as above.
            if unsafe { find_old_under(pairs, (*class).tp_dict, &[c"__call__"]) }.is_some() {
                flags.save_vectorcall(types, class)?;
            }
        }
        Ok(flags)
    }

    fn change(&mut self, class: *mut PyTypeObject, mask: u64, after: u64) -> Result<()> {
        // SAFETY: a living class.
        let flags = unsafe { (*class).tp_flags };
        if !is_mutable(flags) {
            return Ok(());
        }
        let class = Owned::of(class.cast());
        let before = flags & mask;
        let change = Change {
            class,
            mask,
            before,
            after,
        };
        push(&mut self.0, change)
    }

    /// The flags of a class and its subclasses, to be put back.
    fn save_vectorcall(
        &mut self,
        types: &[*mut PyTypeObject],
        base: *mut PyTypeObject,
    ) -> Result<()> {
        for &class in types {
            // SAFETY: no Python code has run since the scan.
            let (flags, inherits) = unsafe { ((*class).tp_flags, has_in_mro(class, base)) };
            if inherits && flags & VECTORCALL != 0 {
                self.change(class, VECTORCALL, VECTORCALL)?;
            }
        }
        Ok(())
    }

    pub fn apply(&self) {
        for change in &self.0 {
            change.set(change.after);
        }
    }

    pub fn undo(&self) {
        for change in &self.0 {
            change.set(change.before);
        }
    }
}

impl Change {
    fn set(&self, flags: u64) {
        // SAFETY: the class is owned, and mutable.
        unsafe { _PyType_SetFlags(self.class.as_ptr().cast(), self.mask, flags) };
    }
}

fn is_mutable(flags: u64) -> bool {
    flags & HEAPTYPE != 0 && flags & IMMUTABLE == 0
}

/// The flag that a class has, and none that it inherits from.
///
/// # Safety
/// `class` is alive.
unsafe fn registered_as(class: *mut PyTypeObject) -> u64 {
    // SAFETY: by contract; an MRO is a tuple, but need not hold classes alone.
    unsafe {
        let flags = (*class).tp_flags;
        let mro = (*class).tp_mro;
        if flags & COLLECTION == 0 || !is_mutable(flags) || mro.is_null() {
            return 0;
        }
        let inherited = (0..PyTuple_Size(mro)).any(|at| {
            let base = PyTuple_GetItem(mro, at);
            base != class.cast()
                && is_type(base)
                && (*base.cast::<PyTypeObject>()).tp_flags & COLLECTION != 0
        });
        if inherited { 0 } else { flags & COLLECTION }
    }
}

/// # Safety
/// `class` is alive.
unsafe fn has_in_mro(class: *mut PyTypeObject, base: *mut PyTypeObject) -> bool {
    // SAFETY: by contract; an MRO is a tuple.
    unsafe {
        let mro = (*class).tp_mro;
        !mro.is_null()
            && (0..PyTuple_Size(mro)).any(|at| PyTuple_GetItem(mro, at) == base.cast::<PyObject>())
    }
}

/// Whether the class is abstract by what replaces its `__abstractmethods__`. `None` if that stays,
/// or if only Python code could say: then the flag stays as well.
///
/// # Safety
/// `class` is alive.
unsafe fn becomes_abstract(pairs: &Pairs, class: *mut PyTypeObject) -> Option<bool> {
    // SAFETY: by contract; what is asked for its truth value is one of the interpreter's own
    // containers: no Python code runs.
    unsafe {
        let pair = find_old_under(pairs, (*class).tp_dict, &[c"__abstractmethods__"])?;
        let new = pairs.pairs[pair].new.as_ptr();
        let containers = [
            &raw mut PyFrozenSet_Type,
            &raw mut PySet_Type,
            &raw mut PyTuple_Type,
            &raw mut PyList_Type,
            &raw mut PyDict_Type,
        ];
        let known = containers.into_iter().any(|kind| is_exact(new, kind));
        known.then(|| PyObject_IsTrue(new) == 1)
    }
}
