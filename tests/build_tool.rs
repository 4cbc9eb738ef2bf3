//! The build tool from outside: what is up to date costs nothing, what is wrong is refused,
//! patches go from the tree to the files and back, and a killed run does no harm.

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use common::{command, python, root, run, xtask};

#[test]
fn a_build_with_nothing_to_do_takes_under_two_seconds() -> Result<()> {
    let installed = fs::metadata(python("release")?)?.modified()?;
    let mut build = command(xtask()?);
    build.arg("build-python");
    run(&mut build)?;
    // Other tests run beside this one: the best of three is the tool's own time.
    let time = (0..3)
        .map(|_| {
            let start = Instant::now();
            run(&mut build).map(|_| start.elapsed())
        })
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .min();
    ensure!(time < Some(Duration::from_secs(2)), "it took {time:?}");
    assert_eq!(fs::metadata(python("release")?)?.modified()?, installed);
    Ok(())
}

#[test]
fn every_verb_explains_itself() -> Result<()> {
    let tool = xtask()?;
    for verb in [
        "build-python",
        "vendor",
        "patches apply",
        "patches refresh",
        "patches new",
        "patches check",
        "test",
        "bench",
    ] {
        let help = run(command(&tool).args(verb.split(' ')).arg("--help"))?;
        ensure!(
            help.contains("Example"),
            "`{verb} --help` shows no example:\n{help}"
        );
    }
    Ok(())
}

/// A project folder of its own, with the real pin and the vendored source.
struct Scratch {
    dir: tempfile::TempDir,
    tool: PathBuf,
}

impl Scratch {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        fs::copy(root().join("cpython.toml"), dir.path().join("cpython.toml"))?;
        Ok(Scratch {
            dir,
            tool: xtask()?,
        })
    }

    fn with_source(self) -> Result<Self> {
        run(command(&self.tool).arg("vendor"))?;
        std::os::unix::fs::symlink(root().join("vendor"), self.path("vendor"))?;
        Ok(self)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(&self.tool);
        command.arg("--root").arg(self.dir.path()).args(args);
        // An empty cache of its own.
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        run(&mut self.command(args))
    }

    /// Runs what must fail; returns the complaint.
    fn refuse(&self, args: &[&str]) -> Result<String> {
        match self.run(args) {
            Ok(out) => bail!("{args:?} succeeded: {out}"),
            Err(e) => Ok(format!("{e:#}")),
        }
    }

    fn append(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path("build/src").join(file);
        let old = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, old + text)?;
        Ok(())
    }

    fn git(&self, args: &[&str]) -> Result<String> {
        run(command("git")
            .arg("-C")
            .arg(self.path("build/src"))
            .args(args))
    }

    fn patches(&self) -> Result<Vec<(String, String)>> {
        let dir = self.path("cpython-patches/3.13");
        let mut files = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .expect("named")
                .to_string_lossy()
                .into_owned();
            files.push((name, fs::read_to_string(&path)?));
        }
        files.sort();
        Ok(files)
    }
}

#[test]
fn another_archive_is_refused_whatever_its_origin() -> Result<()> {
    let scratch = Scratch::new()?;
    let wrong = scratch.path("wrong.tar.xz");
    fs::write(&wrong, "not it")?;
    let wrong = wrong.to_str().context("UTF-8")?;
    let complaint = scratch.refuse(&["vendor", "--source", wrong])?;
    ensure!(complaint.contains("wrong size: 6 bytes"), "{complaint}");

    // Right size, other content.
    let real = root().join("vendor/Python-3.13.5.tar.xz");
    run(command(&scratch.tool).arg("vendor"))?;
    let mut bytes = fs::read(real)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(wrong, bytes)?;
    let complaint = scratch.refuse(&["vendor", "--source", wrong])?;
    ensure!(complaint.contains("wrong checksum"), "{complaint}");
    ensure!(complaint.contains("--source"), "{complaint}");

    let complaint = scratch.refuse(&["build-python", "--source", "/nowhere.tar.xz"])?;
    ensure!(complaint.contains("/nowhere.tar.xz"), "{complaint}");
    let left: Vec<_> = fs::read_dir(scratch.path("vendor"))?
        .map(|e| Ok(e?.file_name()))
        .collect::<Result<_>>()?;
    assert_eq!(left, [".lock"], "nothing half-made stays");
    Ok(())
}

