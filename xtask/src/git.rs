//! Git, with nothing of the user's own settings in it.
//!
//! Invariant: the same arguments on the same objects give the same bytes on every machine:
//! global and system configuration are off, the identity and the dates are fixed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::proc;

/// A repository, seen through one work tree and one index.
#[derive(Clone, Debug)]
pub struct Git {
    work_tree: PathBuf,
    index: Option<PathBuf>,
}

const DATE: &str = "2025-06-11T00:00:00+00:00";
pub const NAME: &str = "gc-remap patches";
pub const EMAIL: &str = "patches@gc-remap.invalid";

impl Git {
    pub fn at(work_tree: impl Into<PathBuf>) -> Self {
        Git {
            work_tree: work_tree.into(),
            index: None,
        }
    }

    /// The same repository through an index of its own, so that neither the work tree nor the
    /// user's index is touched.
    pub fn with_index(&self, index: &Path) -> Self {
        Git {
            index: Some(index.to_path_buf()),
            ..self.clone()
        }
    }

    pub fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = proc::command("git");
        command
            .arg("-C")
            .arg(&self.work_tree)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_OPTIONAL_LOCKS", "0");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), NAME)
                .env(format!("GIT_{who}_EMAIL"), EMAIL)
                .env(format!("GIT_{who}_DATE"), DATE);
        }
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.args(args);
        command
    }

    pub fn run<const N: usize>(&self, args: [&str; N]) -> Result<String> {
        proc::text(&mut self.command(args))
    }

    pub fn bytes<const N: usize>(&self, args: [&str; N]) -> Result<Vec<u8>> {
        proc::output(&mut self.command(args))
    }

    /// The id that `name` stands for, if it stands for one.
    pub fn resolve(&self, name: &str) -> Option<String> {
        self.run(["rev-parse", "--verify", "--quiet", name]).ok()
    }

    /// What has been begun in the work tree and not been brought to its end, if anything.
    pub fn under_way(&self) -> Result<Option<&'static str>> {
        for (file, name) in [
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
            ("MERGE_HEAD", "merge"),
        ] {
            let path = self.run(["rev-parse", "--git-path", file])?;
            if self.work_tree.join(path).exists() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    pub fn tree_of(&self, commit: &str) -> Result<String> {
        self.run(["rev-parse", "--verify", &format!("{commit}^{{tree}}")])
    }

    /// A commit object that depends on nothing but its arguments.
    pub fn commit_tree(&self, tree: &str, parent: Option<&str>, message: &str) -> Result<String> {
        let mut command = self.command(["commit-tree", tree, "-m", message]);
        if let Some(parent) = parent {
            command.args(["-p", parent]);
        }
        proc::text(&mut command)
    }
}
