//! The examples for authors of extension types: compiled with the system's compiler against the
//! installed headers, loaded into the installed interpreter, remapped and read back.
//!
//! Invariant: nothing is compiled with flags that an author of an extension would not have, and
//! every warning is an error.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use common::{command, flavour, python, root, run};

/// Warnings of the headers of CPython itself, or of its way of writing tables.
const NOT_WARNINGS: &[&str] = &[
    "-Wno-missing-field-initializers",
    "-Wno-cast-function-type",
    "-Wno-unused-parameter",
];

/// What the interpreter says of how its extension modules are compiled.
struct Flags {
    compiler: Vec<String>,
    suffix: String,
}

impl Flags {
    fn of(python: &Path) -> Result<Flags> {
        let out = run(command(python).args([
            "-c",
            "import sysconfig as s\n\
             print(s.get_config_var('CFLAGS'), s.get_config_var('CCSHARED'),\n\
                   '-I' + s.get_path('include'), '-I' + s.get_path('platinclude'))\n\
             print(s.get_config_var('EXT_SUFFIX'))",
        ]))?;
        let (compiler, suffix) = out.trim().split_once('\n').context("two lines")?;
        Ok(Flags {
            compiler: compiler.split_whitespace().map(str::to_owned).collect(),
            suffix: suffix.to_owned(),
        })
    }

    /// Compiles a module of one file, named like it, into `dir`.
    fn compile(&self, source: &Path, dir: &Path) -> Result<()> {
        let name = source.file_stem().context("a file")?;
        let cpp = source.extension().is_some_and(|e| e == "cpp");
        let output = dir
            .join(name)
            .with_extension(self.suffix.trim_start_matches('.'));
        run(command(if cpp { "c++" } else { "cc" })
            .args(&self.compiler)
            .args(cpp.then_some("-std=c++17"))
            .args(["-shared", "-Wall", "-Wextra", "-Werror"])
            .args(NOT_WARNINGS)
            .arg(source)
            .arg("-o")
            .arg(&output))?;
        Ok(())
    }
}

/// Compiles modules (paths below `examples/`) and runs a script of `tests/examples/` on them.
fn check(flavour: &str, script: &str, modules: &[&str]) -> Result<()> {
    let python = python(flavour)?;
    let dir = tempfile::tempdir()?;
    let flags = Flags::of(&python)?;
    for module in modules {
        flags.compile(&root().join("examples").join(module), dir.path())?;
    }
    run(command(&python)
        .args(["-B", "-X", "faulthandler", "-W", "error"])
        .arg(root().join("tests/examples/run.py"))
        .arg(script)
        .env("PYTHONPATH", dir.path()))?;
    Ok(())
}

const PARITY: &str = "parity/parity.c";

/// A module of tests for each flavour: the one that is asked for, and the debug build with its
/// assertions and its total of references.
macro_rules! examples {
    ($($name:ident: $script:literal $modules:expr;)*) => {
        mod on_the_chosen_flavour {
            use super::*;
            $(#[test] fn $name() -> Result<()> { check(&flavour(), $script, &$modules) })*
        }
        mod on_the_debug_build {
            use super::*;
            $(#[test] fn $name() -> Result<()> { check("debug", $script, &$modules) })*
        }
    };
}

examples! {
    c_struct_members: "test_c_struct_members"
        ["c_struct_members/struct_members.c", PARITY];
    c_hash_table: "test_c_hash_table"
        ["c_hash_table/hash_table.c", PARITY];
    c_opaque_accessor: "test_c_opaque_accessor"
        ["c_opaque_accessor/opaque_accessor.c", PARITY];
    cpp_map_smart_ptr: "test_cpp_map_smart_ptr"
        ["cpp_map_smart_ptr/map_smart_ptr.cpp", PARITY];
    rival_shape: "test_rival_shape"
        [
            "rival_shape/rival_driver.c",
            "rival_shape/rival_struct_members.c",
            "rival_shape/rival_hash_table.c",
            "rival_shape/rival_opaque_accessor.c",
            "rival_shape/rival_map_smart_ptr.cpp",
        ];
}

/// Every example is in the list above.
#[test]
fn no_example_is_forgotten() -> Result<()> {
    let listed = fs::read_to_string(root().join("tests/examples.rs"))?;
    for folder in fs::read_dir(root().join("examples"))? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for source in fs::read_dir(folder)? {
            let source: PathBuf = source?.path();
            if source.extension().is_some_and(|e| e == "c" || e == "cpp") {
                let name = source.strip_prefix(root().join("examples"))?;
                ensure!(
                    listed.contains(&format!("\"{}\"", name.display())),
                    "{} is compiled by no test",
                    name.display()
                );
            }
        }
    }
    Ok(())
}

/// The lengths of the two shapes that the PEP draft compares are those of the sources.
#[test]
fn the_pep_draft_counts_right() -> Result<()> {
    let draft = fs::read_to_string(root().join("pep-draft.md"))?;
    let counts = run(command(python(&flavour())?)
        .arg("-B")
        .arg(root().join("tests/examples/count_lines.py")))?;
    for row in counts.lines() {
        ensure!(
            draft.lines().any(|line| line == row),
            "pep-draft.md does not have the row\n{row}"
        );
    }
    Ok(())
}
