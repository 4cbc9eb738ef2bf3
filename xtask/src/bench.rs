//! `cargo xtask bench`: runs `benches/bench.py` with the built interpreter.
//!
//! What is measured, and how, is the script's own business; the tool sees to it that what it
//! measures is up to date.

use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::build_python;
use crate::flavour::Flavour;
use crate::interpreter::Options;
use crate::proc;
use crate::project::Project;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo xtask bench -- --help   # the options of the script")]
pub struct Args {
    /// Measure this interpreter
    #[arg(long, value_enum, default_value = "release")]
    flavour: Flavour,
    /// Arguments for benches/bench.py
    #[arg(last = true)]
    script: Vec<String>,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let script = project.root.join("benches/bench.py");
    ensure!(script.exists(), "there is no {}", project.show(&script));
    let options = Options {
        jobs: build_python::jobs(None),
        install_deps: false,
    };
    // The unpatched interpreter is what the script compares with.
    build_python::build(project, &[args.flavour, Flavour::Unpatched], None, &options)?;
    let mut command = Command::new(project.python(args.flavour));
    command
        .arg(&script)
        .args(&args.script)
        .current_dir(&project.root)
        .env(
            "GC_REMAP_UNPATCHED_PYTHON",
            project.python(Flavour::Unpatched),
        );
    if !proc::succeeds(&mut command)? {
        bail!("`{}` failed", proc::display(&command));
    }
    Ok(())
}
