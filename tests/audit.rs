//! `tp_traverse_change` is complete: what `cargo xtask audit` finds is nothing.

mod common;

use anyhow::{Result, ensure};
use common::{command, python, root, run};

/// Runs a script of `tests/audit`; its last line must be this one.
fn audit(flavour: &str, script: &str, args: &[&str], says: &str) -> Result<()> {
    let out = run(command(python(flavour)?)
        .args(["-B", "-s"])
        .arg(root().join("tests/audit").join(script))
        .args(args))?;
    let summary = out.lines().last().unwrap_or_default();
    ensure!(summary.contains(says), "not `{says}`:\n{out}");
    println!("{summary}");
    Ok(())
}

#[test]
fn every_type_has_the_slot_and_every_macro_is_met() -> Result<()> {
    audit("debug", "audit.py", &[], " 0 problems on a debug build")
}

#[test]
fn every_type_has_the_slot_on_the_release_build() -> Result<()> {
    audit("release", "audit.py", &[], " 0 problems on a release build")
}

#[test]
fn every_field_is_remapped_or_says_why_not() -> Result<()> {
    audit("debug", "fields.py", &[], " 0 problems on a debug build")
}

#[test]
fn every_field_is_remapped_on_the_release_build() -> Result<()> {
    audit(
        "release",
        "fields.py",
        &[],
        " 0 problems on a release build",
    )
}

#[test]
fn the_table_of_types_is_up_to_date() -> Result<()> {
    audit(
        "debug",
        "coverage.py",
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
