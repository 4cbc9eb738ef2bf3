//! Configures, compiles and installs the interpreter of one flavour.
//!
//! Invariant: `build/<flavour>/prefix` is at any moment either absent or a whole installation:
//! it is installed elsewhere, tried, and then exchanged in one move. The tree may be left
//! half-made by a killed run; what the next run does about it is in [`mend`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use crate::deps;
use crate::engine;
use crate::flavour::Flavour;
use crate::half_made;
use crate::hash::Hasher;
use crate::hotreload;
use crate::proc;
use crate::project::Project;
use crate::step::{Facts, Step};
use crate::ui::{Task, note};
use crate::validate;

/// What to build from.
pub struct Source {
    pub dir: PathBuf,
    /// Identifies the whole content of `dir`.
    pub content: String,
    /// Identifies what `configure` reads in `dir`.
    pub configure: String,
    /// Identifies all but the C sources: what an installation has besides compiled code.
    pub library: String,
    /// Whether there is a series, which brings the option that links the engine.
    pub patched: bool,
}

pub struct Options {
    pub jobs: usize,
    pub install_deps: bool,
}

/// Does what is left to do; nothing, if nothing has changed.
pub fn build(
    project: &Project,
    flavour: Flavour,
    source: &Source,
    options: &Options,
) -> Result<()> {
    let dir = project.flavour_dir(flavour);
    half_made::sweep(&dir)?;

    let with_engine = flavour.patched() && knows_engine(&source.dir)?;
    ensure!(
        with_engine || !source.patched,
        "{}/configure has no --with-remap-engine, which the series should bring: see \
         `cargo xtask patches check`",
        project.show(&source.dir)
    );
    let mut args = vec![
        format!("--prefix={}", project.prefix(flavour).display()),
        // The tool's own commits are no business of `sys.version`.
        "HAS_GIT=no-repository".to_owned(),
    ];
    args.extend(flavour.configure_args().iter().map(|&arg| arg.to_owned()));
    if with_engine {
        let archive = engine::archive(project, flavour);
        args.push(format!("--with-remap-engine={}", archive.display()));
    } else if flavour.patched() {
        note("the series is empty: the interpreter is built without gc.remap");
    }

    let tree = Tree {
        name: flavour.name(),
        dir: dir.join("tree"),
        logs: dir.join("logs"),
        stamps: dir.join("stamps"),
        asan: flavour == Flavour::Asan,
    };
    let configured = tree.configure(project, source, &args, options.install_deps)?;
    let engine = if with_engine {
        engine::build(project, flavour, &source.content, &configured)?
    } else {
        String::new()
    };
    let facts = Facts::from([
        ("source", source.content.clone()),
        ("configuration", configured),
        ("engine", engine),
    ]);
    let made = tree.make(facts.clone(), options.jobs)?;
    let facts = Facts::from([
        ("made", made),
        ("library", source.library.clone()),
        ("configuration", facts["configuration"].clone()),
        ("hotreload", hotreload::key(project)?),
    ]);
    install(project, flavour, &tree, facts, with_engine)
}

/// Whether the tree's configure has the option that links the engine.
fn knows_engine(source: &Path) -> Result<bool> {
    let configure = fs::read(source.join("configure"))?;
    let wanted = b"--with-remap-engine";
    Ok(configure.windows(wanted.len()).any(|w| w == wanted))
}

/// A build tree outside of the source, with its logs and stamps.
pub struct Tree {
    pub name: &'static str,
    pub dir: PathBuf,
    pub logs: PathBuf,
    pub stamps: PathBuf,
    pub asan: bool,
}

