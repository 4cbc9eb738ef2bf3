//! Children: their environment, their death, their output.
//!
//! Invariant: no child outlives the tool for long, and one that does can do no harm. A child is
//! killed with the tool; what *it* had started finishes its file and holds the lock meanwhile
//! (see `lock`). Output goes straight to a file, so no orphan dies of a broken pipe half-way.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use crate::ui::Task;

/// A command that dies with the tool and sees none of the caller's Python, make or git settings.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let foreign = text.starts_with("PYTHON")
            || text.starts_with("GIT_")
            || matches!(&*text, "MAKEFLAGS" | "MFLAGS" | "MAKELEVEL" | "DESTDIR");
        if foreign {
            command.env_remove(&name);
        }
    }
    // SAFETY: the closure runs between fork and exec and makes one system call (prctl), which is
    // async-signal-safe; it allocates nothing and takes no lock.
    #[cfg(target_os = "linux")]
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
                .map_err(Into::into)
        });
    }
    command
}

/// What was typed, more or less.
pub fn display(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs a command that talks to the terminal itself; says whether it succeeded.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run `{}`", display(command)))?;
    Ok(status.success())
}

/// Runs `command` and returns what it printed; its complaint becomes the error.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let out = command
        .output()
        .with_context(|| format!("cannot run `{}`", display(command)))?;
    if !out.status.success() {
        bail!(
            "`{}` failed ({})\n{}{}",
            display(command),
            out.status,
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
    }
    Ok(out.stdout)
}

/// Like [`output`], as text without the last line feed.
pub fn text(command: &mut Command) -> Result<String> {
    let out = String::from_utf8(output(command)?).context("output is not UTF-8")?;
    Ok(out.trim_end_matches('\n').to_owned())
}

/// Runs `command` with its output in the file `log`, calling `progress` with each line.
pub fn logged(
    command: &mut Command,
    log: &Path,
    task: &Task,
    mut progress: impl FnMut(&Task, &str),
) -> Result<()> {
    fs::create_dir_all(log.parent().expect("a log lies in a folder"))?;
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut reader = File::open(log)?;
    let mut child = command
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("cannot run `{}`", display(command)))?;

    let mut pending = Vec::new();
    let status = loop {
        let status = child.try_wait()?;
        reader.read_to_end(&mut pending)?;
        while let Some(end) = pending.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            progress(task, String::from_utf8_lossy(&line).trim_end());
        }
        match status {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if !status.success() {
        bail!(
            "`{}` failed ({status}); the end of {}:\n{}",
            display(command),
            log.display(),
            tail(log, 40)?
        );
    }
    Ok(())
}

/// The last `lines` lines of a file.
fn tail(path: &Path, lines: usize) -> Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(16 * 1024)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}
