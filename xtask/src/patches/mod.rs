//! `cargo xtask patches …`: the series in `cpython-patches/` and the tree that it makes.
//!
//! The commits of `build/src` after the pristine one, with what is edited and not committed, are
//! the truth that `refresh` writes down; the files are the truth that `apply` puts there.

mod check;
pub mod patch;
mod refresh;
pub mod series;

use anyhow::{Result, bail};

use crate::lock::Lock;
use crate::project::Project;
use crate::source_tree::{SourceTree, series_key};
use series::Series;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Put the patched source into build/src
    #[command(
        after_help = "Example:\n  cargo xtask patches apply --force   # drop the edits in build/src"
    )]
    Apply {
        /// Replace edits in build/src; they stay reachable under refs/gc-remap/dropped/
        #[arg(long)]
        force: bool,
    },
    /// Write the patches again from the commits and the edits in build/src
    #[command(after_help = "Examples:\n  \
        cargo xtask patches refresh                      # edits go to the last patch whose files cover them\n  \
        cargo xtask patches refresh --into 0003-dict.patch\n  \
        git -C build/src commit -a && cargo xtask patches refresh   # a commit becomes a patch")]
    Refresh {
        /// Fold uncommitted edits into this patch
        #[arg(long, value_name = "PATCH")]
        into: Option<String>,
    },
    /// Make a new patch of the uncommitted edits in build/src
    #[command(
        after_help = "Example:\n  cargo xtask patches new dict-repair -m 'dict: repair the index' -m 'Why it is needed.'"
    )]
    New {
        /// Name of the patch file, without number and suffix
        name: String,
        /// Header: the first -m is the subject, each further one a paragraph that says why
        #[arg(short, long, required = true)]
        message: Vec<String>,
    },
    /// Prove that the series is complete, applies exactly, and that refreshing changes nothing
    #[command(
        after_help = "Example:\n  cargo xtask patches check --prefixes   # also build every prefix of the series"
    )]
    Check {
        /// Configure and compile the tree after each patch
        #[arg(long)]
        prefixes: bool,
        /// Compile with N jobs at once
        #[arg(short, long, value_name = "N")]
        jobs: Option<usize>,
    },
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let _lock = Lock::acquire(&project.build)?;
    crate::half_made::sweep(&project.build)?;
    match &args.verb {
        Verb::Apply { force } => apply(project, *force),
        Verb::Refresh { into } => refresh::refresh(project, into.as_deref()),
        Verb::New { name, message } => refresh::new(project, name, &message.join("\n\n")),
        Verb::Check { prefixes, jobs } => check::check(project, *prefixes, *jobs),
    }
}

fn apply(project: &Project, force: bool) -> Result<()> {
    let series = Series::read(&project.series_dir())?;
    let tree = SourceTree::open(project)?;
    if let Some(edits) = tree.edits()? {
        if !force {
            bail!(
                "{} holds {edits}. `cargo xtask patches refresh` turns them into patches; \
                 `cargo xtask patches apply --force` replaces them.",
                project.show(&project.src())
            );
        }
        let name = tree.stash_away()?;
        eprintln!(
            "the edits are kept as {name} in the repository {}",
            project.show(&project.src())
        );
    }
    let tip = tree
        .apply(&series)?
        .pop()
        .map_or(tree.pristine.clone(), |a| a.commit);
    tree.checkout(&tip, &series_key(&series))?;
    println!(
        "{}: {} patches applied",
        project.show(&project.src()),
        series.patches.len()
    );
    Ok(())
}
