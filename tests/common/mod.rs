//! What the tests share: where things are, and how to run them.
//!
//! Invariant: a test that lacks its interpreter fails with the command that builds it; none skips.

// Every test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The flavour that tests run on which run on one: `GC_REMAP_FLAVOUR`, or release.
pub fn flavour() -> String {
    std::env::var("GC_REMAP_FLAVOUR").unwrap_or_else(|_| "release".to_owned())
}

pub fn prefix(flavour: &str) -> PathBuf {
    root().join("build").join(flavour).join("prefix")
}

/// The installed interpreter of a flavour.
pub fn python(flavour: &str) -> Result<PathBuf> {
    let python = prefix(flavour).join("bin/python3");
    let option = match flavour {
        "release" => String::new(),
        other => format!(" --{other}"),
    };
    ensure!(
        python.exists(),
        "there is no {}: build it with `cargo xtask build-python{option}`",
        python.display()
    );
    Ok(python)
}

/// A command without the caller's Python settings.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PYTHON") {
            command.env_remove(name);
        }
    }
    // The sanitizer's flavour leaks a little at exit, by design of CPython.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    command
}

/// Runs a command; returns what it printed on standard output.
pub fn run(command: &mut Command) -> Result<String> {
    let out = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        bail!(
            "{command:?} failed ({})\n{text}{}",
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
    }
    Ok(text)
}

/// Runs a Python script of the project on a flavour; its last line, which is shown, must say this.
pub fn script_says(flavour: &str, script: &str, args: &[&str], says: &str) -> Result<()> {
    // No `__pycache__` in the source tree, and nothing of the user's own.
    let out = run(command(python(flavour)?)
        .args(["-B", "-s"])
        .arg(root().join("tests").join(script))
        .args(args))?;
    let summary = out.lines().last().unwrap_or_default();
    ensure!(summary.contains(says), "not `{says}`:\n{out}");
    println!("{script}: {summary}");
    Ok(())
}

/// The build tool, compiled if need be.
pub fn xtask() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = run(Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--package",
            "xtask",
            "--message-format=json",
        ])
        .current_dir(root()))?;
    out.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .context("cargo did not say where it put the build tool")
}

/// A virtual environment of a flavour's interpreter in `dir`; returns its python.
pub fn venv(flavour: &str, dir: &Path) -> Result<PathBuf> {
    run(command(python(flavour)?).args(["-m", "venv"]).arg(dir))?;
    Ok(dir.join("bin/python"))
}
