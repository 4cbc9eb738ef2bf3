//! CPython's own tests of what the patches touch pass on the patched interpreter.

mod common;

use anyhow::{Context, Result, ensure};
use common::{command, python};

const MODULES: &[&str] = &[
    "test_gc",
    "test_dict",
    "test_set",
    "test_tuple",
    "test_list",
    "test_frame",
    "test_generators",
    "test_coroutines",
    "test_weakref",
    "test_weakset",
    "test_abc",
    "test_descr",
    "test_types",
    "test_functools",
    "test_ordered_dict",
    "test_deque",
    "test_capi",
];

#[test]
fn cpythons_own_tests_pass() -> Result<()> {
    let python = python("release")?;
    // Where the tests leave their files.
    let dir = tempfile::tempdir()?;
    let out = command(&python)
        // Two at a time; a module that hangs says where and ends.
        .args(["-m", "test", "-j2", "--timeout", "1200"])
        // A second try for what depends on time, on a machine that is busy with other tests.
        .args(["--rerun", "--tempdir"])
        .arg(dir.path())
        .args(MODULES)
        .current_dir(dir.path())
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{text}{errors}");
    let summary = format!("Total test files: run={0}/{0}", MODULES.len());
    ensure!(text.contains(&summary), "not `{summary}`:\n{text}{errors}");
    // Those that ran are all of them: none is skipped as a whole, denied or without tests.
    ensure!(
        text.contains(&format!("All {} tests OK.", MODULES.len()))
            || text.contains("Result: FAILURE then SUCCESS"),
        "{text}{errors}"
    );
    let closing = text.find("== Tests result").unwrap_or_default();
    println!("{}", &text[closing..]);
    Ok(())
}
