//! The engine of `gc.remap`, linked into the patched interpreter as a static library.
//!
//! One module a phase, each used only by the next:
//!
//! * [`pairs`] reads the argument;
//! * [`scan`] walks the heap once, read-only, and collects what will have to change;
//! * [`plan`] validates: what is refused is refused here, before anything is written; it counts what
//!   will be [`left_behind`];
//! * [`apply`] changes references, with a journal, redirects [`weakrefs`], and sets [`flags`] of classes;
//! * [`repair`] puts right what depended on the old identities: classes, then hash tables;
//! * [`finish`] drops the old references, or has them [`kept`], and reports.
//!
//! Invariants: nothing unwinds into C; no Python code runs from the start of the scan to the end of
//! apply; an error in any phase leaves the heap as it was.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

mod addresses;
mod allocator;
mod apply;
mod cycles;
mod ffi;
mod finish;
mod flags;
mod kept;
mod late;
mod left_behind;
mod mro;
mod pairs;
mod plan;
mod repair;
mod scan;
mod weakrefs;

use ffi::{Object, PyTypeObject, Raised, Result};

/// The entry: what `gc.remap()` calls after it has parsed its arguments.
///
/// # Safety
/// Called with the GIL held, with living objects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRemapEngine_Run(
    mapping: Object,
    strict: std::ffi::c_int,
    result_type: *mut PyTypeObject,
) -> Object {
    match catch_unwind(AssertUnwindSafe(|| run(mapping, strict != 0, result_type))) {
        Ok(Ok(result)) => result.into_ptr(),
        Ok(Err(Raised)) => std::ptr::null_mut(),
        Err(_) => {
            // SAFETY: the class is a static of the interpreter.
            let kind = unsafe { ffi::PyExc_SystemError };
            let _ = ffi::raise::<()>(kind, c"gc.remap(): the engine panicked");
            std::ptr::null_mut()
        }
    }
}

/// Keeps the collector and other remaps out for as long as it lives.
struct Exclusive;

impl Exclusive {
    fn begin() -> Result<Self> {
        // SAFETY: called with the GIL held.
        ffi::check(unsafe { ffi::_PyRemap_Begin() })?;
        Ok(Self)
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::_PyRemap_End() };
    }
}

fn run(mapping: Object, strict: bool, result_type: *mut PyTypeObject) -> Result<ffi::Owned> {
    ffi::check_layout()?;
    let mut pairs = pairs::Pairs::parse(mapping)?;
    let exclusive = Exclusive::begin()?;
    let mut clock = Clock::start();
    let refusals = plan::check_pairs(&mut pairs)?;
    let findings = scan::scan(&pairs)?;
    clock.lap();
    let plan = plan::plan(&pairs, findings, refusals, strict)?;
    clock.lap();
    let Ok((committed, kept, draft)) = change(&pairs, &plan, &mut clock, result_type) else {
        drop(exclusive);
        // Finalizers may run from here on.
        drop(plan);
        kept::Kept::finish_undone(pairs);
        return Err(Raised);
    };
    let unfinished = finish::Unfinished {
        pairs,
        plan,
        committed,
        kept,
        exclusive,
    };
    Ok(unfinished.finish(clock, draft))
}

/// The phases that write. After an error all is as it was.
fn change(
    pairs: &pairs::Pairs,
    plan: &plan::Plan,
    clock: &mut Clock,
    result_type: *mut PyTypeObject,
) -> Result<(apply::Committed, kept::Kept, finish::Draft)> {
    let applied = apply::apply(pairs, plan)?;
    clock.lap();
    let repaired = repair::repair(applied)?;
    let draft = finish::Draft::new(result_type, &repaired.counts(), pairs, plan)?;
    let kept = kept::Kept::prepare(pairs)?;
    clock.lap();
    Ok((repaired.commit(), kept, draft))
}

const PHASES: [&CStr; 5] = [c"scan", c"plan", c"apply", c"repair", c"finish"];

/// Seconds per phase.
struct Clock {
    last: Instant,
    laps: [f64; PHASES.len()],
    finished: usize,
}

impl Clock {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            laps: [0.0; PHASES.len()],
            finished: 0,
        }
    }

    /// The next phase is over.
    fn lap(&mut self) {
        let now = Instant::now();
        self.laps[self.finished] = (now - self.last).as_secs_f64();
        self.finished += 1;
        self.last = now;
    }
}
