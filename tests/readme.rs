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

#[test]
fn the_commands_work() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let environment = dir.path().join(".venv");
    let python = python("release")?;
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
                "build/release/prefix/bin/python3 -m venv .venv" => {
                    let mut command = command(&python);
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
            if typed.contains("help(") {
                ensure!(out.contains("remap(mapping"), "{out}");
            }
        }
    }
    Ok(())
}
