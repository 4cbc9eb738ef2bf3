//! `cargo xtask slots …`: the generated `tp_traverse_change` functions in `build/src`.
//!
//! The generator is part of the series, as a tool of CPython's own (`make regen-traverse-change`);
//! this only finds a Python to run it with.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::flavour::Flavour;
use crate::proc;
use crate::project::Project;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write the functions again, from tp_traverse and the blocks that say what fields may hold
    #[command(after_help = "Example:\n  cargo xtask slots generate && cargo xtask patches refresh")]
    Generate,
    /// Prove that every block fits its tp_traverse, and that its code is what follows from both
    Check,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let script = project
        .build
        .join("src/Tools/build/generate_traverse_change.py");
    ensure!(
        script.exists(),
        "there is no {}: run `cargo xtask patches apply`",
        project.show(&script)
    );
    let built = project.python(Flavour::Release);
    let mut command = if built.exists() {
        Command::new(built)
    } else {
        Command::new("python3")
    };
    command.arg(&script);
    if matches!(args.verb, Verb::Check) {
        command.arg("--check");
    }
    let current =
        proc::succeeds(&mut command).context("`cargo xtask build-python` makes a Python for it")?;
    if !current {
        bail!("the generated functions are not up to date: run `cargo xtask slots generate`");
    }
    Ok(())
}
