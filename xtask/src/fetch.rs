//! Gets the pinned archive, from the nearest origin that has it.
//!
//! Invariant: a file under the archive's name has the pinned size and SHA-256, whatever origin it
//! came from: it is written under a temporary name, verified, then renamed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;

use crate::half_made;
use crate::hash;
use crate::proc;
use crate::project::{Pin, Project};
use crate::ui::{Task, note};

/// Makes sure that `vendor/` holds the archive.
pub fn archive(project: &Project, source: Option<&Path>) -> Result<PathBuf> {
    let pin = &project.pin;
    let dest = project.archive();

    if let Some(source) = source {
        let file = fs::File::open(source).context("--source: cannot read the archive")?;
        receive(file, pin, &dest, "copy the archive").with_context(|| {
            format!(
                "--source {}: not the archive pinned in cpython.toml; pass {} or leave --source out",
                source.display(),
                pin.archive
            )
        })?;
        keep_in_cache(project);
        return Ok(dest);
    }

    if dest.exists() {
        match verify(&dest, pin) {
            Ok(()) => return Ok(dest),
            Err(e) => note(format!(
                "{} is damaged, getting it again: {e:#}",
                project.show(&dest)
            )),
        }
    }

    type Origin = fn(&Project, &Path) -> Result<()>;
    let origins: [(&str, Origin); 3] = [
        ("local cache", from_cache),
        ("official download", from_official),
        ("distribution's source package", from_apt),
    ];
    let mut failures = Vec::new();
    for (name, get) in origins {
        match get(project, &dest) {
            Ok(()) => {
                if name != "local cache" {
                    keep_in_cache(project);
                }
                return Ok(dest);
            }
            Err(e) => {
                let failure = format!("{name}: {e:#}");
                if name != "local cache" {
                    note(&failure);
                }
                failures.push(failure);
            }
        }
    }
    bail!(
        "no origin has {archive}:\n  - {list}\nGet it on a machine that is online:\n  {url}\n\
         and run this command again with `--source {archive}`.",
        archive = pin.archive,
        list = failures.join("\n  - "),
        url = pin.origins.official.url,
    )
}

/// Copies `reader` to `dest` if it is the pinned archive; otherwise `dest` is left as it was.
fn receive(reader: impl Read, pin: &Pin, dest: &Path, what: &str) -> Result<()> {
    let dir = dest.parent().expect("an archive lies in a folder");
    let mut temp = half_made::file_in(dir)?;
    let task = Task::bytes(what, pin.size);
    // One byte more than the pin allows is enough to know that it is wrong.
    let limited = task.reads(reader).take(pin.size + 1);
    let (size, sha256) = hash::copy(limited, &mut temp)?;
    check(size, &sha256, pin)?;
    temp.as_file().sync_all()?;
    let file = temp.persist(dest)?;
    // A temporary file is private; an archive need not be.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    task.done();
    Ok(())
}

fn check(size: u64, sha256: &str, pin: &Pin) -> Result<()> {
    ensure!(
        size == pin.size,
        "wrong size: {}, expected {} bytes",
        if size > pin.size {
            "too long".to_owned()
        } else {
            format!("{size} bytes")
        },
        pin.size
    );
    ensure!(
        sha256 == pin.sha256,
        "wrong checksum: SHA-256 {sha256}, expected {}",
        pin.sha256
    );
    Ok(())
}

fn verify(path: &Path, pin: &Pin) -> Result<()> {
    let (size, sha256) = hash::copy(fs::File::open(path)?, std::io::sink())?;
    check(size, &sha256, pin)
}

/// The next clone should not have to download again. Failing to write there is no failure.
fn keep_in_cache(project: &Project) {
    let Some(cached) = project.cached_archive() else {
        return;
    };
    if cached.exists() && verify(&cached, &project.pin).is_ok() {
        return;
    }
    let kept = fs::File::open(project.archive())
        .map_err(Into::into)
        .and_then(|file| receive(file, &project.pin, &cached, "keep the archive in the cache"));
    if let Err(e) = kept {
        note(format!("the archive is not kept in the cache: {e:#}"));
    }
}

