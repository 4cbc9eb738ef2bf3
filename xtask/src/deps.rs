//! What the machine must have: programs, headers, libclang, room on the disk.
//!
//! Looked for as the build will look for it (through the compiler, `PATH`, pkg-config), so that
//! the check holds on any distribution; the package names are Debian's and Ubuntu's.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::proc;
use crate::project::Project;
use crate::ui::{Task, note};

#[derive(Clone, Copy, Debug)]
enum Probe {
    Program(&'static str),
    Header(&'static str),
    PkgConfig(&'static str),
    Libclang,
}

/// What is looked for, and the package that has it.
const NEEDS: &[(Probe, &str)] = &[
    (Probe::Program("cc"), "build-essential"),
    (Probe::Program("c++"), "build-essential"),
    (Probe::Program("make"), "build-essential"),
    (Probe::Header("stdio.h"), "build-essential"),
    (Probe::Program("git"), "git"),
    (Probe::Program("pkg-config"), "pkg-config"),
    (Probe::Libclang, "libclang-dev"),
    (Probe::Header("openssl/ssl.h"), "libssl-dev"),
    (Probe::Header("zlib.h"), "zlib1g-dev"),
    (Probe::Header("bzlib.h"), "libbz2-dev"),
    (Probe::Header("lzma.h"), "liblzma-dev"),
    (Probe::Header("ffi.h"), "libffi-dev"),
    (Probe::Header("sqlite3.h"), "libsqlite3-dev"),
    (Probe::Header("readline/readline.h"), "libreadline-dev"),
    (Probe::Header("curses.h"), "libncurses-dev"),
    (Probe::Header("uuid/uuid.h"), "uuid-dev"),
    (Probe::Header("gdbm.h"), "libgdbm-dev"),
    (Probe::Header("gdbm-ndbm.h"), "libgdbm-compat-dev"),
    (Probe::PkgConfig("tk"), "tk-dev"),
];

/// Free space that a build and an installation side by side take.
const ROOM: u64 = 2 << 30;

/// Checks, and installs if asked to. Fails with the line that would install what is missing.
pub fn ensure_present(install: bool) -> Result<()> {
    let mut missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    if install {
        apt_install(&missing)?;
        missing = self::missing();
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing
        .iter()
        .map(|(probe, package)| format!("{} (package {package})", describe(*probe)))
        .collect();
    bail!(
        "this machine lacks:\n  - {}\nOn Debian or Ubuntu, install them with\n  \
         {sudo}apt-get install --yes {}\nor run this command again with --install-deps.",
        list.join("\n  - "),
        packages(&missing).join(" "),
        sudo = if is_root() { "" } else { "sudo " },
    )
}

pub fn ensure_room(project: &Project) -> Result<()> {
    fs_err::create_dir_all(&project.build)?;
    let stat = rustix::fs::statvfs(&project.build)?;
    let free = stat.f_bavail * stat.f_frsize;
    ensure!(
        free >= ROOM,
        "not enough room for a build in {}: {} MB are free, {} MB are needed; free some, or pass \
         --build-dir with a folder on another disk",
        project.show(&project.build),
        free >> 20,
        ROOM >> 20,
    );
    Ok(())
}

fn missing() -> Vec<(Probe, &'static str)> {
    let headers = missing_headers();
    let absent = |probe: Probe| match probe {
        Probe::Program(name) => find_program(name).is_none(),
        Probe::Header(name) => headers.contains(&name),
        Probe::PkgConfig(name) => {
            proc::output(proc::command("pkg-config").args(["--exists", name])).is_err()
        }
        Probe::Libclang => find_libclang().is_none(),
    };
    NEEDS
        .iter()
        .copied()
        .filter(|(probe, _)| absent(*probe))
        .collect()
}

fn describe(probe: Probe) -> String {
    match probe {
        Probe::Program(name) => format!("the program `{name}`"),
        Probe::Header(name) => format!("the header <{name}>"),
        Probe::PkgConfig(name) => format!("the development files of {name}"),
        Probe::Libclang => "libclang, which bindgen reads the headers with".to_owned(),
    }
}

fn packages(missing: &[(Probe, &'static str)]) -> Vec<&'static str> {
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|p| p.is_file())
}

/// Asks the preprocessor about all headers at once; without a compiler all are missing.
fn missing_headers() -> Vec<&'static str> {
    let headers: Vec<&str> = NEEDS
        .iter()
        .filter_map(|(probe, _)| match probe {
            Probe::Header(name) => Some(*name),
            _ => None,
        })
        .collect();
    let mut program = String::new();
    for (i, name) in headers.iter().enumerate() {
        program.push_str(&format!("#if __has_include(<{name}>)\nHAS_{i}_\n#endif\n"));
    }
    let found = preprocess(&program).unwrap_or_default();
    let is_found = |i: usize| found.contains(&format!("HAS_{i}_"));
    headers
        .iter()
        .enumerate()
        .filter(|(i, _)| !is_found(*i))
        .map(|(_, name)| *name)
        .collect()
}

fn preprocess(program: &str) -> Result<String> {
    let mut child = proc::command("cc")
        .args(["-E", "-P", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(program.as_bytes())?;
    Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
}

/// Where bindgen (clang-sys) will look.
fn find_libclang() -> Option<PathBuf> {
    let is_libclang = |name: &str| {
        name == "libclang.so"
            || (name.starts_with("libclang") && name.contains(".so")) && !name.contains("-cpp")
    };
    if let Some(path) = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from)
        && (path.is_file() || folder_has(&path, &is_libclang))
    {
        return Some(path);
    }
    let mut folders: Vec<PathBuf> = proc::text(proc::command("llvm-config").arg("--libdir"))
        .map(|dir| vec![PathBuf::from(dir)])
        .unwrap_or_default();
    for dir in [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/local/lib64",
    ] {
        folders.push(dir.into());
        let Ok(entries) = std::fs::read_dir(dir) else {
            continue;
        };
        for entry in entries.flatten() {
            folders.push(entry.path());
            folders.push(entry.path().join("lib"));
        }
    }
    folders
        .into_iter()
        .find(|dir| folder_has(dir, &is_libclang))
}

fn folder_has(dir: &Path, wanted: &dyn Fn(&str) -> bool) -> bool {
    std::fs::read_dir(dir).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|e| wanted(&e.file_name().to_string_lossy()))
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn apt_install(missing: &[(Probe, &'static str)]) -> Result<()> {
    ensure!(
        find_program("apt-get").is_some(),
        "--install-deps knows Debian and Ubuntu only, and this machine has no apt-get"
    );
    let packages = packages(missing);
    note(format!("installing {}", packages.join(" ")));
    let apt_get = || {
        let mut command = if is_root() {
            proc::command("apt-get")
        } else {
            let mut sudo = proc::command("sudo");
            // A password is asked for on the terminal, if it comes to that.
            sudo.stdin(Stdio::inherit()).arg("apt-get");
            sudo
        };
        command
            .arg("--quiet")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let install = || {
        proc::output(
            apt_get()
                .args(["install", "--yes", "--no-install-recommends"])
                .args(&packages),
        )
    };
    let task = Task::spinner("install packages with apt-get");
    // The package lists may be absent or old: then the first try fails.
    if install().is_err() {
        proc::output(apt_get().arg("update")).context("the package lists cannot be updated")?;
        install().context("the packages cannot be installed; try the line by hand")?;
    }
    task.done();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_named_once_in_a_row() {
        let all: Vec<_> = NEEDS.to_vec();
        let mut names = packages(&all);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(
            names.len(),
            count,
            "`packages` relies on equal names being neighbours: {names:?}"
        );
    }

    #[test]
    fn the_preprocessor_answers() {
        assert!(
            preprocess("#if __has_include(<stdio.h>)\nHAS_0_\n#endif\n")
                .unwrap()
                .contains("HAS_0_")
        );
        assert!(
            !preprocess("#if __has_include(<no/such.h>)\nHAS_0_\n#endif\n")
                .unwrap()
                .contains("HAS_0_")
        );
    }
}
