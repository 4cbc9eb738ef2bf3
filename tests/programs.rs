//! Whole programs, as a user would type them, on the installed interpreters.

mod common;

use anyhow::Result;
use common::{command, python, run};

/// A class is replaced in its instances, and in keys that hold it at any depth.
#[test]
fn a_class_and_the_tables_that_are_keyed_by_it() -> Result<()> {
    let program = "import gc; A=type('A',(),{'f':lambda s:1}); B=type('B',(),{'f':lambda s:2}); \
                   a=A(); d={(A,):1, frozenset([A]):2}; gc.remap({A:B}); \
                   print(type(a) is B and d[(B,)]==1, a.f(), len([k for k in d if k==(B,)]))";
    for flavour in ["release", "debug"] {
        let out = run(command(python(flavour)?).args(["-c", program]))?;
        assert_eq!(out, "True 2 1\n", "on {flavour}");
    }
    Ok(())
}
