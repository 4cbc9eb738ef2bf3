//! The package `hotreload`: its own tests, run by pytest on the patched interpreter, with the real
//! web frameworks and the real Jupyter.

mod common;

use anyhow::{Result, ensure};
use common::{command, root, run, venv};

fn pytest(files: &[&str]) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let python = venv("release", &dir.path().join("venv"))?;
    // A copy: building leaves its traces.
    let package = dir.path().join("hotreload");
    run(command("cp")
        .arg("-r")
        .arg(root().join("hotreload"))
        .arg(&package))?;
    run(command(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .arg(format!("{}[test]", package.display())))?;
    let tests = root().join("tests/hotreload");
    let out = run(command(&python)
        .args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .args(files.iter().map(|file| tests.join(file)))
        .current_dir(dir.path()))?;
    let summary = out.lines().last().unwrap_or_default();
    ensure!(
        summary.contains(" passed") && !summary.contains(" failed"),
        "{out}"
    );
    println!("{summary}");
    Ok(())
}

#[test]
fn reloads() -> Result<()> {
    pytest(&[
        "test_changes.py",
        "test_main_program.py",
        "test_reload.py",
        "test_rollback.py",
        "test_stress.py",
        "test_command_line.py",
    ])
}

#[test]
fn the_battery_passes() -> Result<()> {
    pytest(&["test_battery.py"])
}

#[test]
fn recipes_work_with_the_real_packages() -> Result<()> {
    pytest(&["test_recipes.py", "test_jupyter.py"])
}

#[test]
fn the_package_comes_with_the_interpreter() -> Result<()> {
    let python = common::python("release")?;
    let out =
        run(command(python).args(["-c", "import hotreload; print(hotreload.reload.__name__)"]))?;
    assert_eq!(out, "reload\n");
    Ok(())
}
