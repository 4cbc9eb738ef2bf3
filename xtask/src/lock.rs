//! One run at a time for a folder.
//!
//! Invariant: the lock is freed only when the tool *and every child it started* are gone. The
//! descriptor is inherited on purpose: when the tool is killed, a compiler that it left behind
//! still holds the lock until it has written its file, so the next run never races with it.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use rustix::io::{FdFlags, fcntl_setfd};

/// Held while it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    pub fn acquire(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(".lock");
        let file =
            File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                eprintln!(
                    "waiting for another run of the tool, or for what it left running, in {}",
                    dir.display()
                );
                file.lock()
                    .with_context(|| format!("cannot lock {}", path.display()))?;
            }
            Err(TryLockError::Error(e)) => bail!("cannot lock {}: {e}", path.display()),
        }
        fcntl_setfd(&file, FdFlags::empty()).context("cannot hand the lock to children")?;
        Ok(Lock { _file: file })
    }
}
