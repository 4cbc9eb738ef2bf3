//! `cargo xtask vendor`: the pristine source, ready for work offline.
//!
//! Invariant: `vendor/cpython-X.Y.Z` with its stamp beside it is complete and unmodified: it was
//! extracted from the verified archive under a temporary name and then renamed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::fetch;
use crate::half_made;
use crate::lock::Lock;
use crate::project::Project;
use crate::ui::{Task, note};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo xtask vendor --source ~/Downloads/Python-3.13.5.tar.xz")]
pub struct Args {
    /// Take the archive from this file instead of looking for it
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    vendor(project, args.source.as_deref())?;
    println!("{}", project.show(&project.pristine()));
    Ok(())
}

/// Makes sure that the archive and the pristine tree are in `vendor/`.
pub fn vendor(project: &Project, source: Option<&Path>) -> Result<()> {
    if source.is_none() && is_current(project) {
        return Ok(());
    }
    let dir = project.vendor();
    let _lock = Lock::acquire(&dir)?;
    if source.is_none() && is_current(project) {
        return Ok(());
    }
    half_made::sweep(&dir)?;
    let archive = fetch::archive(project, source)?;
    if is_current(project) {
        return Ok(());
    }

    let temp = half_made::dir_in(&dir)?;
    let task = Task::bytes("extract the archive", project.pin.size);
    let file = std::io::BufReader::new(fs::File::open(&archive)?);
    let xz = liblzma::read::XzDecoder::new(task.reads(file));
    tar::Archive::new(xz).unpack(temp.path()).with_context(|| {
        format!(
            "cannot extract {} (is the disk full?)",
            project.show(&archive)
        )
    })?;
    task.done();

    let top = temp.path().join(format!("Python-{}", project.pin.version));
    let pristine = project.pristine();
    if pristine.exists() {
        note(format!("replacing {}", project.show(&pristine)));
        fs::rename(&pristine, temp.path().join("old"))?;
    }
    fs::rename(top, &pristine)?;
    fs::write(stamp(project), &project.pin.sha256)?;
    Ok(())
}

fn stamp(project: &Project) -> PathBuf {
    project
        .vendor()
        .join(format!("cpython-{}.sha256", project.pin.version))
}

fn is_current(project: &Project) -> bool {
    project.pristine().is_dir()
        && fs::read_to_string(stamp(project)).is_ok_and(|sha| sha == project.pin.sha256)
}
