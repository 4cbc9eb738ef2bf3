//! `patches check --prefixes`: every prefix of the series compiles.
//!
//! One source tree and one build tree serve for all of them, so that each patch costs only what
//! it changes. The engine is left out: the interpreter must compile without it at every point. It is
//! not optimised, which would take most of the time.

use anyhow::{Context, Result};

use crate::build_python;
use crate::git::Git;
use crate::interpreter::{Source, Tree, key_of};
use crate::patches::series::Series;
use crate::project::Project;
use crate::source_tree::{Applied, SourceTree};
use crate::step::Facts;

pub fn build(
    project: &Project,
    tree: &SourceTree,
    series: &Series,
    applied: &[Applied],
    jobs: Option<usize>,
) -> Result<()> {
    let dir = project.build.join("prefixes");
    let src = dir.join("src");
    tree.git.run(["worktree", "prune"])?;
    if !src.exists() {
        let path = src
            .to_str()
            .context("the build folder's path is not UTF-8")?;
        tree.git.run([
            "worktree",
            "add",
            "--quiet",
            "--detach",
            path,
            &tree.pristine,
        ])?;
    }
    let git = Git::at(&src);
    let build = Tree {
        name: "prefixes",
        dir: dir.join("tree"),
        logs: dir.join("logs"),
        stamps: dir.join("stamps"),
        asan: false,
    };
    let args = ["HAS_GIT=no-repository", "OPT=-O0 -Wall"].map(str::to_owned);
    for (i, (step, (name, _))) in applied.iter().zip(&series.patches).enumerate() {
        eprintln!("{}/{} {name}", i + 1, applied.len());
        git.run(["reset", "--quiet", "--hard", &step.commit])?;
        let content = git.tree_of(&step.commit)?;
        let configure = git.run(["ls-tree", &content, "configure", "pyconfig.h.in"])?;
        let source = Source {
            dir: src.clone(),
            configure: key_of(&[&configure]),
            content: content.clone(),
            library: content.clone(),
            patched: true,
        };
        let configured = build.configure(project, &source, &args, false)?;
        let facts = Facts::from([("source", content), ("configuration", configured)]);
        build
            .make(facts, build_python::jobs(jobs))
            .with_context(|| format!("the tree does not compile after {name}"))?;
    }
    println!("every prefix of the series compiles");
    Ok(())
}
