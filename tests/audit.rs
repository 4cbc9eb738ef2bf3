//! `tp_traverse_change` is complete: what `cargo xtask audit` finds is nothing.

mod common;

use anyhow::{Result, ensure};
use common::{command, python, root, run, script_says};

#[test]
fn every_type_has_the_slot_and_every_macro_is_met() -> Result<()> {
    script_says(
        "debug",
        "audit/audit.py",
        &[],
        " 0 problems on a debug build",
    )
}

#[test]
fn every_type_has_the_slot_on_the_release_build() -> Result<()> {
    script_says(
        "release",
        "audit/audit.py",
        &[],
        " 0 problems on a release build",
    )
}

#[test]
fn every_field_is_remapped_or_says_why_not() -> Result<()> {
    script_says(
        "debug",
        "audit/fields.py",
        &[],
        " 0 problems on a debug build",
    )
}

#[test]
fn every_field_is_remapped_on_the_release_build() -> Result<()> {
    script_says(
        "release",
        "audit/fields.py",
        &[],
        " 0 problems on a release build",
    )
}

#[test]
fn no_circle_is_made_that_the_collector_leaves() -> Result<()> {
    script_says(
        "debug",
        "audit/circles.py",
        &[],
        " 0 problems on a debug build",
    )
}

#[test]
fn no_circle_is_made_that_the_collector_leaves_on_the_release_build() -> Result<()> {
    script_says(
        "release",
        "audit/circles.py",
        &[],
        " 0 problems on a release build",
    )
}

#[test]
fn the_table_of_types_is_up_to_date() -> Result<()> {
    script_says(
        "debug",
        "audit/coverage.py",
        &["--check"],
        "coverage.md: up to date",
    )
}

#[test]
fn generated_functions_are_up_to_date() -> Result<()> {
    let script = root().join("build/src/Tools/build/generate_traverse_change.py");
    let out = run(command(python("release")?)
        .arg("-B")
        .arg(script)
        .arg("--check"))?;
    ensure!(out.contains(" 0 files not up to date"), "{out}");
    Ok(())
}
