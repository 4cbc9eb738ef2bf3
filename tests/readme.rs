//! The README is true: its commands are run, and so is its session at the prompt.

mod common;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use common::{command, python, root, run, xtask};

/// The code blocks of one language.
fn blocks(language: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(root().join("README.md"))?;
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(language) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n") + "\n");
        }
    }
    Ok(blocks)
}

#[test]
fn the_session_comes_first_and_works() -> Result<()> {
    let text = fs::read_to_string(root().join("README.md"))?;
    let head: Vec<&str> = text.lines().take(10).collect();
    ensure!(
        head.iter()
            .any(|line| line.contains(">>> result = gc.remap(")),
        "the first ten lines show why one wants it"
    );
    let sessions = blocks("pycon")?;
    assert_eq!(sessions.len(), 1);
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("session.txt");
    fs::write(&file, &sessions[0])?;
    for flavour in ["release", "debug"] {
        run(command(python(flavour)?).args(["-m", "doctest"]).arg(&file))?;
    }
    Ok(())
}

/// Every folder and file that the table of folders names is there.
#[test]
fn the_folders_exist() -> Result<()> {
    let text = fs::read_to_string(root().join("README.md"))?;
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    ensure!(rows.len() > 5, "{rows:?}");
    for row in rows {
        let named = row.split('|').nth(1).context("a first column")?;
        for path in named.split('`').skip(1).step_by(2) {
            ensure!(root().join(path).exists(), "there is no {path}");
        }
    }
    Ok(())
}

#[test]
fn the_commands_work() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let environment = dir.path().join(".venv");
    let release = python("release")?;
    for block in blocks("console")? {
        for line in block.lines() {
            let typed = line
                .strip_prefix("$ ")
                .with_context(|| format!("not a command: {line}"))?;
            let mut command = match typed {
                // Nothing is left to do by now: it ends at once.
                "cargo xtask build-python --install-deps" => {
                    let mut command = command(xtask()?);
                    command.args(["build-python", "--install-deps"]);
                    command
                }
                // This test is one of those that it would run: it lists them.
                "cargo xtask test" => {
                    let mut command = command(xtask()?);
                    command.args(["test", "--", "--list"]);
                    command
                }
                "cargo xtask audit" => {
                    let mut command = command(xtask()?);
                    command.arg("audit");
                    command
                }
                // The theme runs among the tests: that the filter finds it is enough.
                "cargo xtask test dicts" => {
                    let mut command = command(xtask()?);
                    command.args(["test", "dicts", "--", "--list"]);
                    command
                }
                "build/debug/prefix/bin/python3 tests/conformance/test_dicts.py -v" => {
                    let mut command = command(python("debug")?);
                    // The leaks are what takes long, and are looked for elsewhere.
                    command.args(["-B", "tests/conformance/test_dicts.py", "-v", "--no-leaks"]);
                    command.current_dir(root());
                    command
                }
                // It measures for an hour, and on an idle machine.
                "cargo xtask bench" => {
                    let mut command = command(xtask()?);
                    command.args(["bench", "--help"]);
                    command
                }
                "build/release/prefix/bin/python3 -m venv .venv" => {
                    let mut command = command(&release);
                    command.args(["-m", "venv"]).arg(&environment);
                    command
                }
                ".venv/bin/python -m pip install numpy" => {
                    let mut command = command(environment.join("bin/python"));
                    command.args(["-m", "pip", "install", "--quiet", "--dry-run", "numpy"]);
                    command
                }
                ".venv/bin/python -c \"import gc; help(gc.remap)\"" => {
                    let mut command = command(environment.join("bin/python"));
                    command.args(["-c", "import gc; help(gc.remap)"]);
                    command
                }
                other => bail!("this test does not know the README's command `{other}`: teach it"),
            };
            let out = run(&mut command).with_context(|| typed.to_owned())?;
            if typed == "cargo xtask test" {
                ensure!(
                    out.contains("the_commands_work"),
                    "it does not list this test:\n{out}"
                );
            }
            if typed == "cargo xtask test dicts" {
                ensure!(
                    out.contains("release::dicts") && out.contains("debug::dicts"),
                    "{out}"
                );
            }
            if typed.contains("help(") {
                ensure!(out.contains("remap(mapping"), "{out}");
            }
        }
    }
    Ok(())
}
