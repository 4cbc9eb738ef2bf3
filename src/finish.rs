//! Phase 5: the old references are dropped, and the result is made.
//!
//! The result is made first, while everything can still be undone: nothing that comes after the
//! commit can fail.

use std::ffi::CStr;

use crate::apply::{Committed, Counts};
use crate::ffi::*;
use crate::kept::Kept;
use crate::pairs::Pairs;
use crate::plan::Plan;
use crate::{Clock, Exclusive, PHASES};

/// A `gc.RemapResult` in which only the times are missing.
pub struct Draft {
    result: Owned,
    seconds: [Owned; PHASES.len()],
}

impl Draft {
    pub fn new(
        result_type: *mut PyTypeObject,
        counts: &Counts,
        pairs: &Pairs,
        plan: &Plan,
    ) -> Result<Self> {
        let counts = [
            counts.references,
            plan.visited,
            counts.containers,
            counts.rehashed,
            counts.collisions,
        ];
        let [remaining, holders] = left_behind(pairs, plan)?;
        // SAFETY: every new object is owned until it is put into the one that is returned.
        unsafe {
            let times = Owned::from_new(PyDict_New())?;
            let time = |phase: &CStr| {
                let time = Owned::from_new(_PyRemap_NewTime())?;
                check(PyDict_SetItemString(
                    times.as_ptr(),
                    phase.as_ptr(),
                    time.as_ptr(),
                ))?;
                Ok(time)
            };
            let [a, b, c, d, e] = PHASES;
            let seconds = [time(a)?, time(b)?, time(c)?, time(d)?, time(e)?];
            let result = Owned::from_new(PyStructSequence_New(result_type))?;
            for (at, count) in counts.into_iter().enumerate() {
                let number = Owned::from_new(PyLong_FromSize_t(count))?;
                PyStructSequence_SetItem(result.as_ptr(), at as isize, number.into_ptr());
            }
            PyStructSequence_SetItem(result.as_ptr(), 5, remaining.into_ptr());
            PyStructSequence_SetItem(result.as_ptr(), 6, holders.into_ptr());
            PyStructSequence_SetItem(result.as_ptr(), 7, times.into_ptr());
            Ok(Self { result, seconds })
        }
    }

    fn finish(self, clock: &Clock) -> Owned {
        for (time, lap) in self.seconds.iter().zip(clock.laps) {
            // SAFETY: made by `_PyRemap_NewTime`, and not yet seen by anyone.
            unsafe { _PyRemap_SetTime(time.as_ptr(), lap) };
        }
        self.result
    }
}

/// For each pair that was passed in, the references that remain, and who holds them: two tuples.
fn left_behind(pairs: &Pairs, plan: &Plan) -> Result<[Owned; 2]> {
    let size = pairs.passed.len() as isize;
    // SAFETY: the tuples are new, and own what is put into them.
    unsafe {
        let counts = Owned::from_new(PyTuple_New(size))?;
        let holders = Owned::from_new(PyTuple_New(size))?;
        for (at, index) in pairs.passed.iter().enumerate() {
            let (count, texts) = match *index {
                Some(index) => (
                    plan.left_behind.counts[index as usize],
                    Owned::of(plan.left_behind.texts[index as usize].as_ptr()),
                ),
                None => (0, Owned::from_new(PyTuple_New(0))?),
            };
            let count = Owned::from_new(PyLong_FromSsize_t(count))?;
            PyTuple_SetItem(counts.as_ptr(), at as isize, count.into_ptr());
            PyTuple_SetItem(holders.as_ptr(), at as isize, texts.into_ptr());
        }
        Ok([counts, holders])
    }
}

/// Everything has been changed; what is left is to let go.
pub struct Unfinished {
    pub pairs: Pairs,
    pub plan: Plan,
    pub committed: Committed,
    pub kept: Kept,
    pub exclusive: Exclusive,
}

impl Unfinished {
    /// Drops the last references to old objects.
    pub fn finish(self, mut clock: Clock, draft: Draft) -> Owned {
        for pair in &self.pairs.pairs {
            // SAFETY: the pair owns the object.
            unsafe { _PyRemap_ForgetBorrowed(pair.old.as_ptr()) };
        }
        drop(self.exclusive);
        // Finalizers run here, and may do anything.
        drop(self.plan);
        self.kept.finish(self.committed, self.pairs);
        clock.lap();
        draft.finish(&clock)
    }
}
