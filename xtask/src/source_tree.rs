//! `build/src`: the patched source as a git repository of the tool's making.
//!
//! Its first commit is the pristine source; one commit a patch follows. Git moves the tree from
//! one state of the series to another, so only files that differ get new times and `make`
//! compiles only those.
//!
//! Invariant: what a developer has edited or committed here is never overwritten unasked. The
//! tool knows its own work by the record it keeps of the last commit that it checked out, and an
//! interrupted checkout by a note that it leaves before it begins.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::git::{self, Git};
use crate::half_made;
use crate::hash::Hasher;
use crate::patches::patch::Patch;
use crate::patches::series::Series;
use crate::proc;
use crate::project::Project;
use crate::ui::{Task, note};
use crate::vendor;

const PRISTINE: &str = "refs/gc-remap/pristine";
const BRANCH: &str = "refs/heads/patched";

/// What the compiler, the interpreter and editors leave behind; never part of a patch.
const EXCLUDE: &str = "__pycache__/\n*.py[cod]\n*.orig\n*.rej\n*~\n.*.swp\nautom4te.cache/\n";

/// What the tool last put into the tree.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// Hash of the series that was applied.
    series: String,
    /// The commit that it gave.
    tip: String,
}

pub struct SourceTree {
    pub git: Git,
    pub pristine: String,
}

/// How a patch went on.
pub struct Applied {
    pub commit: String,
    /// What `git apply` said: offsets are mentioned here.
    pub remarks: String,
}

impl SourceTree {
    /// Opens the repository, making it from the pristine tree if need be, and finishes a
    /// checkout that was interrupted.
    pub fn open(project: &Project) -> Result<Self> {
        let message = format!(
            "pristine\n\nCPython {}, {}, SHA-256 {}",
            project.pin.version, project.pin.archive, project.pin.sha256
        );
        let src = project.src();
        if !src.join(".git").is_dir() {
            create(project, &src, &message)?;
        }
        let git = Git::at(&src);
        let pristine = git.resolve(PRISTINE).with_context(|| {
            format!(
                "{0} was not made by this tool: move it away",
                project.show(&src)
            )
        })?;
        if git.run(["log", "-1", "--format=%B", &pristine])?.trim() != message {
            bail!(
                "{0} is made from another CPython than cpython.toml pins; move your work out of it, \
                 remove it, and run this command again",
                project.show(&src)
            );
        }
        let tree = SourceTree { git, pristine };
        half_made::sweep(&tree.private(""))?;
        tree.finish_checkout()?;
        Ok(tree)
    }

    fn private(&self, name: &str) -> PathBuf {
        self.git.work_tree().join(".git").join(name)
    }

