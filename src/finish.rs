//! Phase 5: the old references are dropped, and the result is made.

use crate::apply::Committed;
use crate::ffi::*;
use crate::kept::Kept;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::{Clock, Exclusive};

/// Everything has been changed; what is left is to let go.
pub struct Unfinished {
    pub pairs: Pairs,
    pub plan: Plan,
    pub committed: Committed,
    pub kept: Kept,
    pub exclusive: Exclusive,
}

impl Unfinished {
    /// Drops the last references to old objects, and makes the `gc.RemapResult`.
    pub fn finish(self, mut clock: Clock, result_type: *mut PyTypeObject) -> Result<Owned> {
        let mut left_behind = Vec::new();
        for &index in &self.pairs.passed {
            let left = index.map_or(0, |index| self.plan.left_behind[index as usize]);
            push(&mut left_behind, left)?;
        }
        let counts = [
            self.committed.references,
            self.plan.visited,
            self.committed.containers,
            self.committed.rehashed(),
            self.committed.collisions,
        ];
        drop(self.exclusive);
        // Finalizers run here, and may do anything.
        drop(self.plan);
        self.kept.finish(self.committed, self.pairs);
        clock.lap(c"finish");
        result(result_type, counts, &left_behind, &clock)
    }
}

fn result(
    result_type: *mut PyTypeObject,
    counts: [usize; 5],
    left: &[isize],
    clock: &Clock,
) -> Result<Owned> {
    // SAFETY: every new object is owned until it is put into the one that is returned.
    unsafe {
        let left_behind = Owned::from_new(PyTuple_New(left.len() as isize))?;
        for (at, &count) in left.iter().enumerate() {
            let number = Owned::from_new(PyLong_FromSsize_t(count))?;
            PyTuple_SetItem(left_behind.as_ptr(), at as isize, number.into_ptr());
        }
        let seconds = Owned::from_new(PyDict_New())?;
        for &(phase, time) in &clock.laps {
            let time = Owned::from_new(PyFloat_FromDouble(time))?;
            check(PyDict_SetItemString(
                seconds.as_ptr(),
                phase.as_ptr(),
                time.as_ptr(),
            ))?;
        }
        let result = Owned::from_new(PyStructSequence_New(result_type))?;
        for (at, count) in counts.into_iter().enumerate() {
            let number = Owned::from_new(PyLong_FromSize_t(count))?;
            PyStructSequence_SetItem(result.as_ptr(), at as isize, number.into_ptr());
        }
        PyStructSequence_SetItem(result.as_ptr(), 5, left_behind.into_ptr());
        PyStructSequence_SetItem(result.as_ptr(), 6, seconds.into_ptr());
        Ok(result)
    }
}
