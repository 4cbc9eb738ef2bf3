//! What nobody thought of: random remaps of everything, and swaps while CPython's tests run.
//!
//! A short run of each script; their long runs are in their `--help`.

mod common;

use anyhow::{Result, ensure};
use common::{command, python, root, run};

fn fuzz(flavour: &str, script: &str, args: &[&str], says: &str) -> Result<()> {
    let out = run(command(python(flavour)?)
        .args(["-B", "-s"])
        .arg(root().join("tests/fuzz").join(script))
        .args(args))?;
    let summary = out.lines().last().unwrap_or_default();
    ensure!(summary.contains(says), "not `{says}`:\n{out}");
    println!("{summary}");
    Ok(())
}

#[test]
fn no_object_in_the_wrong_place_crashes_the_release_build() -> Result<()> {
    let remaps = &["--remaps", "600"];
    fuzz("release", "type_confusion.py", remaps, ": 0 crash or hang")
}

#[test]
fn no_object_in_the_wrong_place_crashes_the_debug_build() -> Result<()> {
    let remaps = &["--remaps", "100"];
    fuzz("debug", "type_confusion.py", remaps, ": 0 crash or hang")
}

const FILES: &[&str] = &[
    "test_dict",
    "test_list",
    "test_tuple",
    "test_deque",
    "test_ordered_dict",
    "test_iter",
    "test_generators",
    "test_functools",
    "test_descr",
    "test_types",
    "test_copy",
    "test_scope",
];

#[test]
fn a_swap_done_twice_is_invisible_to_the_release_build() -> Result<()> {
    fuzz("release", "storm.py", FILES, ", 0 fail")
}

#[test]
fn a_swap_done_twice_is_invisible_to_the_debug_build() -> Result<()> {
    fuzz("debug", "storm.py", FILES, ", 0 fail")
}
