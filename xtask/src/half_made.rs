//! Half-made files and folders: where they are made, and how a killed run's are swept away.
//!
//! Invariant: whatever is not complete has a name that begins with [`PREFIX`], and such names are
//! swept only by who holds the lock of their folder.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use tempfile::{NamedTempFile, TempDir};

const PREFIX: &str = ".half-made-";

pub fn dir_in(dir: &Path) -> Result<TempDir> {
    fs::create_dir_all(dir)?;
    Ok(tempfile::Builder::new().prefix(PREFIX).tempdir_in(dir)?)
}

pub fn file_in(dir: &Path) -> Result<NamedTempFile> {
    fs::create_dir_all(dir)?;
    Ok(tempfile::Builder::new().prefix(PREFIX).tempfile_in(dir)?)
}

/// Writes a whole file or nothing.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    use std::io::Write;
    let mut file = file_in(path.parent().expect("a file lies in a folder"))?;
    file.write_all(bytes.as_ref())?;
    let file = file.persist(path)?;
    // A temporary file is private; what is made of it need not be.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(())
}

/// Removes what killed runs left in `dir`.
pub fn sweep(dir: &Path) -> Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