#[test]
fn without_any_origin_the_error_says_what_to_do() -> Result<()> {
    let scratch = Scratch::new()?;
    let pin = fs::read_to_string(scratch.path("cpython.toml"))?
        .replace("https://www.python.org", "http://127.0.0.1:9");
    fs::write(scratch.path("cpython.toml"), pin)?;
    let bin = scratch.path("bin");
    fs::create_dir(&bin)?;
    let mut vendor = scratch.command(&["vendor"]);
    // No apt-get on the way either.
    let complaint = match run(vendor.env("PATH", &bin)) {
        Ok(out) => bail!("it succeeded: {out}"),
        Err(e) => format!("{e:#}"),
    };
    for part in [
        "local cache: has no",
        "official download:",
        "no apt",
        "--source",
    ] {
        ensure!(complaint.contains(part), "no {part:?} in: {complaint}");
    }
    Ok(())
}

#[test]
fn what_the_machine_lacks_is_listed_with_the_line_that_installs_it() -> Result<()> {
    let scratch = Scratch::new()?.with_source()?;
    let bin = scratch.path("bin");
    fs::create_dir(&bin)?;
    let git = run(command("sh").args(["-c", "command -v git"]))?;
    std::os::unix::fs::symlink(git.trim(), bin.join("git"))?;
    let mut build = scratch.command(&["build-python"]);
    let complaint = match run(build.env("PATH", &bin).env_remove("CC")) {
        Ok(out) => bail!("it succeeded: {out}"),
        Err(e) => format!("{e:#}"),
    };
    for part in [
        "the program `cc`",
        "the header <zlib.h>",
        "apt-get install --yes build-essential",
        "libssl-dev",
        "--install-deps",
    ] {
        ensure!(complaint.contains(part), "no {part:?} in: {complaint}");
    }
    Ok(())
}

#[test]
fn patches_go_from_the_tree_to_the_files_and_back() -> Result<()> {
    let scratch = Scratch::new()?.with_source()?;
    scratch.run(&["patches", "apply"])?;

    // Commits and edits become patches.
    scratch.append("Objects/listobject.c", "/* one */\n")?;
    scratch.git(&["commit", "-qam", "list: one\n\nBecause of one."])?;
    scratch.append("Objects/dictobject.c", "/* two */\n")?;
    scratch.append("Lib/new_module.py", "x = 1\n")?;
    let complaint = scratch.refuse(&["patches", "new", "two", "-m", "dict: two"])?;
    ensure!(complaint.contains("says why"), "{complaint}");
    scratch.run(&[
        "patches",
        "new",
        "two",
        "-m",
        "dict: two",
        "-m",
        "Because of two.",
    ])?;
    scratch.run(&["patches", "check"])?;
    let first = scratch.patches()?;
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0001-list-one.patch", "0002-two.patch", "series"]);
    ensure!(
        first[0]
            .1
            .starts_with("list: one\n\nBecause of one.\n\ndiff --git a/Objects/")
    );
    ensure!(!first[1].1.contains("\nindex "), "hashes make noise");

    // Refreshing is a fixed point, and touches no source file.
    let list = scratch.path("build/src/Objects/listobject.c");
    let time = fs::metadata(&list)?.modified()?;
    scratch.run(&["patches", "refresh"])?;
    assert_eq!(scratch.patches()?, first);
    assert_eq!(fs::metadata(&list)?.modified()?, time);

    // An edit folds into the patch that its file belongs to, below another patch.
    scratch.append("Objects/listobject.c", "/* more */\n")?;
    let complaint = scratch.refuse(&["patches", "apply"])?;
    ensure!(complaint.contains("1 edited file"), "{complaint}");
    scratch.run(&["patches", "refresh"])?;
    scratch.run(&["patches", "check"])?;
    let second = scratch.patches()?;
    ensure!(second[0].1.contains("+/* more */\n"));
    assert_eq!(second[1..], first[1..]);

    // In the middle of a rebase the later patches are not there.
    let rebase = ["rebase", "--quiet", "--exec", "false", "HEAD~1"];
    ensure!(scratch.git(&rebase).is_err(), "it stops after one commit");
    let complaint = scratch.refuse(&["patches", "refresh"])?;
    ensure!(complaint.contains("rebase --continue"), "{complaint}");
    assert_eq!(scratch.patches()?, second);
    scratch.git(&["rebase", "--abort"])?;

    // A tree made anew from the files is the same tree.
    let tip = scratch.git(&["rev-parse", "HEAD"])?;
    fs::remove_dir_all(scratch.path("build"))?;
    scratch.run(&["patches", "apply"])?;
    assert_eq!(scratch.git(&["rev-parse", "HEAD"])?, tip);

    // Forcing drops an edit from the tree, but not from the repository.
    scratch.append("Objects/listobject.c", "/* lost */\n")?;
    scratch.run(&["patches", "apply", "--force"])?;
    ensure!(!fs::read_to_string(&list)?.contains("/* lost */"));
    let dropped = scratch.git(&[
        "for-each-ref",
        "--format=%(refname)",
        "refs/gc-remap/dropped",
    ])?;
    ensure!(
        scratch
            .git(&["show", dropped.trim()])?
            .contains("+/* lost */")
    );
    Ok(())
}

