//! The engine crate, compiled into the archive that the interpreter links.
//!
//! Invariant: the archive in `build/<flavour>/engine` is replaced only when its bytes differ, so
//! that `make` relinks when, and only when, the engine has changed.

use std::path::PathBuf;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::flavour::Flavour;
use crate::half_made;
use crate::hash::Hasher;
use crate::proc;
use crate::project::Project;
use crate::step::{Facts, Step};
use crate::ui::Task;

/// The archive that `configure --with-remap-engine` is given.
pub fn archive(project: &Project, flavour: Flavour) -> PathBuf {
    project.flavour_dir(flavour).join("engine/libgc_remap.a")
}

/// Compiles the engine against the configured headers; returns the hash of the archive.
pub fn build(
    project: &Project,
    flavour: Flavour,
    source: &str,
    configured: &str,
) -> Result<String> {
    let dir = project.flavour_dir(flavour);
    let archive = archive(project, flavour);
    let mut hasher = Hasher::default();
    for path in [
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "build.rs",
        "src",
    ] {
        hasher.add_path(&project.root, path)?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = |program: &std::ffi::OsStr| {
        proc::text(proc::command(program).arg("-vV").current_dir(&project.root))
    };
    let facts = Facts::from([
        ("engine", hasher.finish()),
        ("source", source.to_owned()),
        ("configuration", configured.to_owned()),
        ("cargo", version(&cargo)?),
        ("rustc", version("rustc".as_ref())?),
        ("RUSTFLAGS", std::env::var("RUSTFLAGS").unwrap_or_default()),
    ]);
    let step = Step::new(dir.join("stamps/engine.json"), facts);
    if !(step.is_current() && archive.exists()) {
        step.begin()?;
        compile(project, flavour, &cargo)?;
        let made = project.engine_target(flavour).join("release/libgc_remap.a");
        let bytes = fs::read(made)?;
        if fs::read(&archive).ok().as_ref() != Some(&bytes) {
            half_made::write(&archive, &bytes)?;
        }
        step.end()?;
    }
    Ok(Hasher::default().add(fs::read(&archive)?).finish())
}

fn compile(project: &Project, flavour: Flavour, cargo: &std::ffi::OsStr) -> Result<()> {
    let dir = project.flavour_dir(flavour);
    let mut command = proc::command(cargo);
    command
        .args([
            "build",
            "--release",
            "--package",
            "gc-remap",
            "--lib",
            "--target-dir",
        ])
        .arg(project.engine_target(flavour))
        .current_dir(&project.root)
        .env("GC_REMAP_CPYTHON_SRC", project.src())
        .env("GC_REMAP_CPYTHON_BUILD", dir.join("tree"))
        // What `cargo xtask` itself was started with is none of the engine's business.
        .env_remove("CARGO_TARGET_DIR");
    if flavour.checks_engine() {
        command.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    }
    let task = Task::spinner(format!("{}: compile the engine", flavour.name()));
    proc::logged(
        &mut command,
        &dir.join("logs/engine.log"),
        &task,
        |task, line| {
            task.message(line.trim());
        },
    )
    .context("the engine does not compile")?;
    task.done();
    Ok(())
}
