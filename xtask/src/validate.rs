//! Tries the interpreter that came out, as a step of its own: a build that "succeeded" may lack
//! half of the standard library.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::proc;
use crate::ui::note;

/// Modules that need something of the system, and the package with its headers.
const MODULES: &[(&str, &str)] = &[
    ("ssl", "libssl-dev"),
    ("hashlib", "libssl-dev"),
    ("zlib", "zlib1g-dev"),
    ("bz2", "libbz2-dev"),
    ("lzma", "liblzma-dev"),
    ("ctypes", "libffi-dev"),
    ("sqlite3", "libsqlite3-dev"),
    ("readline", "libreadline-dev"),
    ("curses", "libncurses-dev"),
    ("_uuid", "uuid-dev"),
    ("dbm.gnu", "libgdbm-dev"),
    ("dbm.ndbm", "libgdbm-compat-dev"),
    ("tkinter", "tk-dev"),
];

pub fn check(prefix: &Path, asan: bool, with_engine: bool) -> Result<()> {
    let python = prefix.join("bin/python3");
    let run = |code: &str| {
        let mut command = proc::command(&python);
        command.args(["-I", "-B", "-c", code]);
        if asan {
            command.env("ASAN_OPTIONS", "detect_leaks=0");
        }
        proc::text(&mut command)
    };
    let must =
        run("import gc, json, _struct, math, asyncio, venv, ensurepip, sysconfig; print('fine')")
            .context("the interpreter that was built does not work")?;
    ensure!(
        must == "fine",
        "the interpreter that was built answers {must:?}"
    );
    if with_engine {
        run("import gc; gc.remap({}); gc.RemapResult")
            .context("the interpreter that was built has no working gc.remap")?;
    }
    let names: Vec<&str> = MODULES.iter().map(|(name, _)| *name).collect();
    let missing = run(&format!(
        "import importlib\n\
         for name in {names:?}:\n    \
             try: importlib.import_module(name)\n    \
             except ImportError: print(name)"
    ))?;
    for name in missing.lines() {
        let package = MODULES
            .iter()
            .find(|(n, _)| *n == name)
            .map_or("?", |(_, p)| *p);
        note(format!(
            "the interpreter has no module {name}: install {package} (or pass --install-deps), \
             remove build/*/stamps, and build again"
        ));
    }
    Ok(())
}
