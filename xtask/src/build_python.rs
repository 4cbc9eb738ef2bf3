//! `cargo xtask build-python`: from the pin and the series to an installed interpreter.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::flavour::Flavour;
use crate::half_made;
use crate::interpreter::{self, Options, Source, key_of};
use crate::lock::Lock;
use crate::patches::series::Series;
use crate::project::Project;
use crate::source_tree::SourceTree;
use crate::vendor;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask build-python --install-deps   # the first time, on Debian or Ubuntu\n  \
    cargo xtask build-python --debug          # beside it, with the interpreter's own assertions\n  \
    cargo xtask build-python --source Python-3.13.5.tar.xz   # without any network")]
pub struct Args {
    #[command(flatten)]
    flavour: FlavourArgs,
    /// Take the archive of CPython from this file instead of looking for it
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// Install missing system packages with apt-get
    #[arg(long)]
    install_deps: bool,
    /// Compile with N jobs at once [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct FlavourArgs {
    /// Build with --with-pydebug
    #[arg(long)]
    debug: bool,
    /// Build with the address sanitizer
    #[arg(long)]
    asan: bool,
    /// Build with profile-guided optimisation (slow)
    #[arg(long)]
    pgo: bool,
    /// Build the pristine source, to compare with
    #[arg(long)]
    unpatched: bool,
}

impl FlavourArgs {
    fn flavour(&self) -> Flavour {
        match self {
            FlavourArgs { debug: true, .. } => Flavour::Debug,
            FlavourArgs { asan: true, .. } => Flavour::Asan,
            FlavourArgs { pgo: true, .. } => Flavour::Pgo,
            FlavourArgs {
                unpatched: true, ..
            } => Flavour::Unpatched,
            _ => Flavour::Release,
        }
    }
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let options = Options {
        jobs: jobs(args.jobs),
        install_deps: args.install_deps,
    };
    let flavour = args.flavour.flavour();
    build(project, &[flavour], args.source.as_deref(), &options)?;
    println!("{}", project.show(&project.python(flavour)));
    Ok(())
}

pub fn jobs(wanted: Option<usize>) -> usize {
    wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Brings the interpreters of `flavours` up to date.
pub fn build(
    project: &Project,
    flavours: &[Flavour],
    archive: Option<&Path>,
    options: &Options,
) -> Result<()> {
    let _lock = Lock::acquire(&project.build)?;
    half_made::sweep(&project.build)?;
    if archive.is_some() {
        vendor::vendor(project, archive)?;
    }
    for &flavour in flavours {
        let source = if flavour.patched() {
            patched_source(project)?
        } else {
            pristine_source(project)?
        };
        interpreter::build(project, flavour, &source, options)?;
    }
    Ok(())
}

fn patched_source(project: &Project) -> Result<Source> {
    let series = Series::read(&project.series_dir())?;
    let tree = SourceTree::open(project)?;
    tree.sync(project, &series)?;
    let content = tree.content()?;
    let configure = tree
        .git
        .run(["ls-tree", &content, "configure", "pyconfig.h.in"])?;
    let all = tree.git.run(["ls-tree", &content])?;
    let setup = tree.git.run([
        "ls-tree",
        &content,
        "Modules/Setup.bootstrap.in",
        "Modules/Setup.stdlib.in",
        "Modules/Setup",
    ])?;
    let is_code = |line: &&str| {
        ["Modules", "Objects", "Parser", "Programs", "Python"]
            .iter()
            .any(|dir| line.ends_with(&format!("\t{dir}")))
    };
    let mut library: Vec<&str> = all.lines().filter(|line| !is_code(line)).collect();
    library.push(&setup);
    Ok(Source {
        dir: project.src(),
        configure: key_of(&[&configure]),
        library: key_of(&library),
        patched: !series.patches.is_empty(),
        content,
    })
}

fn pristine_source(project: &Project) -> Result<Source> {
    vendor::vendor(project, None)?;
    let content = project.pin.sha256.clone();
    Ok(Source {
        dir: project.pristine(),
        configure: content.clone(),
        library: content.clone(),
        patched: false,
        content,
    })
}
