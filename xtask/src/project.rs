//! Where things are: the folders of the project and the pin in `cpython.toml`.
//!
//! Invariant: every path the tool uses is derived here, from the workspace root and the
//! `--build-dir` option, so that two build folders never share a half-made file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde::Deserialize;

use crate::flavour::Flavour;

/// The contents of `cpython.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub version: String,
    pub archive: String,
    pub size: u64,
    pub sha256: String,
    pub series: String,
    pub origins: Origins,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origins {
    pub official: Official,
    pub apt: Apt,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Official {
    pub url: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apt {
    pub suite: String,
    pub component: String,
    pub source: String,
    pub file: String,
}

/// The folders of the project.
#[derive(Debug)]
pub struct Project {
    pub root: PathBuf,
    /// `build/`, or what `--build-dir` says.
    pub build: PathBuf,
    /// True when `build` is not the default, and so must not share cargo's target folders.
    custom_build: bool,
    pub pin: Pin,
}

impl Project {
    pub fn open(root: Option<&Path>, build_dir: Option<&Path>) -> Result<Self> {
        let root = match root {
            Some(root) => std::path::absolute(root)?,
            None => Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .expect("xtask/ lies in the workspace root")
                .to_path_buf(),
        };
        let text = fs::read_to_string(root.join("cpython.toml"))?;
        let pin: Pin = toml::from_str(&text).context("cpython.toml does not hold a valid pin")?;
        ensure!(
            pin.sha256.len() == 64 && pin.sha256.bytes().all(|b| b.is_ascii_hexdigit()),
            "cpython.toml: `sha256` must be 64 hexadecimal digits"
        );
        let build = match build_dir {
            Some(dir) => std::path::absolute(dir)?,
            None => root.join("build"),
        };
        Ok(Project {
            custom_build: build_dir.is_some(),
            root,
            build,
            pin,
        })
    }

    pub fn vendor(&self) -> PathBuf {
        self.root.join("vendor")
    }

    /// The archive, once it is vendored.
    pub fn archive(&self) -> PathBuf {
        self.vendor().join(&self.pin.archive)
    }

    /// The pristine tree, once it is vendored.
    pub fn pristine(&self) -> PathBuf {
        self.vendor().join(format!("cpython-{}", self.pin.version))
    }

    /// The user's cache of downloaded archives, shared by all clones.
    pub fn cached_archive(&self) -> Option<PathBuf> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let cache =
            absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(cache.join("gc-remap").join(&self.pin.archive))
    }

    pub fn series_dir(&self) -> PathBuf {
        self.root.join("cpython-patches").join(&self.pin.series)
    }

    /// The patched source tree, a git repository of the tool's making.
    pub fn src(&self) -> PathBuf {
        self.build.join("src")
    }

    pub fn flavour_dir(&self, flavour: Flavour) -> PathBuf {
        self.build.join(flavour.name())
    }

    pub fn prefix(&self, flavour: Flavour) -> PathBuf {
        self.flavour_dir(flavour).join("prefix")
    }

    pub fn python(&self, flavour: Flavour) -> PathBuf {
        self.prefix(flavour).join("bin/python3")
    }

    /// Cargo's target folder for the engine: one a flavour, because the headers differ.
    pub fn engine_target(&self, flavour: Flavour) -> PathBuf {
        let parent = if self.custom_build {
            &self.build
        } else {
            &self.root
        };
        parent
            .join("target")
            .join(format!("engine-{}", flavour.name()))
    }

    /// A path as a person would write it from the workspace root.
    pub fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}
