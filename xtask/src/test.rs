//! `cargo xtask test`: interpreters up to date, then every test of the workspace.

use std::process::Command;

use anyhow::{Result, bail};

use crate::build_python;
use crate::flavour::Flavour;
use crate::interpreter::Options;
use crate::proc;
use crate::project::Project;
use crate::suite;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask test                      # everything, on release and debug interpreters\n  \
    cargo xtask test --flavour asan dict  # the tests with `dict` in their names, on the asan build too\n  \
    cargo xtask test --flavour asan asan  # those that are about that build alone\n  \
    cargo xtask test --cpython-suite      # CPython's whole suite, patched against unpatched\n  \
    cargo xtask test -- --list            # arguments after -- go to the test runner")]
pub struct Args {
    /// Have GC_REMAP_FLAVOUR name this one for tests that run on one interpreter; those that need
    /// the asan build run only with `asan`
    #[arg(long, value_enum)]
    flavour: Option<Flavour>,
    /// Compile with N jobs at once [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Run CPython's whole test suite instead, patched against unpatched (an hour on 2 cores)
    #[arg(long, conflicts_with_all = ["filter", "runner", "flavour"])]
    cpython_suite: bool,
    /// Run only the tests whose names contain this
    filter: Option<String>,
    /// Arguments for the test runner
    #[arg(last = true)]
    runner: Vec<String>,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let jobs = build_python::jobs(args.jobs);
    let mut flavours = vec![Flavour::Release, Flavour::Debug];
    if args.cpython_suite {
        flavours = vec![Flavour::Release, Flavour::Unpatched];
    }
    if let Some(flavour) = args.flavour
        && !flavours.contains(&flavour)
    {
        flavours.push(flavour);
    }
    let options = Options {
        jobs,
        install_deps: false,
    };
    // The lock is free again after this: tests may call the tool themselves.
    build_python::build(project, &flavours, None, &options)?;

    if args.cpython_suite {
        return suite::run(project, jobs);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    let listing = args.runner.iter().any(|arg| arg == "--list");
    let asan = args.flavour == Some(Flavour::Asan);
    if proc::output(proc::command(&cargo).args(["nextest", "--version"])).is_ok() {
        let verb = if listing { "list" } else { "run" };
        command
            .args(["nextest", verb, "--workspace"])
            .args(&args.filter);
        if asan {
            command.args(["--run-ignored", "all"]);
        }
        command.args(args.runner.iter().filter(|arg| *arg != "--list"));
    } else {
        command.args(["test", "--workspace"]).args(&args.filter);
        command.arg("--");
        if asan {
            command.arg("--include-ignored");
        }
        command.args(&args.runner);
    }
    command.current_dir(&project.root);
    if let Some(flavour) = args.flavour {
        command.env("GC_REMAP_FLAVOUR", flavour.name());
    }
    if !proc::succeeds(&mut command)? {
        bail!("`{}` failed", proc::display(&command));
    }
    Ok(())
}