#[test]
fn check_refuses_a_series_that_is_not_in_order() -> Result<()> {
    let scratch = Scratch::new()?.with_source()?;
    scratch.run(&["patches", "apply"])?;
    scratch.append("Objects/listobject.c", "/* one */\n")?;
    scratch.run(&["patches", "new", "one", "-m", "list: one", "-m", "Because."])?;
    let dir = scratch.path("cpython-patches/3.13");
    let patch = dir.join("0001-one.patch");
    let good = fs::read_to_string(&patch)?;
    let check = |wanted: &str| -> Result<()> {
        let complaint = scratch.refuse(&["patches", "check"])?;
        ensure!(complaint.contains(wanted), "no {wanted:?} in: {complaint}");
        Ok(())
    };

    fs::write(dir.join("0002-stray.patch"), &good)?;
    check("0002-stray.patch is not listed")?;
    fs::write(dir.join("series"), "0001-one.patch\n0001-one.patch\n")?;
    check("lists 0001-one.patch twice")?;
    fs::write(dir.join("series"), "0001-one.patch\n0003-none.patch\n")?;
    check("0003-none.patch, which cannot be read")?;
    fs::remove_file(dir.join("0002-stray.patch"))?;
    fs::write(dir.join("series"), "0001-one.patch\n")?;

    fs::write(&patch, good.replace("\n\nBecause.", ""))?;
    check("says why")?;
    fs::write(&patch, good.replace("\n\nBecause.", "\n\n\nBecause. "))?;
    check("not what `refresh` would write")?;
    // Another line number, and a context that is not there.
    let hunk = good
        .lines()
        .find(|l| l.starts_with("@@"))
        .context("a hunk")?;
    let moved = "@@ -4000,3 +4000,4 @@";
    fs::write(&patch, good.replace(hunk, moved))?;
    check("0001-one.patch")?;
    fs::write(&patch, good.replace("\n }\n", "\n ]\n"))?;
    check("does not apply")?;
    fs::write(&patch, "words\n")?;
    check("holds no diff")?;

    fs::write(&patch, good)?;
    scratch.run(&["patches", "check"])?;
    Ok(())
}

/// A moment to kill at: when this line has appeared (on standard error, or in a log below
/// `build/release/logs`), and some time after it.
struct Moment {
    what: &'static str,
    log: Option<&'static str>,
    line: &'static str,
    after: Duration,
    /// Kill the compilers as well, as the end of a session or a machine does.
    everything: bool,
}

