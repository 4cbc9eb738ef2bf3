//! The contract of `gc.remap`, case by case: the scripts in `tests/conformance`, on release and debug,
//! and on the build with AddressSanitizer with `cargo xtask test --flavour asan`.
//!
//! Invariant: every script of the folder is a test here, on each flavour.

mod common;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, ensure};
use common::{command, python, root, run};

/// Runs one script; its last line says how many cases ran, and on which build.
fn conform(flavour: &str, theme: &str) -> Result<()> {
    let script = root().join(format!("tests/conformance/test_{theme}.py"));
    // No `__pycache__` in the source tree, and nothing of the user's own.
    let mut command = command(python(flavour)?);
    command.args(["-B", "-s"]).arg(&script);
    let out = run(&mut command)?;
    let summary = out.lines().last().unwrap_or_default();
    ensure!(
        summary.starts_with("Ran ") && summary.contains(&format!("on a {flavour} build")),
        "{} did not run its cases on {flavour}:\n{out}",
        script.display()
    );
    println!("{theme}: {summary}");
    Ok(())
}

macro_rules! themes {
    ($($theme:ident)*) => {
        const THEMES: &[&str] = &[$(stringify!($theme)),*];

        mod release {
            $(#[test] fn $theme() -> anyhow::Result<()> {
                super::conform("release", stringify!($theme))
            })*
        }

        mod debug {
            $(#[test] fn $theme() -> anyhow::Result<()> {
                super::conform("debug", stringify!($theme))
            })*
        }

        mod asan {
            $(#[test] #[ignore = "needs the asan build"] fn $theme() -> anyhow::Result<()> {
                super::conform("asan", stringify!($theme))
            })*
        }
    };
}

themes! {
    anywhere
    borrowed
    c_modules
    callbacks
    classes
    concurrency
    contexts
    dicts
    edges
    errors
    foreign
    frames
    functions
    instances
    iterators
    lists
    refcounts
    rehash
    result
    roots
    safety
    sets
    streams_and_parsers
    swap
    tuples
    weakrefs
}

#[test]
fn every_script_is_a_test() -> Result<()> {
    let mut scripts = BTreeSet::new();
    for entry in fs::read_dir(root().join("tests/conformance"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(theme) = name
            .strip_prefix("test_")
            .and_then(|rest| rest.strip_suffix(".py"))
        {
            scripts.insert(theme.to_owned());
        }
    }
    assert_eq!(
        scripts,
        THEMES.iter().map(|theme| (*theme).to_owned()).collect()
    );
    Ok(())
}
