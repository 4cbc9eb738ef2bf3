//! Content hashes: of streams, files, folders and lists of facts.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use sha2::{Digest, Sha256};

/// Collects facts into one SHA-256. Every part is preceded by its length, so that no two
/// different lists of parts give the same bytes.
#[derive(Default)]
pub struct Hasher(Sha256);

impl Hasher {
    pub fn add(&mut self, part: impl AsRef<[u8]>) -> &mut Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// The name and the bytes of a file, or of every file below a folder, in a fixed order.
    /// What does not exist counts as such.
    pub fn add_path(&mut self, root: &Path, relative: &str) -> Result<&mut Self> {
        let path = root.join(relative);
        self.add(relative);
        if path.is_dir() {
            let mut names = fs::read_dir(&path)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<Result<Vec<_>>>()?;
            names.sort();
            for name in names {
                self.add_path(root, &format!("{relative}/{name}"))?;
            }
        } else if path.exists() {
            self.add(fs::read(&path)?);
        } else {
            self.add("(absent)");
        }
        Ok(self)
    }

    pub fn finish(&self) -> String {
        hex(self.0.clone())
    }
}

fn hex(sha: Sha256) -> String {
    sha.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Copies `from` into `to` and returns the size and SHA-256 of what passed.
pub fn copy(mut from: impl Read, mut to: impl Write) -> Result<(u64, String)> {
    let mut sha = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        sha.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        size += n as u64;
    }
    to.flush()?;
    Ok((size, hex(sha)))
}
