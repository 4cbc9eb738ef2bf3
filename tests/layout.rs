//! No change of binary layout: types written for the unpatched interpreter fit the patched one,
//! and the slot that took the place of an unused field is where `tp_traverse` is.
//!
//! Invariant: the members that are compared are those that the headers declare, not a list.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use common::{command, python, root, run};

/// The one member whose name differs: before, after.
const RENAMED: (&str, &str) = ("tp_cache", "tp_traverse_change");

/// The structures that extension modules fill in or embed: the name in C, and how the header
/// opens its definition and closes it.
const STRUCTURES: &[(&str, &str, &str)] = &[
    ("PyTypeObject", "struct _typeobject {", "};"),
    (
        "PyHeapTypeObject",
        "typedef struct _heaptypeobject {",
        "} PyHeapTypeObject;",
    ),
    (
        "struct _specialization_cache",
        "struct _specialization_cache {",
        "};",
    ),
    ("PyNumberMethods", "typedef struct {", "} PyNumberMethods;"),
    (
        "PySequenceMethods",
        "typedef struct {",
        "} PySequenceMethods;",
    ),
    (
        "PyMappingMethods",
        "typedef struct {",
        "} PyMappingMethods;",
    ),
    ("PyAsyncMethods", "typedef struct {", "} PyAsyncMethods;"),
    ("PyBufferProcs", "typedef struct {", "} PyBufferProcs;"),
];

/// The folder with the headers of the unpatched interpreter.
fn pristine_headers() -> Result<PathBuf> {
    let pin = fs::read_to_string(root().join("cpython.toml"))?;
    let version = pin
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .context("cpython.toml names a version")?;
    let dir = root().join(format!("vendor/cpython-{version}/Include"));
    ensure!(
        dir.exists(),
        "there is no {}: get it with `cargo xtask vendor`",
        dir.display()
    );
    Ok(dir)
}

/// The folder with the headers that a flavour installs.
fn installed_headers(flavour: &str) -> Result<PathBuf> {
    let path = run(command(python(flavour)?).args([
        "-c",
        "import sysconfig; print(sysconfig.get_path('platinclude'))",
    ]))?;
    Ok(PathBuf::from(path.trim()))
}

/// A folder with the configuration of a flavour and nothing else: headers of another folder are
/// compiled as for this interpreter.
fn configuration(flavour: &str, dir: &Path) -> Result<PathBuf> {
    let dir = dir.join("configuration");
    fs::create_dir_all(&dir)?;
    fs::copy(
        installed_headers(flavour)?.join("pyconfig.h"),
        dir.join("pyconfig.h"),
    )?;
    Ok(dir)
}

fn without_comments(text: &str) -> Result<String> {
    let mut rest = text;
    let mut code = String::new();
    while let Some(start) = rest.find("/*") {
        code += &rest[..start];
        let end = rest[start..].find("*/").context("an open comment")?;
        rest = &rest[start + end + 2..];
    }
    code += rest;
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// The names of a structure's members, in the order of their declarations.
fn members(header: &str, opening: &str, closing: &str) -> Result<Vec<String>> {
    let end = match closing {
        "};" => {
            let start = header.find(opening).context(opening.to_owned())?;
            start + header[start..].find("\n};").context(closing.to_owned())?
        }
        unique => header.find(unique).context(unique.to_owned())?,
    };
    let start = header[..end].rfind(opening).context(opening.to_owned())? + opening.len();
    let mut names = Vec::new();
    for declaration in header[start..end].split(';').map(str::trim) {
        if declaration.is_empty() {
            continue;
        }
        if declaration == "PyObject_VAR_HEAD" {
            names.push("ob_base".to_owned());
            continue;
        }
        for declarator in declaration.split(',') {
            let name = declarator
                .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
                .unwrap_or_default();
            ensure!(!name.is_empty(), "cannot read `{declaration}`");
            names.push(name.to_owned());
        }
    }
    ensure!(names.len() > 1, "{opening} {closing}: {names:?}");
    Ok(names)
}

/// What the C compiler says of all structures, a line a member: offset, size, name.
fn layout(include: &Path, configuration: &Path, dir: &Path) -> Result<String> {
    let header = without_comments(&fs::read_to_string(include.join("cpython/object.h"))?)?;
    let mut program = String::from("#include <Python.h>\n#include <stddef.h>\nint main(void) {\n");
    for (structure, opening, closing) in STRUCTURES {
        program += &format!("printf(\"{structure}: %zu bytes\\n\", sizeof({structure}));\n");
        for member in members(&header, opening, closing)? {
            program += &format!(
                "printf(\"{structure} %zu+%zu {member}\\n\", offsetof({structure}, {member}), \
                 sizeof((({structure} *)0)->{member}));\n"
            );
        }
    }
    program += "return 0;\n}\n";
    let source = dir.join("layout.c");
    fs::write(&source, program)?;
    run(command("cc")
        // The configuration first: it is the one that counts.
        .arg("-I")
        .arg(configuration)
        .arg("-I")
        .arg(include)
        .arg(&source)
        .arg("-o")
        .arg(dir.join("layout")))?;
    run(&mut command(dir.join("layout")))
}

fn types_keep_their_layout(flavour: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let configuration = configuration(flavour, dir.path())?;
    let before = layout(&pristine_headers()?, &configuration, dir.path())?;
    let after = layout(&installed_headers(flavour)?, &configuration, dir.path())?;
    let (old, new) = RENAMED;
    ensure!(before.contains(&format!(" {old}\n")), "{before}");
    ensure!(before.lines().count() > 120, "{before}");
    let differences: Vec<String> = before
        .lines()
        .map(|line| match line.strip_suffix(&format!(" {old}")) {
            Some(start) => format!("{start} {new}"),
            None => line.to_owned(),
        })
        .zip(after.lines())
        .filter(|(one, two)| one != two)
        .map(|(one, two)| format!("{one} is now {two}"))
        .collect();
    ensure!(
        differences.is_empty() && before.lines().count() == after.lines().count(),
        "the layout has changed:\n{}",
        differences.join("\n")
    );
    Ok(())
}

/// Compiled against the unpatched headers, loaded by the patched interpreter.
fn an_extension_made_before_loads_and_runs(flavour: &str) -> Result<()> {
    let python = python(flavour)?;
    let dir = tempfile::tempdir()?;
    let suffix = run(command(&python).args([
        "-c",
        "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))",
    ]))?;
    run(command("cc")
        .args(["-shared", "-fPIC", "-O1", "-I"])
        .arg(configuration(flavour, dir.path())?)
        .arg("-I")
        .arg(pristine_headers()?)
        .arg(root().join("tests/layout/made_before.c"))
        .arg("-o")
        .arg(dir.path().join(format!("made_before{}", suffix.trim()))))?;
    let out = run(command(&python)
        .arg("-B")
        .arg(root().join("tests/layout/old_extension.py"))
        .env("PYTHONPATH", dir.path()))?;
    assert_eq!(out, "ok\n");
    Ok(())
}

macro_rules! on_both_flavours {
    ($($name:ident)*) => {
        mod release { $(#[test] fn $name() -> anyhow::Result<()> { super::$name("release") })* }
        mod debug { $(#[test] fn $name() -> anyhow::Result<()> { super::$name("debug") })* }
    };
}

on_both_flavours! {
    types_keep_their_layout
    an_extension_made_before_loads_and_runs
}
