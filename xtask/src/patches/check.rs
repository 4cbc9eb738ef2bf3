//! `patches check`: the twin of `refresh`, through the same functions, that writes nothing.
//!
//! Every problem is collected and listed; the command fails once, at the end.

use anyhow::{Result, bail};

use super::refresh::series_of;
use super::series::{self, Series};
use crate::prefixes;
use crate::project::Project;
use crate::source_tree::SourceTree;

pub fn check(project: &Project, build_prefixes: bool, jobs: Option<usize>) -> Result<()> {
    let dir = project.series_dir();
    let listed = series::names(&dir)?;
    let mut problems = Vec::new();
    for file in series::patch_files(&dir)? {
        if !listed.contains(&file) {
            problems.push(format!("{file} is not listed in `series`"));
        }
    }
    let series = Series::read(&dir)?;
    for (i, (name, patch)) in series.patches.iter().enumerate() {
        if let Some(problem) = patch.header_problem() {
            problems.push(format!("{name} {problem}"));
        }
        if let Some((twin, _)) = series.patches[..i]
            .iter()
            .find(|(_, p)| p.diff == patch.diff)
        {
            problems.push(format!("{name} has the same diff as {twin}"));
        } else if let Some((twin, _)) = series.patches[..i]
            .iter()
            .find(|(_, p)| p.subject() == patch.subject())
        {
            problems.push(format!("{name} has the same subject as {twin}"));
        }
    }

    let tree = SourceTree::open(project)?;
    let applied = tree.apply(&series)?;
    for (step, (name, _)) in applied.iter().zip(&series.patches) {
        for line in step.remarks.lines().filter(|l| l.contains("offset")) {
            problems.push(format!("{name} applies at another line: {line}"));
        }
    }
    let tip = applied.last().map_or(&tree.pristine, |a| &a.commit);
    for name in series_of(&tree, &series, tip, None)?.differences(&dir)? {
        problems.push(format!("{name} is not what `refresh` would write"));
    }

    if !problems.is_empty() {
        bail!(
            "{} problem(s) in {}:\n  - {}\n`cargo xtask patches refresh` rewrites the files; the \
             rest is for you to mend.",
            problems.len(),
            project.show(&dir),
            problems.join("\n  - ")
        );
    }
    println!(
        "{} patches: all listed, each says why, each applies exactly, refreshing changes nothing",
        series.patches.len()
    );
    if build_prefixes {
        prefixes::build(project, &tree, &series, &applied, jobs)?;
    }
    Ok(())
}
