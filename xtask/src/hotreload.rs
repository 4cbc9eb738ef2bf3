//! The package `hotreload`, installed with the interpreter that it needs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::hash::Hasher;
use crate::project::Project;

const PACKAGE: &str = "hotreload/src/hotreload";

/// Its files; not what a Python that ran it has left there.
fn files(project: &Project) -> Result<Vec<PathBuf>> {
    let folder = project.root.join(PACKAGE);
    let mut found = Vec::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What identifies its content.
pub fn key(project: &Project) -> Result<String> {
    let mut hasher = Hasher::default();
    for file in files(project)? {
        hasher.add(file.to_string_lossy().as_bytes());
        hasher.add(fs::read(&file)?);
    }
    Ok(hasher.finish())
}

/// Puts it beside pip, in `lib/pythonX.Y/site-packages` of a prefix.
pub fn install(project: &Project, prefix: &Path) -> Result<()> {
    let files = files(project)?;
    let version: Vec<_> = project.pin.version.split('.').take(2).collect();
    let target = prefix.join(format!(
        "lib/python{}/site-packages/hotreload",
        version.join(".")
    ));
    if target.exists() {
        // Hard links to the present installation: replaced, never written into.
        fs::remove_dir_all(&target)?;
    }
    if files.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(&target)?;
    for file in files {
        let name = file.file_name().unwrap_or_default();
        fs::copy(&file, target.join(name))?;
    }
    Ok(())
}
