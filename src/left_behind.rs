//! References that remain: how many there are, and who is known to hold them.
//!
//! Their number is what the reference count says, less what can be changed. Of some the plan meets
//! the holder: an object without `tp_traverse_change`, a field that keeps what it has. The others
//! are in the memory of C code.

use std::ffi::{CStr, c_int, c_void};

use crate::ffi::*;
use crate::pairs::Pairs;

/// More are not described for one pair.
const DESCRIBED: usize = 10;

/// Where a reference is.
#[derive(Clone, Copy)]
pub enum Place {
    Object(Object),
    /// Not in an object: what it is called.
    Root(&'static CStr),
}

impl Place {
    /// As C functions take it: the object or NULL, and the name.
    pub fn for_c(self) -> (Object, *const std::ffi::c_char) {
        match self {
            Self::Object(object) => (object, std::ptr::null()),
            Self::Root(name) => (std::ptr::null_mut(), name.as_ptr()),
        }
    }
}

/// The known holders of references to one old object.
#[derive(Default)]
struct Known {
    references: isize,
    holders: usize,
    /// The first that a program may have; borrowed, valid while no Python code runs.
    first: Option<Object>,
    last: Option<Object>,
    texts: Vec<Owned>,
}

/// The holders that the plan met, for each pair.
pub struct Holders<'a> {
    pairs: &'a Pairs,
    known: Vec<Known>,
}

impl<'a> Holders<'a> {
    pub fn new(pairs: &'a Pairs) -> Result<Self> {
        let mut known = Vec::new();
        for _ in 0..pairs.len() {
            push(&mut known, Known::default())?;
        }
        Ok(Self { pairs, known })
    }

    /// One reference remains. `field` is NULL if it is not known which one it is.
    pub fn add(&mut self, pair: usize, place: Place, field: *mut PyChangeField) -> Result<()> {
        if let Place::Object(holder) = place {
            self.known[pair].first.get_or_insert(holder);
        }
        self.describe(pair, place, field)
    }

    fn describe(&mut self, pair: usize, place: Place, field: *mut PyChangeField) -> Result<()> {
        let known = &mut self.known[pair];
        known.references += 1;
        let (object, root) = place.for_c();
        if field.is_null() && known.last == Some(object) {
            return Ok(());
        }
        known.last = Some(object);
        known.holders += 1;
        if known.texts.len() < DESCRIBED {
            // SAFETY: the holder is alive, and the field is one of the running traversal.
            let text = unsafe { _PyRemap_DescribeHolder(object, root, field) };
            push(&mut known.texts, Owned::from_new(text)?)?;
        }
        Ok(())
    }

    /// An object keeps all that it refers to. A private one is not for a program to have.
    pub fn add_all(&mut self, holder: Object, private: bool) -> Result<()> {
        let mut visitor = Visitor {
            holders: self,
            holder,
            private,
            failed: false,
        };
        // SAFETY: the holder is alive; the function takes the visitor.
        unsafe { traverse(holder, Some(add_reference), (&raw mut visitor).cast()) };
        if visitor.failed { Err(Raised) } else { Ok(()) }
    }

    /// The texts for a pair of which so many references remain: a tuple.
    fn texts(&mut self, pair: usize, left: isize) -> Result<Owned> {
        let known = std::mem::take(&mut self.known[pair]);
        // SAFETY: every new object is owned; the list is not shared.
        unsafe {
            let texts = Owned::from_new(PyList_New(0))?;
            if left > 0 {
                let described = known.texts.len();
                for text in known.texts {
                    check(PyList_Append(texts.as_ptr(), text.as_ptr()))?;
                }
                let unknown = left - known.references;
                for (count, format) in [
                    ((known.holders - described) as isize, c"%zd more objects"),
                    (unknown, c"C code or extension memory (%zd)"),
                ] {
                    if count > 0 {
                        let text = PyUnicode_FromFormat(format.as_ptr(), count);
                        let text = Owned::from_new(text)?;
                        check(PyList_Append(texts.as_ptr(), text.as_ptr()))?;
                    }
                }
            }
            Owned::from_new(PySequence_Tuple(texts.as_ptr()))
        }
    }

    /// For each pair the first known holder that a program may have, or NULL. Borrowed.
    pub fn first(&self) -> Result<Vec<Object>> {
        let mut first = Vec::new();
        for known in &self.known {
            push(&mut first, known.first.unwrap_or(std::ptr::null_mut()))?;
        }
        Ok(first)
    }

    pub fn finish(mut self, counts: Vec<isize>) -> Result<LeftBehind> {
        let mut texts = Vec::new();
        for (pair, &left) in counts.iter().enumerate() {
            push(&mut texts, self.texts(pair, left)?)?;
        }
        Ok(LeftBehind { counts, texts })
    }
}

struct Visitor<'a, 'b> {
    holders: &'a mut Holders<'b>,
    holder: Object,
    private: bool,
    failed: bool,
}

unsafe extern "C" fn add_reference(object: Object, arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the visitor of `add_all`.
    let visitor = unsafe { &mut *arg.cast::<Visitor<'_, '_>>() };
    if let Some(pair) = visitor.holders.pairs.find(object) {
        let place = Place::Object(visitor.holder);
        let field = std::ptr::null_mut();
        let added = if visitor.private {
            visitor.holders.describe(pair, place, field)
        } else {
            visitor.holders.add(pair, place, field)
        };
        visitor.failed |= added.is_err();
    }
    c_int::from(visitor.failed)
}

/// For each pair, how many references to the old object remain, and a tuple of texts that say who
/// holds them.
#[derive(Default)]
pub struct LeftBehind {
    pub counts: Vec<isize>,
    pub texts: Vec<Owned>,
}
