//! `cargo xtask`: builds the interpreter with `gc.remap` from a pinned CPython and a patch series.
//!
//! This file only dispatches; each verb has a file of its own.

mod audit;
mod bench;
mod build_python;
mod deps;
mod engine;
mod fetch;
mod flavour;
mod git;
mod half_made;
mod hash;
mod hotreload;
mod interpreter;
mod lock;
mod patches;
mod prefixes;
mod proc;
mod project;
mod slots;
mod source_tree;
mod step;
mod suite;
mod test;
mod ui;
mod validate;
mod vendor;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, about, max_term_width = 100)]
struct Cli {
    /// Build here instead of in build/
    #[arg(long, global = true, value_name = "DIR", env = "GC_REMAP_BUILD_DIR")]
    build_dir: Option<PathBuf>,
    /// Work on another project folder (for the tool's own tests)
    #[arg(long, global = true, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Build the interpreter and install it into build/<flavour>/prefix
    BuildPython(build_python::Args),
    /// Fetch, verify and extract the pristine source into vendor/; later steps work offline
    Vendor(vendor::Args),
    /// Work on the patch series in cpython-patches/
    Patches(patches::Args),
    /// Work on the generated tp_traverse_change functions in build/src
    Slots(slots::Args),
    /// Prove that tp_traverse_change is complete, over a heap with every type in it
    Audit(audit::Args),
    /// Bring the interpreters up to date and run all tests of the workspace
    Test(test::Args),
    /// Measure the built interpreter with benches/bench.py
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result =
        project::Project::open(cli.root.as_deref(), cli.build_dir.as_deref()).and_then(|project| {
            match cli.verb {
                Verb::BuildPython(args) => build_python::run(&project, &args),
                Verb::Vendor(args) => vendor::run(&project, &args),
                Verb::Patches(args) => patches::run(&project, &args),
                Verb::Slots(args) => slots::run(&project, &args),
                Verb::Audit(args) => audit::run(&project, &args),
                Verb::Test(args) => test::run(&project, &args),
                Verb::Bench(args) => bench::run(&project, &args),
            }
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