impl Tree {
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = proc::command(program);
        command.current_dir(&self.dir);
        if self.asan {
            // The interpreter leaks a little at exit, by design; the build runs it.
            command.env("ASAN_OPTIONS", "detect_leaks=0");
        }
        command
    }

    /// Exists while make runs; where it exists before, make was killed.
    fn running(&self) -> PathBuf {
        self.stamps.join("make.running")
    }

    /// Returns what identifies the configuration.
    pub fn configure(
        &self,
        project: &Project,
        source: &Source,
        args: &[String],
        install_deps: bool,
    ) -> Result<String> {
        let compiler = compiler();
        let facts = Facts::from([
            ("compiler", compiler.clone().unwrap_or_default()),
            ("arguments", args.join("\n")),
            ("folder", source.dir.display().to_string()),
            ("environment", environment()),
            ("configure", source.configure.clone()),
        ]);
        let step = Step::new(self.stamps.join("configure.json"), facts);
        if compiler.is_some() && step.is_current() && self.dir.join("Makefile").exists() {
            return Ok(step.key());
        }
        deps::ensure_present(install_deps)?;
        if compiler.is_none() {
            // If there is one now, the facts have changed.
            self::compiler().context("the compiler that the variable CC names cannot be run")?;
            return self.configure(project, source, args, false);
        }
        deps::ensure_room(project)?;

        // With the same options objects can stay: make sees which headers have changed.
        let in_place = step.changed() == Some(vec!["configure"]);
        let flags_before = in_place.then(|| compile_flags(&self.dir)).transpose()?;
        step.begin()?;
        if !in_place {
            if self.dir.exists() {
                fs::remove_dir_all(&self.dir)?;
            }
            // With the tree goes what a killed make has left in it.
            let _ = fs::remove_file(self.running());
        }
        fs::create_dir_all(&self.dir)?;
        let task = Task::spinner(format!("{}: configure", self.name));
        let mut command = self.command(source.dir.join("configure"));
        proc::logged(
            command.args(args),
            &self.logs.join("configure.log"),
            &task,
            |task, line| task.message(line),
        )
        .with_context(|| {
            format!(
                "configure failed; its own log is {}",
                self.dir.join("config.log").display()
            )
        })?;
        if flags_before.is_some_and(|before| Some(before) != compile_flags(&self.dir).ok()) {
            proc::output(self.command("make").arg("clean"))?;
        }
        task.done();
        step.end()?;
        Ok(step.key())
    }

    /// Compiles. Returns what identifies the result.
    pub fn make(&self, facts: Facts, jobs: usize) -> Result<String> {
        let step = Step::new(self.stamps.join("make.json"), facts);
        if step.is_current() && self.dir.join("python").exists() {
            return Ok(step.key());
        }
        step.begin()?;
        let running = self.running();
        if running.exists() {
            mend(&self.dir, fs::metadata(&running)?.modified()?)?;
        }
        half_made::write(&running, "")?;

        let plan = self.command("make").arg("--dry-run").output()?;
        let total = String::from_utf8_lossy(&plan.stdout)
            .lines()
            .filter(|l| compiles(l))
            .count();
        let task = Task::count(
            format!("{}: compile with {jobs} jobs", self.name),
            total as u64,
        );
        let mut done = 0;
        let mut command = self.command("make");
        proc::logged(
            command.arg(format!("-j{jobs}")),
            &self.logs.join("make.log"),
            &task,
            |task, line| {
                if compiles(line) {
                    done += 1;
                    task.position(done);
                    task.message(line.rsplit(' ').next().unwrap_or_default());
                }
            },
        )
        .context("the interpreter does not compile")?;
        task.done();
        fs::remove_file(running)?;
        step.end()?;
        Ok(step.key())
    }
}

fn compiles(line: &str) -> bool {
    line.contains(" -c ") && line.contains(".c")
}

/// The compiler as it names itself.
fn compiler() -> Option<String> {
    let name = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut words = name.split_whitespace();
    proc::text(proc::command(words.next()?).args(words).arg("--version")).ok()
}

/// The variables that `configure` listens to.
fn environment() -> String {
    let names = [
        "CC",
        "CXX",
        "CFLAGS",
        "CPPFLAGS",
        "LDFLAGS",
        "LIBS",
        "PKG_CONFIG_PATH",
    ];
    names
        .iter()
        .filter_map(|name| Some(format!("{name}={}\n", std::env::var(name).ok()?)))
        .collect()
}

/// The lines of the Makefile that decide how objects are compiled.
fn compile_flags(tree: &Path) -> Result<Vec<String>> {
    let is_flag = |line: &&str| {
        let Some((name, _)) = line.split_once('=') else {
            return false;
        };
        let name = name.trim_end();
        name == "CC"
            || name == "CXX"
            || name == "OPT"
            || name.contains("CFLAGS")
            || name.contains("CPPFLAGS")
    };
    let text = fs::read_to_string(tree.join("Makefile"))?;
    Ok(text.lines().filter(is_flag).map(str::to_owned).collect())
}

