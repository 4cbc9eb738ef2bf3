//! Phase 5: the old references are dropped, and the result is made.

use crate::apply::Committed;
use crate::ffi::*;
use crate::pairs::Pairs;
use crate::plan::left_behind;
use crate::{Clock, Exclusive};

/// Makes the `gc.RemapResult`; the last references to old objects are dropped here.
pub fn finish(
    pairs: Pairs,
    committed: Committed,
    visited: usize,
    exclusive: Exclusive,
    mut clock: Clock,
    result_type: *mut PyTypeObject,
) -> Result<Owned> {
    let mut left = Vec::new();
    for index in 0..pairs.len() {
        push(&mut left, left_behind(&pairs, index).max(0))?;
    }
    let Pairs { pairs, passed, .. } = pairs;
    drop(exclusive);
    // Finalizers run here, and may do anything.
    drop(pairs);
    clock.lap(c"finish");

    // SAFETY: every new object is owned until it is put into the one that is returned.
    unsafe {
        let left_behind = Owned::from_new(PyTuple_New(passed.len() as isize))?;
        for (at, index) in passed.iter().enumerate() {
            let count = index.map_or(0, |index| left[index as usize]);
            let number = Owned::from_new(PyLong_FromSsize_t(count))?;
            PyTuple_SetItem(left_behind.as_ptr(), at as isize, number.into_ptr());
        }
        let seconds = Owned::from_new(PyDict_New())?;
        for (phase, time) in clock.laps {
            let time = Owned::from_new(PyFloat_FromDouble(time))?;
            check(PyDict_SetItemString(
                seconds.as_ptr(),
                phase.as_ptr(),
                time.as_ptr(),
            ))?;
        }
        let result = Owned::from_new(PyStructSequence_New(result_type))?;
        let counts = [
            committed.references,
            visited,
            committed.containers,
            committed.rehashed,
            committed.collisions,
        ];
        for (at, count) in counts.into_iter().enumerate() {
            let number = Owned::from_new(PyLong_FromSize_t(count))?;
            PyStructSequence_SetItem(result.as_ptr(), at as isize, number.into_ptr());
        }
        PyStructSequence_SetItem(result.as_ptr(), 5, left_behind.into_ptr());
        PyStructSequence_SetItem(result.as_ptr(), 6, seconds.into_ptr());
        Ok(result)
    }
}
