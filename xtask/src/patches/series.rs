//! A folder of patches and the `series` file that orders it.
//!
//! Invariant: [`Series::files`] is the only place that says what the folder holds: refreshing
//! writes it, checking compares with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use super::patch::Patch;
use crate::half_made;

pub const FILE: &str = "series";

/// The patches in order, each with its file name.
#[derive(Debug, Default)]
pub struct Series {
    pub patches: Vec<(String, Patch)>,
}

impl Series {
    /// Reads the series; a folder that does not exist yet is an empty one.
    pub fn read(dir: &Path) -> Result<Self> {
        let mut patches = Vec::new();
        for name in names(dir)? {
            let bytes = fs::read(dir.join(&name))
                .with_context(|| format!("`series` lists {name}, which cannot be read"))?;
            let patch = Patch::parse(&bytes).with_context(|| name.clone())?;
            patches.push((name, patch));
        }
        Ok(Series { patches })
    }

    /// The folder's files and their bytes.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut list = String::new();
        for (name, patch) in &self.patches {
            list.push_str(name);
            list.push('\n');
            files.insert(name.clone(), patch.to_bytes());
        }
        files.insert(FILE.to_owned(), list.into_bytes());
        files
    }

    /// Makes the folder what [`Series::files`] says. Returns what was changed.
    pub fn write(&self, dir: &Path) -> Result<Vec<String>> {
        fs::create_dir_all(dir)?;
        let files = self.files();
        let changes = self.differences(dir)?;
        for name in &changes {
            match files.get(name) {
                Some(bytes) => half_made::write(&dir.join(name), bytes)?,
                None => fs::remove_file(dir.join(name))?,
            }
        }
        Ok(changes)
    }

    /// The files of the folder that are not what [`Series::files`] says.
    pub fn differences(&self, dir: &Path) -> Result<Vec<String>> {
        let files = self.files();
        let mut names: BTreeSet<String> = files.keys().cloned().collect();
        names.extend(patch_files(dir)?);
        names.retain(|name| fs::read(dir.join(name)).ok().as_ref() != files.get(name));
        Ok(names.into_iter().collect())
    }
}

/// The lines of the `series` file, in order.
pub fn names(dir: &Path) -> Result<Vec<String>> {
    let path = dir.join(FILE);
    if !path.exists() {
        ensure!(
            patch_files(dir)?.is_empty(),
            "{} holds patches but no `series` file that orders them",
            dir.display()
        );
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path)?;
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        ensure!(
            !line.contains('/') && line.ends_with(".patch"),
            "`series` lists `{line}`, which is not the name of a .patch file in its folder"
        );
        ensure!(
            !names.iter().any(|n| n == line),
            "`series` lists {line} twice"
        );
        names.push(line.to_owned());
    }
    Ok(names)
}

/// Every file in the folder but `series`: anything that is not listed is one too many.
pub fn patch_files(dir: &Path) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    if dir.is_dir() {
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != FILE && name != "README.md" {
                files.insert(name);
            }
        }
    }
    Ok(files)
}
