//! The C side: generated bindings, owned references, and exceptions as results.
//!
//! Everything that the engine asks of the interpreter goes through here. The structs that it looks
//! into are compared with the C compiler's view of them by [`check_layout`] before each run.

use std::ffi::CStr;
use std::mem::{offset_of, size_of};
use std::ptr::NonNull;

#[allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    unnecessary_transmutes,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    unsafe_op_in_unsafe_fn
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
pub use bindings::*;

/// An object of which no reference is owned.
pub type Object = *mut PyObject;

/// A Python exception has been set.
#[derive(Debug)]
pub struct Raised;

pub type Result<T> = std::result::Result<T, Raised>;

const TYPE_SUBCLASS: u64 = 1 << 31;
const DICT_SUBCLASS: u64 = 1 << 29;
const LIST_SUBCLASS: u64 = 1 << 25;
const TUPLE_SUBCLASS: u64 = 1 << 26;
const HAVE_GC: u64 = 1 << 14;
pub const HEAPTYPE: u64 = 1 << 9;
pub const IMMUTABLETYPE: u64 = 1 << 8;
const HAVE_TRAVERSE_CHANGE: u64 = 1 << 21;

/// An owned reference.
pub struct Owned(NonNull<PyObject>);

impl Owned {
    /// Takes over a new reference, as C functions return it: NULL means that an exception is set.
    pub fn from_new(object: Object) -> Result<Self> {
        NonNull::new(object).map(Self).ok_or(Raised)
    }

    /// Makes a reference of its own to an object that is alive.
    pub fn new(object: NonNull<PyObject>) -> Self {
        // SAFETY: the caller holds or borrows a reference, so the object is alive.
        unsafe { Py_IncRef(object.as_ptr()) };
        Self(object)
    }

    /// Like [`Owned::new`] for a pointer that is not NULL.
    pub fn of(object: Object) -> Self {
        Self::new(NonNull::new(object).expect("an object, not NULL"))
    }

    pub fn as_ptr(&self) -> Object {
        self.0.as_ptr()
    }

    pub fn into_ptr(self) -> Object {
        let object = self.as_ptr();
        std::mem::forget(self);
        object
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the reference is owned.
        unsafe { Py_DecRef(self.as_ptr()) };
    }
}

pub fn no_memory<T>() -> Result<T> {
    // SAFETY: called with the GIL held, as everything here. Unit tests have no interpreter.
    #[cfg(not(test))]
    unsafe {
        PyErr_NoMemory();
    }
    Err(Raised)
}

/// Appends, or raises `MemoryError`: no allocation of the engine aborts.
pub fn push<T>(list: &mut Vec<T>, item: T) -> Result<()> {
    if list.try_reserve(1).is_err() {
        return no_memory();
    }
    list.push(item);
    Ok(())
}

/// Turns the status of a C function into a result.
pub fn check(status: std::ffi::c_int) -> Result<()> {
    if status < 0 { Err(Raised) } else { Ok(()) }
}

pub fn raise<T>(kind: Object, message: &CStr) -> Result<T> {
    // SAFETY: `kind` is an exception class of the interpreter.
    unsafe { PyErr_SetString(kind, message.as_ptr()) };
    Err(Raised)
}

/// # Safety
/// `object` is alive.
pub unsafe fn type_of(object: Object) -> *mut PyTypeObject {
    // SAFETY: by contract.
    unsafe { (*object).ob_type }
}

/// # Safety
/// `object` is alive.
unsafe fn has_feature(object: Object, feature: u64) -> bool {
    // SAFETY: the type of a living object is alive.
    unsafe { (*type_of(object)).tp_flags & feature != 0 }
}

/// # Safety
/// `object` is alive, here and below.
pub unsafe fn is_type(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe { has_feature(object, TYPE_SUBCLASS) }
}

/// # Safety
/// See [`is_type`].
pub unsafe fn is_dict(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe { has_feature(object, DICT_SUBCLASS) }
}

/// # Safety
/// See [`is_type`].
pub unsafe fn is_tuple(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe { has_feature(object, TUPLE_SUBCLASS) }
}

/// # Safety
/// See [`is_type`].
pub unsafe fn is_tuple_or_list(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe { has_feature(object, TUPLE_SUBCLASS | LIST_SUBCLASS) }
}

/// # Safety
/// See [`is_type`].
pub unsafe fn is_exact(object: Object, kind: *mut PyTypeObject) -> bool {
    // SAFETY: by contract.
    unsafe { type_of(object) == kind }
}

