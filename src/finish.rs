//! Phase 5: the old references are dropped, and the result is made.

use crate::apply::Committed;
use crate::ffi::*;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::{Clock, Exclusive};

/// Makes the `gc.RemapResult`; the last references to old objects are dropped here.
pub fn finish(
    pairs: Pairs,
    plan: Plan,
    mut committed: Committed,
    exclusive: Exclusive,
    mut clock: Clock,
    result_type: *mut PyTypeObject,
) -> Result<Owned> {
    let Plan {
        visited,
        ref left_behind,
        ..
    } = plan;
    let mut left = Vec::new();
    for &index in &pairs.passed {
        push(
            &mut left,
            index.map_or(0, |index| left_behind[index as usize]),
        )?;
    }
    let rehashed = committed.rehashed();
    drop(exclusive);
    // Finalizers run here, and may do anything.
    committed.drop_kept();
    drop(plan);
    drop(pairs);
    clock.lap(c"finish");

    // SAFETY: every new object is owned until it is put into the one that is returned.
    unsafe {
        let left_behind = Owned::from_new(PyTuple_New(left.len() as isize))?;
        for (at, count) in left.into_iter().enumerate() {
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
            rehashed,
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