    fn record(&self) -> Record {
        fs::read(self.private("gc-remap.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    pub fn head(&self) -> Result<String> {
        self.git.run(["rev-parse", "--verify", "HEAD"])
    }

    /// The content of the work tree as a git tree id, edits and new files included.
    pub fn content(&self) -> Result<String> {
        let temp = half_made::file_in(&self.private(""))?;
        // Git's index remembers the times of files that it has read: start from a copy.
        let index = self.private("index");
        fs::copy(&index, temp.path())?;
        // It distrusts files that are as new as the index itself: keep that time.
        temp.as_file()
            .set_modified(fs::metadata(&index)?.modified()?)?;
        let git = self.git.with_index(temp.path());
        git.run(["add", "--all"])?;
        git.run(["write-tree"])
    }

    /// The names of the files that were edited and not committed.
    pub fn uncommitted(&self) -> Result<Vec<String>> {
        let content = self.content()?;
        self.changed_files("HEAD", &content)
    }

    pub fn changed_files(&self, from: &str, to: &str) -> Result<Vec<String>> {
        let out = self.git.run([
            "diff-tree",
            "-r",
            "-z",
            "--no-renames",
            "--name-only",
            from,
            to,
        ])?;
        Ok(out
            .split('\0')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// What the developer did since the tool last wrote here; `None` if nothing.
    pub fn edits(&self) -> Result<Option<String>> {
        let files = self.uncommitted()?.len();
        let moved = self.head()? != self.record().tip;
        Ok(match (moved, files) {
            (false, 0) => None,
            (false, n) => Some(format!("{n} edited file(s)")),
            (true, 0) => Some("commits of your own".to_owned()),
            (true, n) => Some(format!("commits of your own and {n} edited file(s)")),
        })
    }

    /// Whether the tool's last work here was this series.
    pub fn is_based_on(&self, series: &str) -> bool {
        self.record().series == series
    }

    /// Brings the tree to the series, unless it holds edits: those are kept and mentioned.
    pub fn sync(&self, project: &Project, series: &Series) -> Result<()> {
        let record = self.record();
        let key = series_key(series);
        if let Some(edits) = self.edits()? {
            note(format!(
                "{src} holds {edits}: built as it is. `cargo xtask patches refresh` turns them \
                 into patches, `cargo xtask patches apply --force` drops them.",
                src = project.show(self.git.work_tree()),
            ));
            if record.series != key {
                note("the series has changed as well, and is not applied because of the edits");
            }
            return Ok(());
        }
        if record.series == key {
            return Ok(());
        }
        let task = Task::spinner(format!("apply {} patches", series.patches.len()));
        let tip = self
            .apply(series)?
            .pop()
            .map_or(self.pristine.clone(), |a| a.commit);
        self.checkout(&tip, &key)?;
        task.done();
        Ok(())
    }

    /// Applies the series in the object database only, one commit a patch, with no fuzz.
    pub fn apply(&self, series: &Series) -> Result<Vec<Applied>> {
        let temp = half_made::dir_in(&self.private(""))?;
        let git = self.git.with_index(&temp.path().join("index"));
        git.run(["read-tree", &self.pristine])?;
        let mut parent = self.pristine.clone();
        let mut applied = Vec::new();
        for (name, patch) in &series.patches {
            let file = temp.path().join("patch");
            fs::write(&file, &patch.diff)?;
            let mut command =
                git.command(["apply", "--cached", "--verbose", "--whitespace=nowarn"]);
            let out = command
                .arg(&file)
                .output()
                .context("cannot run git apply")?;
            let remarks = String::from_utf8_lossy(&out.stderr).into_owned();
            if !out.status.success() {
                bail!(
                    "{name} does not apply:\n{remarks}Mend it in the tree that it was made from \
                     (`cargo xtask patches refresh` there), or correct the order in `series`."
                );
            }
            let tree = git.run(["write-tree"])?;
            parent = git.commit_tree(&tree, Some(&parent), patch.header.trim_end())?;
            applied.push(Applied {
                commit: parent.clone(),
                remarks,
            });
        }
        Ok(applied)
    }

    /// Puts `tip`, which `series` gave, into the work tree. Only files that differ are written.
    pub fn checkout(&self, tip: &str, series: &str) -> Result<()> {
        let record = Record {
            series: series.to_owned(),
            tip: tip.to_owned(),
        };
        half_made::write(
            &self.private("gc-remap-checkout.json"),
            serde_json::to_vec(&record)?,
        )?;
        self.finish_checkout()
    }

    fn finish_checkout(&self) -> Result<()> {
        let pending = self.private("gc-remap-checkout.json");
        let Ok(bytes) = fs::read(&pending) else {
            return Ok(());
        };
        let record: Record = serde_json::from_slice(&bytes)?;
        // Git's own locks, if a run was killed here; the tool's lock says that nobody holds them.
        for lock in ["index.lock", "HEAD.lock", "refs/heads/patched.lock"] {
            let _ = fs::remove_file(self.private(lock));
        }
        self.git.run(["symbolic-ref", "HEAD", BRANCH])?;
        self.git.run(["reset", "--quiet", "--hard", &record.tip])?;
        self.git.run(["clean", "--quiet", "--force", "-d"])?;
        half_made::write(&self.private("gc-remap.json"), serde_json::to_vec(&record)?)?;
        fs::remove_file(pending)?;
        Ok(())
    }

    /// Keeps what the work tree holds under a reference, so that `--force` loses nothing.
    pub fn stash_away(&self) -> Result<String> {
        let tree = self.content()?;
        let commit = self.git.commit_tree(
            &tree,
            Some(&self.head()?),
            "edits dropped by patches apply --force",
        )?;
        let name = format!("refs/gc-remap/dropped/{}", &commit[..12]);
        self.git.run(["update-ref", &name, &commit])?;
        Ok(name)
    }
}

/// What identifies a series: the names and the bytes of its patches, in order.
pub fn series_key(series: &Series) -> String {
    let mut hasher = Hasher::default();
    for (name, patch) in &series.patches {
        hasher.add(name).add(patch.to_bytes());
    }
    hasher.finish()
}

/// Makes the repository beside its final place and renames it.
fn create(project: &Project, src: &Path, message: &str) -> Result<()> {
    if src.exists() {
        bail!(
            "{} exists and is not a repository of this tool: move it away",
            project.show(src)
        );
    }
    vendor::vendor(project, None)?;
    let task = Task::spinner("copy the pristine source");
    let temp = half_made::dir_in(&project.build)?;
    let git = Git::at(temp.path());
    git.run(["init", "--quiet", "--initial-branch=patched"])?;
    for (name, value) in [
        ("user.name", git::NAME),
        ("user.email", git::EMAIL),
        ("commit.gpgSign", "false"),
        ("core.autocrlf", "false"),
        ("core.fsmonitor", "false"),
        // No background process may outlive the tool in here.
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
    ] {
        git.run(["config", name, value])?;
    }
    fs::write(temp.path().join(".git/info/exclude"), EXCLUDE)?;
    // Byte for byte, whatever the tree's own attributes may come to say.
    fs::write(
        temp.path().join(".git/info/attributes"),
        "* -text -ident -filter\n",
    )?;

    let pristine = project.pristine();
    // Read from where it is: the checkout below is the copy.
    let mut add = Git::at(&pristine).command([
        "--git-dir".as_ref(),
        temp.path().join(".git").as_os_str(),
        "--work-tree=.".as_ref(),
        "add".as_ref(),
        "--all".as_ref(),
        ".".as_ref(),
    ]);
    proc::output(&mut add)?;
    let tree = git.run(["write-tree"])?;
    let commit = git.commit_tree(&tree, None, message)?;
    git.run(["update-ref", PRISTINE, &commit])?;
    git.run(["reset", "--quiet", "--hard", &commit])?;
    let record = Record {
        series: series_key(&Series::default()),
        tip: commit,
    };
    fs::write(
        temp.path().join(".git/gc-remap.json"),
        serde_json::to_vec(&record)?,
    )?;
    // A temporary folder is private; a source tree need not be.
    fs::set_permissions(temp.path(), PermissionsExt::from_mode(0o755))?;
    fs::rename(temp.path(), src)?;
    // The folder has become `src`: there is nothing left to remove.
    let _ = temp.keep();
    task.done();
    Ok(())
}

/// The patch that `commit` stands for.
pub fn patch_of(git: &Git, commit: &str) -> Result<Patch> {
    let header = git.run(["log", "-1", "--format=%B", commit])?;
    let diff = git.bytes([
        "-c",
        "diff.suppressBlankEmpty=false",
        "diff-tree",
        "-p",
        "-r",
        "--no-commit-id",
        "--no-renames",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--diff-algorithm=histogram",
        "--indent-heuristic",
        "--unified=3",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        commit,
    ])?;
    Patch::new(&header, diff)
}