/// Removes what a killed `make`, which began at `since`, may have left half-written: make judges
/// by times and would take it for finished. A file is suspect if it was written in the last
/// seconds before the death; the newest file tells when that was.
pub fn mend(tree: &Path, since: SystemTime) -> Result<()> {
    let mut written = Vec::new();
    collect_newer(tree, since, &mut written)?;
    let Some(newest) = written.iter().map(|(_, time)| *time).max() else {
        return Ok(());
    };
    let mut configuration = false;
    let mut sysconfig = false;
    for (path, time) in written {
        if time + Duration::from_secs(10) < newest {
            continue;
        }
        let relative = path.strip_prefix(tree).unwrap_or(&path);
        // Make runs config.status again by itself if need be; without a Makefile it could not.
        configuration |= ["Makefile", "Makefile.pre", "config.status", "pyconfig.h"]
            .iter()
            .any(|name| relative == Path::new(name));
        sysconfig |= relative.starts_with("build");
        fs::remove_file(path)?;
    }
    if sysconfig {
        // Its rule writes the files below build/ as a side effect.
        let _ = fs::remove_file(tree.join("pybuilddir.txt"));
    }
    if configuration {
        let status = tree.join("config.status");
        if status.exists() {
            proc::output(proc::command(status).current_dir(tree))?;
        } else {
            // Nothing to go on from: the next configure begins anew.
            fs::remove_dir_all(tree)?;
            anyhow::bail!("the tree cannot be mended and was removed: run this command again");
        }
    }
    Ok(())
}

fn collect_newer(
    dir: &Path,
    since: SystemTime,
    found: &mut Vec<(PathBuf, SystemTime)>,
) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = fs::symlink_metadata(entry.path())?;
        if meta.is_dir() {
            collect_newer(&entry.path(), since, found)?;
        } else if meta.is_file() && meta.modified()? >= since {
            found.push((entry.path(), meta.modified()?));
        }
    }
    Ok(())
}

/// Installs beside the prefix, tries what came out, and exchanges the two.
fn install(
    project: &Project,
    flavour: Flavour,
    tree: &Tree,
    facts: Facts,
    with_engine: bool,
) -> Result<()> {
    let prefix = project.prefix(flavour);
    let step = Step::new(tree.stamps.join("install.json"), facts);
    let changed = step.changed();
    let exists = project.python(flavour).exists();
    if exists && changed.as_ref().is_some_and(|changed| changed.is_empty()) {
        return Ok(());
    }
    step.begin()?;
    let task = Task::spinner(format!("{}: install", flavour.name()));
    let temp = half_made::dir_in(&project.flavour_dir(flavour))?;
    let staged = temp
        .path()
        .join(prefix.strip_prefix("/").unwrap_or(&prefix));
    // With nothing new but compiled code, most of an installation's time would go into files
    // that are there already.
    let targets: &[&str] = if exists && changed == Some(vec!["made"]) {
        link_tree(&prefix, &staged)?;
        &["altbininstall", "libainstall", "sharedinstall"]
    } else {
        &["install"]
    };
    let mut command = tree.command("make");
    proc::logged(
        command
            .args(targets)
            .arg(format!("DESTDIR={}", temp.path().display())),
        &tree.logs.join("install.log"),
        &task,
        |task, line| task.message(line.trim()),
    )
    .context("the installation failed")?;
    if flavour.patched() {
        hotreload::install(project, &staged)?;
    }
    task.message("try it");
    validate::check(&staged, tree.asan, with_engine)?;
    if prefix.exists() {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, &staged, CWD, &prefix, RenameFlags::EXCHANGE)
            .with_context(|| format!("cannot exchange {}", prefix.display()))?;
    } else {
        fs::rename(&staged, &prefix)?;
    }
    step.end()?;
    task.done();
    Ok(())
}

/// A copy of hard links. `install` replaces files and never writes into them.
fn link_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            link_tree(&old, &new)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(old)?, new)?;
        } else {
            fs::hard_link(old, new)?;
        }
    }
    Ok(())
}

/// Hashes a few words into one.
pub fn key_of(words: &[&str]) -> String {
    let mut hasher = Hasher::default();
    for word in words {
        hasher.add(word);
    }
    hasher.finish()
}
