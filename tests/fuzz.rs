//! What nobody thought of: random remaps of everything, memory that runs out, swaps while CPython's
//! tests run, random Python code in the middle of a remap, and random heaps that are compared with a
//! model of the contract.
//!
//! A short run of each script; their long runs are in their `--help`. Those on the build with
//! AddressSanitizer run with `cargo xtask test --flavour asan`.

mod common;

use anyhow::Result;
use common::script_says;

#[test]
fn no_object_in_the_wrong_place_crashes_the_release_build() -> Result<()> {
    let remaps = &["--remaps", "600"];
    script_says(
        "release",
        "fuzz/type_confusion.py",
        remaps,
        ": 0 crash or hang",
    )
}

#[test]
fn no_object_in_the_wrong_place_crashes_the_debug_build() -> Result<()> {
    let remaps = &["--remaps", "100"];
    script_says(
        "debug",
        "fuzz/type_confusion.py",
        remaps,
        ": 0 crash or hang",
    )
}

#[test]
fn no_remap_between_two_instructions_crashes_the_release_build() -> Result<()> {
    let children = &["--children", "60", "--seed", "2"];
    script_says(
        "release",
        "fuzz/instructions.py",
        children,
        ": 0 crash or hang",
    )
}

#[test]
fn no_remap_between_two_instructions_crashes_the_debug_build() -> Result<()> {
    let children = &["--children", "30", "--seed", "2"];
    script_says(
        "debug",
        "fuzz/instructions.py",
        children,
        ": 0 crash or hang",
    )
}

#[test]
fn wherever_memory_runs_out_the_release_build_undoes_the_remap() -> Result<()> {
    script_says("release", "fuzz/out_of_memory.py", &[], ", 0 problems")
}

#[test]
fn wherever_memory_runs_out_the_debug_build_undoes_the_remap() -> Result<()> {
    script_says("debug", "fuzz/out_of_memory.py", &[], ", 0 problems")
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
    script_says("release", "fuzz/storm.py", FILES, ", 0 fail")
}

#[test]
fn a_swap_done_twice_is_invisible_to_the_debug_build() -> Result<()> {
    script_says("debug", "fuzz/storm.py", FILES, ", 0 fail")
}

#[test]
fn the_release_build_does_to_random_heaps_what_the_model_says() -> Result<()> {
    script_says("release", "fuzz/model.py", &[], ": 0 problems")
}

#[test]
fn the_debug_build_does_to_random_heaps_what_the_model_says() -> Result<()> {
    let graphs = &["--graphs", "500"];
    script_says("debug", "fuzz/model.py", graphs, ": 0 problems")
}

#[test]
fn what_runs_in_the_middle_of_a_remap_leaves_all_tables_of_the_release_build_in_order() -> Result<()>
{
    script_says("release", "fuzz/window.py", &[], ": 0 problems")
}

#[test]
fn what_runs_in_the_middle_of_a_remap_leaves_all_tables_of_the_debug_build_in_order() -> Result<()>
{
    script_says("debug", "fuzz/window.py", &[], ": 0 problems")
}

mod asan {
    use super::*;

    #[test]
    #[ignore = "needs the asan build"]
    fn no_object_in_the_wrong_place_is_used_as_another() -> Result<()> {
        let remaps = &["--remaps", "300"];
        script_says(
            "asan",
            "fuzz/type_confusion.py",
            remaps,
            ": 0 crash or hang",
        )
    }

    #[test]
    #[ignore = "needs the asan build"]
    fn no_remap_between_two_instructions_uses_what_is_freed() -> Result<()> {
        let children = &["--children", "20", "--seed", "2"];
        script_says(
            "asan",
            "fuzz/instructions.py",
            children,
            ": 0 crash or hang",
        )
    }

    #[test]
    #[ignore = "needs the asan build"]
    fn wherever_memory_runs_out_the_remap_is_undone() -> Result<()> {
        script_says("asan", "fuzz/out_of_memory.py", &[], ", 0 problems")
    }

    #[test]
    #[ignore = "needs the asan build"]
    fn a_swap_done_twice_is_invisible() -> Result<()> {
        script_says("asan", "fuzz/storm.py", FILES, ", 0 fail")
    }

    #[test]
    #[ignore = "needs the asan build"]
    fn what_runs_in_the_middle_of_a_remap_leaves_all_tables_in_order() -> Result<()> {
        let remaps = &["--remaps", "500"];
        script_says("asan", "fuzz/window.py", remaps, ": 0 problems")
    }

    #[test]
    #[ignore = "needs the asan build"]
    fn random_heaps_are_what_the_model_says() -> Result<()> {
        let graphs = &["--graphs", "500"];
        script_says("asan", "fuzz/model.py", graphs, ": 0 problems")
    }
}
