//! `patches refresh` and `patches new`: from the tree to the files.
//!
//! Invariant: before a file is written, the new series has been applied in memory and has given
//! exactly the content of the tree; afterwards the tree's commits are those of the series.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

use super::patch::slug;
use super::series::Series;
use crate::git::Git;
use crate::half_made;
use crate::project::Project;
use crate::source_tree::{SourceTree, patch_of, series_key};

pub fn refresh(project: &Project, into: Option<&str>) -> Result<()> {
    let tree = SourceTree::open(project)?;
    let old = Series::read(&project.series_dir())?;
    ensure_known(project, &tree, &old)?;
    let content = tree.content()?;
    let head = tree.head()?;
    let mut tip = head.clone();

    let edited = tree.changed_files(&head, &content)?;
    if !edited.is_empty() {
        let commits = commits(&tree, &head)?;
        let target = choose(&tree, &old, &commits, &edited, into)?;
        let subject = tree.git.run(["log", "-1", "--format=%s", &target])?;
        eprintln!("folding {} edited file(s) into \"{subject}\"", edited.len());
        tip = tree
            .git
            .commit_tree(&content, Some(&head), &format!("fixup! {target}"))?;
    } else if into.is_some() {
        bail!("--into: build/src holds no uncommitted edits to fold");
    }
    tip = autosquash(project, &tree, &tip)?;
    write(project, &tree, &old, &tip, &content, None)
}

pub fn new(project: &Project, name: &str, message: &str) -> Result<()> {
    ensure!(
        slug(name) == name,
        "a patch's name has lower-case letters, digits, `-` and `_` only; try `{}`",
        slug(name)
    );
    let tree = SourceTree::open(project)?;
    let old = Series::read(&project.series_dir())?;
    ensure_known(project, &tree, &old)?;
    let content = tree.content()?;
    let head = tree.head()?;
    ensure!(
        tree.git.tree_of(&head)? != content,
        "build/src holds no uncommitted edits to make a patch of"
    );
    let tip = tree.git.commit_tree(&content, Some(&head), message)?;
    let tip = autosquash(project, &tree, &tip)?;
    write(project, &tree, &old, &tip, &content, Some(name))
}

/// Refreshing from a tree that does not contain the series would delete patches that somebody
/// else has just added, and in the middle of a rebase those that have not been applied again.
fn ensure_known(project: &Project, tree: &SourceTree, series: &Series) -> Result<()> {
    if let Some(what) = tree.git.under_way()? {
        bail!(
            "a {what} is under way in {src}, of which HEAD is not the end: \
             `git -C {src} {what} --continue` or `--abort` first",
            src = project.show(&project.src())
        );
    }
    if tree.edits()?.is_none() {
        return tree.sync(project, series);
    }
    if tree.is_based_on(&series_key(series)) {
        return Ok(());
    }
    bail!(
        "{src} was not made from the present series (which has changed since): refreshing would \
         undo that change. Commit your edits in {src}, `cargo xtask patches apply --force`, and \
         cherry-pick them from the reference that it names.",
        src = project.show(&project.src())
    )
}

/// The commits after the pristine one, oldest first.
pub fn commits(tree: &SourceTree, tip: &str) -> Result<Vec<String>> {
    let range = format!("{}..{tip}", tree.pristine);
    let merges = tree.git.run(["rev-list", "--merges", &range])?;
    ensure!(
        merges.is_empty(),
        "build/src has merge commits; a series is a straight line: rebase it"
    );
    let list = tree
        .git
        .run(["rev-list", "--reverse", "--topo-order", &range])?;
    let commits: Vec<String> = list.lines().map(str::to_owned).collect();
    let first = commits.first().map(|c| format!("{c}^"));
    if let Some(parent) = first {
        ensure!(
            tree.git.resolve(&parent).as_ref() == Some(&tree.pristine),
            "the commits in build/src do not stand on the pristine one"
        );
    }
    Ok(commits)
}

/// The commit that edits belong to: the one asked for, else the last whose files cover them,
/// else the top.
fn choose(
    tree: &SourceTree,
    old: &Series,
    commits: &[String],
    edited: &[String],
    into: Option<&str>,
) -> Result<String> {
    let top = commits
        .last()
        .context("the series is empty: make a patch of the edits with `cargo xtask patches new`")?;
    if let Some(wanted) = into {
        let (_, patch) = old
            .patches
            .iter()
            .find(|(name, _)| name == wanted || name.trim_end_matches(".patch") == wanted)
            .with_context(|| format!("--into: the series has no patch {wanted}"))?;
        for commit in commits {
            if tree.git.run(["log", "-1", "--format=%s", commit])? == patch.subject() {
                return Ok(commit.clone());
            }
        }
        bail!("--into: no commit in build/src has the subject of {wanted}");
    }
    for commit in commits.iter().rev() {
        let files = tree.changed_files(&format!("{commit}^"), commit)?;
        if edited.iter().all(|file| files.contains(file)) {
            return Ok(commit.clone());
        }
    }
    Ok(top.clone())
}

