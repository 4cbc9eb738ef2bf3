//! `cargo xtask audit`: is `tp_traverse_change` complete?
//!
//! The scripts in `tests/audit` do the work, with the built interpreter; the tool sees to it that
//! what they look at is up to date.

use std::process::Command;

use anyhow::{Result, bail};

use crate::build_python;
use crate::flavour::Flavour;
use crate::interpreter::Options;
use crate::proc;
use crate::project::Project;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask audit                # types, parity, every use of the macros, every field, circles\n  \
    cargo xtask audit --coverage     # and write docs/coverage.md")]
pub struct Args {
    /// Audit this interpreter; only a debug build knows which macro visits what
    #[arg(long, value_enum, default_value = "debug")]
    flavour: Flavour,
    /// Write docs/coverage.md, the table of all types and fields
    #[arg(long)]
    coverage: bool,
    /// Say also what could not be made or filled, and why
    #[arg(short, long)]
    verbose: bool,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let options = Options {
        jobs: build_python::jobs(None),
        install_deps: false,
    };
    build_python::build(project, &[args.flavour], None, &options)?;
    let mut failed = Vec::new();
    let mut scripts = vec!["audit.py", "fields.py", "circles.py"];
    if args.coverage {
        scripts.push("coverage.py");
    }
    for name in scripts {
        let mut command = Command::new(project.python(args.flavour));
        command
            .arg("-B")
            .arg(project.root.join("tests/audit").join(name))
            .current_dir(&project.root);
        if args.verbose && name != "coverage.py" {
            command.arg("--verbose");
        }
        if !proc::succeeds(&mut command)? {
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("problems were found by {}", failed.join(" and "));
    }
    Ok(())
}