/// Is it an object that has no hash, as lists, dicts, sets and deques, and instances of most data
/// classes?
///
/// # Safety
/// See [`is_type`].
unsafe fn is_unhashable(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe { _PyRemap_HasNoHash(type_of(object)) != 0 }
}

/// May a `__hash__` look into it, although it has none of its own that says so?
///
/// # Safety
/// See [`is_type`].
pub unsafe fn is_container(object: Object) -> bool {
    // SAFETY: by contract.
    unsafe { is_unhashable(object) || is_exact(object, &raw mut PyDictProxy_Type) }
}

/// The containers that a tuple holds, as [`is_container`] has it.
///
/// # Safety
/// `tuple` is a tuple, which stays alive and as it is meanwhile.
pub unsafe fn containers_in(tuple: Object) -> impl Iterator<Item = Object> {
    // SAFETY: by contract.
    let size = unsafe { PyTuple_Size(tuple) };
    // SAFETY: by contract; a tuple that is being built has empty places.
    let items = (0..size).map(move |at| unsafe { PyTuple_GetItem(tuple, at) });
    // SAFETY: what a tuple holds is alive.
    items.filter(|&item| !item.is_null() && unsafe { is_container(item) })
}

/// # Safety
/// `kind` is alive.
pub unsafe fn is_heap_type(kind: *mut PyTypeObject) -> bool {
    // SAFETY: by contract.
    unsafe { (*kind).tp_flags & HEAPTYPE != 0 }
}

/// Is this a type whose instances the collector knows?
///
/// # Safety
/// `kind` is alive.
pub unsafe fn collects_instances(kind: *mut PyTypeObject) -> bool {
    // SAFETY: by contract.
    unsafe { (*kind).tp_flags & HAVE_GC != 0 }
}

/// # Safety
/// See [`is_type`].
pub unsafe fn is_tracked(object: Object) -> bool {
    // SAFETY: by contract; only objects with a collector's header are asked.
    unsafe { collects_instances(type_of(object)) && PyObject_GC_IsTracked(object) != 0 }
}

/// The type's `tp_traverse_change`, if it has one.
///
/// # Safety
/// `object` is alive.
pub unsafe fn traverse_change_of(object: Object) -> traversechangeproc {
    // SAFETY: by contract; the field is valid behind its flag.
    unsafe {
        let kind = type_of(object);
        if (*kind).tp_flags & HAVE_TRAVERSE_CHANGE != 0 {
            (*kind).tp_traverse_change
        } else {
            None
        }
    }
}

/// Calls `tp_traverse`; returns what the visitor that stopped it returned, or 0.
///
/// # Safety
/// `object` is alive, and `visit` may be called with `arg`.
pub unsafe fn traverse(
    object: Object,
    visit: visitproc,
    arg: *mut std::ffi::c_void,
) -> std::ffi::c_int {
    // SAFETY: by contract.
    unsafe {
        match (*type_of(object)).tp_traverse {
            Some(traverse) => traverse(object, visit, arg),
            None => 0,
        }
    }
}

/// Raises `SystemError` if bindgen and the C compiler disagree about a struct.
pub fn check_layout() -> Result<()> {
    let here = [
        size_of::<PyObject>(),
        0,
        offset_of!(PyObject, ob_type),
        size_of::<PyGC_Head>(),
        offset_of!(PyGC_Head, _gc_next),
        size_of::<PyTypeObject>(),
        offset_of!(PyTypeObject, tp_flags),
        offset_of!(PyTypeObject, tp_traverse),
        offset_of!(PyTypeObject, tp_dict),
        offset_of!(PyTypeObject, tp_bases),
        offset_of!(PyTypeObject, tp_mro),
        offset_of!(PyTypeObject, tp_traverse_change),
        size_of::<PyChangeField>(),
        size_of::<_PyChangeContext>(),
        offset_of!(_PyChangeContext, report_collision),
    ];
    // SAFETY: the array of the interpreter has the same number of members, in the same order.
    let there = unsafe { std::slice::from_raw_parts(_PyRemap_layout.as_ptr(), here.len()) };
    if here == there {
        return Ok(());
    }
    // SAFETY: the exception classes are initialised before any code runs.
    let kind = unsafe { PyExc_SystemError };
    raise(kind, c"gc.remap() was built for another layout of objects")
}