/// Folds `fixup!` and `squash!` commits, in a work tree of its own so that the times of the
/// files in build/src stay as they are.
fn autosquash(project: &Project, tree: &SourceTree, tip: &str) -> Result<String> {
    let range = format!("{}..{tip}", tree.pristine);
    let subjects = tree.git.run(["log", "--format=%s", &range])?;
    let is_fixup = |s: &str| {
        ["fixup! ", "squash! ", "amend! "]
            .iter()
            .any(|p| s.starts_with(p))
    };
    if !subjects.lines().any(is_fixup) {
        return Ok(tip.to_owned());
    }
    let temp = half_made::dir_in(&project.build)?;
    let path = temp.path().join("tree");
    let path = path
        .to_str()
        .context("the build folder's path is not UTF-8")?;
    tree.git.run(["worktree", "prune"])?;
    tree.git
        .run(["worktree", "add", "--quiet", "--detach", path, tip])?;
    let git = Git::at(path);
    let mut rebase = git.command([
        "rebase",
        "--quiet",
        "--interactive",
        "--autosquash",
        &tree.pristine,
    ]);
    let rebased = crate::proc::output(
        rebase
            .env("GIT_SEQUENCE_EDITOR", "true")
            .env("GIT_EDITOR", "true"),
    )
    .and_then(|_| git.run(["rev-parse", "HEAD"]));
    drop(temp);
    tree.git.run(["worktree", "prune"])?;
    rebased.context(
        "the edits cannot be folded there, because a later patch changes the same lines: \
         name that one with --into, or rebase by hand in build/src",
    )
}

fn write(
    project: &Project,
    tree: &SourceTree,
    old: &Series,
    tip: &str,
    content: &str,
    top_name: Option<&str>,
) -> Result<()> {
    let series = series_of(tree, old, tip, top_name)?;
    for (name, patch) in &series.patches {
        if let Some(problem) = patch.header_problem() {
            bail!("{name} {problem} (reword its commit: `git -C build/src rebase -i`)");
        }
    }
    let canonical = tree
        .apply(&series)?
        .pop()
        .map_or(tree.pristine.clone(), |a| a.commit);
    ensure!(
        tree.git.tree_of(&canonical)? == content,
        "the patches would not give back the content of build/src; nothing was written"
    );
    let changes = series.write(&project.series_dir())?;
    // Same content, other commits: the files and their times are not touched.
    tree.checkout(&canonical, &series_key(&series))?;
    for name in &changes {
        let path = project.series_dir().join(name);
        let did = if path.exists() { "wrote" } else { "removed" };
        println!("{did} {}", project.show(&path));
    }
    println!(
        "{} patches, {} file(s) changed",
        series.patches.len(),
        changes.len()
    );
    Ok(())
}

/// The series that the commits up to `tip` stand for. A patch keeps the file name that it has;
/// a new one is numbered after the highest and named after its subject or `top_name`.
pub fn series_of(
    tree: &SourceTree,
    old: &Series,
    tip: &str,
    top_name: Option<&str>,
) -> Result<Series> {
    let mut unclaimed: Vec<(&str, &str)> = old
        .patches
        .iter()
        .map(|(name, patch)| (patch.subject(), name.as_str()))
        .collect();
    let number = |name: &str| {
        name.split_once('-')
            .and_then(|(n, _)| n.parse::<u32>().ok())
    };
    let mut next = unclaimed
        .iter()
        .filter_map(|(_, name)| number(name))
        .max()
        .unwrap_or(0)
        + 1;

    let commits = commits(tree, tip)?;
    let mut series = Series::default();
    let mut taken = BTreeSet::new();
    for (i, commit) in commits.iter().enumerate() {
        let patch = patch_of(&tree.git, commit)?;
        let known = unclaimed
            .iter()
            .position(|(subject, _)| *subject == patch.subject());
        let name = match known {
            Some(at) => unclaimed.remove(at).1.to_owned(),
            None => {
                let slug = match top_name {
                    Some(name) if i + 1 == commits.len() => name.to_owned(),
                    _ => slug(patch.subject()),
                };
                next += 1;
                format!("{:04}-{slug}.patch", next - 1)
            }
        };
        ensure!(
            taken.insert(name.clone()),
            "two patches would be called {name}"
        );
        series.patches.push((name, patch));
    }
    Ok(series)
}