const MOMENTS: [Moment; 6] = [
    Moment {
        what: "while the source is copied",
        log: None,
        line: "copy the pristine source ...",
        after: Duration::from_millis(700),
        everything: false,
    },
    Moment {
        what: "while configuring",
        log: None,
        line: "release: configure ...",
        after: Duration::from_secs(4),
        everything: false,
    },
    Moment {
        what: "while compiling",
        log: None,
        line: "release: compile with",
        after: Duration::from_secs(5),
        everything: false,
    },
    Moment {
        what: "while compiling, compilers and all",
        log: None,
        line: "release: compile with",
        after: Duration::from_secs(8),
        everything: true,
    },
    Moment {
        what: "while linking",
        log: Some("make.log"),
        line: "-o python ",
        after: Duration::from_millis(100),
        everything: true,
    },
    Moment {
        what: "while installing",
        log: None,
        line: "release: install ...",
        after: Duration::from_secs(4),
        everything: false,
    },
];

/// Kills the real tool at each moment in turn, in a build folder of its own; every run goes on
/// from what the one before has left.
#[test]
fn a_killed_build_goes_on_and_ends_in_a_working_interpreter() -> Result<()> {
    let tool = xtask()?;
    run(command(&tool).arg("vendor"))?;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let build = dir.path().join("build");
    let python = build.join("release/prefix/bin/python3");
    let start = || {
        let mut command = command(&tool);
        command.arg("--build-dir").arg(&build).arg("build-python");
        // Unoptimised: it is the steps that are tried here, not the compiler.
        command.env("OPT", "-O0").process_group(0);
        // Where a killed compiler leaves its own temporary files.
        command.env("TMPDIR", dir.path());
        command
    };

    for moment in &MOMENTS {
        let errors = dir.path().join("stderr");
        let mut child = start()
            .stderr(fs::File::create(&errors)?)
            .stdout(Stdio::null())
            .spawn()?;
        let watched = match moment.log {
            Some(log) => build.join("release/logs").join(log),
            None => errors.clone(),
        };
        wait_for(&mut child, &watched, moment.line).with_context(|| {
            format!(
                "{}: {}",
                moment.what,
                fs::read_to_string(&errors).unwrap_or_default()
            )
        })?;
        sleep(moment.after);
        let id = child.id();
        let target = if moment.everything {
            format!("-{id}")
        } else {
            id.to_string()
        };
        ensure!(
            child.try_wait()?.is_none(),
            "{}: it had ended by then",
            moment.what
        );
        run(command("kill").args(["-KILL", "--", &target]))?;
        child.wait()?;
        eprintln!("killed {}", moment.what);
        if python.exists() {
            run(command(&python).args(["-c", "import json, ssl"]))
                .with_context(|| format!("killed {}: the prefix is in pieces", moment.what))?;
        }
    }

    run(&mut start())?;
    let works = "import gc, ssl, sqlite3, sysconfig; print(gc.remap({}) is not None)";
    assert_eq!(run(command(&python).args(["-c", works]))?.trim(), "True");
    run(command(&python).args(["-m", "test", "test_gc", "test_dict", "test_zlib"]))?;
    let venv = dir.path().join("venv");
    run(command(&python).args(["-m", "venv"]).arg(&venv))?;

    let left: Vec<PathBuf> = [build.clone(), build.join("release")]
        .iter()
        .map(fs::read_dir)
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .map(|e| Ok(e?.path()))
        .collect::<Result<_>>()?;
    ensure!(
        !left
            .iter()
            .any(|p| p.to_string_lossy().contains(".half-made-")),
        "half-made things stay: {left:?}"
    );
    let installed = fs::metadata(&python)?.modified()?;
    run(&mut start())?;
    assert_eq!(
        fs::metadata(&python)?.modified()?,
        installed,
        "nothing was left to do"
    );
    Ok(())
}

fn wait_for(child: &mut Child, file: &Path, line: &str) -> Result<()> {
    let begun = Instant::now();
    // A log of the run before must not be taken for this one's.
    let old = fs::metadata(file).and_then(|m| m.modified()).ok();
    let is_log = file.extension().is_some_and(|e| e == "log");
    loop {
        let fresh = !is_log || fs::metadata(file).and_then(|m| m.modified()).ok() != old;
        if fresh && fs::read_to_string(file).unwrap_or_default().contains(line) {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("it ended ({status}) before `{line}` appeared");
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(900),
            "`{line}` did not appear"
        );
        sleep(Duration::from_millis(20));
    }
}