fn from_cache(project: &Project, dest: &Path) -> Result<()> {
    let cached = project
        .cached_archive()
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    ensure!(cached.exists(), "has no {}", project.pin.archive);
    receive(
        fs::File::open(&cached)?,
        &project.pin,
        dest,
        "copy the archive from the cache",
    )
}

fn from_official(project: &Project, dest: &Path) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        // Where it cannot be reached, say so soon and go on to the next origin.
        .timeout_resolve(Some(Duration::from_secs(5)))
        .timeout_connect(Some(Duration::from_secs(5)))
        .timeout_recv_response(Some(Duration::from_secs(15)))
        .timeout_global(Some(Duration::from_secs(600)))
        .build()
        .into();
    let mut response = agent.get(&project.pin.origins.official.url).call()?;
    let body = response.body_mut().with_config().limit(u64::MAX).reader();
    receive(body, &project.pin, dest, "download the archive")
}

/// The orig archive of Debian's source package is the official one under another name.
fn from_apt(project: &Project, dest: &Path) -> Result<()> {
    let apt = &project.pin.origins.apt;
    let mirrors = proc::text(
        proc::command("apt-get")
            .args(["indextargets", "--format", "$(ORIGIN) $(REPO_URI)"])
            .args(["Created-By: Packages"]),
    )
    .context("no apt on this machine")?;
    // The security archive has no other suites. Without downloaded lists apt knows no origins,
    // so a mirror of unknown origin is tried as well.
    let mut uris: Vec<&str> = mirrors
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(origin, uri)| {
            (origin.is_empty() || *origin == "Debian") && !uri.contains("security")
        })
        .map(|(_, uri)| uri)
        .collect();
    uris.dedup();
    ensure!(
        !uris.is_empty(),
        "apt is not configured with a Debian mirror"
    );

    let mut last = None;
    for uri in uris {
        match apt_download(project, uri) {
            Ok(dir) => {
                let file = fs::File::open(dir.path().join(&apt.file))?;
                return receive(
                    file,
                    &project.pin,
                    dest,
                    "copy the archive from the source package",
                );
            }
            Err(e) => last = Some(e),
        }
    }
    Err(last.expect("at least one mirror was tried"))
}

/// Downloads the source package into a temporary folder, beside the machine's own apt state.
fn apt_download(project: &Project, uri: &str) -> Result<tempfile::TempDir> {
    let apt = &project.pin.origins.apt;
    let dir = tempfile::tempdir()?;
    let at = |name: &str| dir.path().join(name).display().to_string();
    fs::create_dir_all(at("lists/partial"))?;
    fs::create_dir_all(at("cache/archives/partial"))?;

    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let mut sources = format!(
        "Types: deb-src\nURIs: {uri}\nSuites: {}\nComponents: {}\n",
        apt.suite, apt.component
    );
    if Path::new(keyring).exists() {
        sources.push_str(&format!("Signed-By: {keyring}\n"));
    }
    fs::write(at("origin.sources"), sources)?;

    let apt_get = || {
        let mut command = proc::command("apt-get");
        command.current_dir(dir.path()).arg("-q").args([
            "-o".to_owned(),
            format!("Dir::Etc::sourcelist={}", at("origin.sources")),
            "-o".to_owned(),
            "Dir::Etc::sourceparts=-".to_owned(),
            "-o".to_owned(),
            format!("Dir::State::lists={}", at("lists")),
            "-o".to_owned(),
            format!("Dir::Cache={}", at("cache")),
            // The unprivileged user that apt would use cannot enter our temporary folder.
            "-o".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
        ]);
        command
    };
    let task = Task::spinner(format!(
        "get the source package {} with apt-get",
        apt.source
    ));
    proc::output(apt_get().arg("update"))?;
    proc::output(
        apt_get()
            .args(["source", "--download-only", "-t", &apt.suite])
            .arg(&apt.source),
    )?;
    ensure!(
        dir.path().join(&apt.file).exists(),
        "the suite {} has another version by now: {} is not in its source package",
        apt.suite,
        apt.file
    );
    task.done();
    Ok(dir)
}
