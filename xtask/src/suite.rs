//! `cargo xtask test --cpython-suite`: CPython's whole test suite, on the patched interpreter and
//! on the unpatched one, compared test by test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use crate::flavour::Flavour;
use crate::git::Git;
use crate::hash::Hasher;
use crate::proc;
use crate::project::Project;

/// Where the list of differences is kept.
const REPORT: &str = "docs/cpython-suite.md";

/// What needs a network, a screen, a sound card or much disk is left out of both runs.
const RESOURCES: &str = "all,-network,-urlfetch,-gui,-audio,-largefile";

/// The outcome of each test, by its name.
type Outcomes = BTreeMap<String, &'static str>;

pub fn run(project: &Project, jobs: usize) -> Result<()> {
    let mut unpatched = outcomes(project, Flavour::Unpatched, jobs)?;
    let mut patched = outcomes(project, Flavour::Release, jobs)?;
    let unsteady: BTreeSet<_> = differing(&unpatched, &patched)
        .iter()
        .filter_map(|name| file_of(name))
        .collect();
    if !unsteady.is_empty() {
        eprintln!("once more, on both: {unsteady:?}");
        unpatched.extend(run_again(project, Flavour::Unpatched, &unsteady)?);
        patched.extend(run_again(project, Flavour::Release, &unsteady)?);
    }
    let outcome = |outcomes: &Outcomes, name| outcomes.get(name).copied().unwrap_or("absent");
    let (added, differing): (Vec<_>, Vec<_>) = differing(&unpatched, &patched)
        .into_iter()
        .partition(|name| {
            outcome(&unpatched, *name) == "absent" && outcome(&patched, *name) == "passed"
        });
    let differences: Vec<_> = differing
        .into_iter()
        .map(|name| {
            let (before, after) = (outcome(&unpatched, name), outcome(&patched, name));
            format!("| `{name}` | {before} | {after} |")
        })
        .collect();
    let path = project.root.join(REPORT);
    fs::write(&path, report(project, &patched, &added, &differences)?)?;
    println!(
        "{} tests, {} added by the patches, {} differences: {}",
        patched.len(),
        added.len(),
        differences.len(),
        project.show(&path)
    );
    if !differences.is_empty() {
        bail!("the patched interpreter does not behave as the unpatched one");
    }
    Ok(())
}

/// The names of tests whose outcomes differ.
fn differing<'a>(unpatched: &'a Outcomes, patched: &'a Outcomes) -> BTreeSet<&'a String> {
    (unpatched.keys().chain(patched.keys()))
        .filter(|name| unpatched.get(*name) != patched.get(*name))
        .collect()
}

/// The test file of `test.test_os.FileTests.test_closerange`, as the test runner calls it.
fn file_of(name: &str) -> Option<String> {
    name.split('.').nth(1).map(str::to_owned)
}

/// `added` are the tests that only the patched interpreter has, and passes.
fn report(
    project: &Project,
    patched: &Outcomes,
    added: &[&String],
    differences: &[String],
) -> Result<String> {
    let commit = Git::at(&project.root).run(["rev-parse", "--short", "HEAD"])?;
    let date = proc::text(proc::command("date").args(["-u", "+%Y-%m-%d"]))?;
    let mut counts = BTreeMap::new();
    for outcome in patched.values() {
        *counts.entry(*outcome).or_insert(0usize) += 1;
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(outcome, n)| format!("{n} {outcome}"))
        .collect();
    let mut text = format!(
        "# CPython's test suite, patched against unpatched\n\n\
         Written by `cargo xtask test --cpython-suite` on {date} at commit {commit}: the whole suite \
         of CPython {version}, `-u {RESOURCES}`, run by the interpreter with the patches and by \
         the one built from the same source without them, in the same configuration. A test that \
         fails is tried once more, and a file with tests whose outcomes differ, on both.\n\n\
         {tests} tests on the patched interpreter: {counts}.\n\n\
         Tests whose outcomes differ: {n}.\n",
        date = date.trim(),
        commit = commit.trim(),
        version = project.pin.version,
        tests = patched.len(),
        counts = counts.join(", "),
        n = differences.len(),
    );
    if !added.is_empty() {
        text.push_str("\nTests that the patches add, and that pass:\n\n");
        for name in added {
            text.push_str(&format!("* `{name}`\n"));
        }
    }
    if !differences.is_empty() {
        text.push_str("\n| test | unpatched | patched |\n| --- | --- | --- |\n");
        text.push_str(&differences.join("\n"));
        text.push('\n');
    }
    Ok(text)
}

/// Runs the suite, or reads what a run of this very interpreter has left.
fn outcomes(project: &Project, flavour: Flavour, jobs: usize) -> Result<Outcomes> {
    let python = project.python(flavour);
    let dir = project.build.join("suite");
    fs::create_dir_all(&dir)?;
    let installed = fs::read(project.flavour_dir(flavour).join("stamps/install.json"))?;
    let key = Hasher::default().add(installed).finish();
    let xml = dir.join(format!("{}-{}.xml", flavour.name(), &key[..16]));
    if !xml.exists() {
        let log = xml.with_extension("log");
        eprintln!(
            "{}: the whole suite with {jobs} jobs; its output goes to {}",
            flavour.name(),
            project.show(&log)
        );
        let half = xml.with_extension("half");
        regrtest(&python, &[format!("-j{jobs}")], &log, &half)?;
        fs::rename(&half, &xml)
            .with_context(|| format!("the suite left no results; see {}", log.display()))?;
    }
    read(&xml)
}

fn run_again(project: &Project, flavour: Flavour, files: &BTreeSet<String>) -> Result<Outcomes> {
    let dir = project.build.join("suite");
    let xml = dir.join(format!("{}-again.xml", flavour.name()));
    let arguments: Vec<_> = files.iter().cloned().collect();
    let log = xml.with_extension("log");
    regrtest(&project.python(flavour), &arguments, &log, &xml)?;
    read(&xml)
}

fn regrtest(python: &Path, arguments: &[String], log: &Path, xml: &Path) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let out = fs::File::create(log)?;
    // What fails is told by the XML, test by test. Tests of signals want those of a terminal,
    // also where this runs in the background.
    proc::command("env")
        .arg("--default-signal")
        .arg(python)
        .args(["-m", "test", "-u", RESOURCES])
        .args(["--timeout", "1200", "--rerun", "--tempdir"])
        .arg(temporary.path())
        .arg("--junit-xml")
        .arg(xml)
        .args(arguments)
        .current_dir(temporary.path())
        .stdin(Stdio::null())
        .stdout(out.file().try_clone()?)
        .stderr(out.into_parts().0)
        .status()
        .with_context(|| format!("cannot run {}", python.display()))?;
    Ok(())
}

/// A name without the addresses of objects, which are others in each run.
fn steady(name: &str) -> String {
    let mut parts = name.split(" at 0x");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    text
}

fn read(xml: &Path) -> Result<Outcomes> {
    let text = fs::read_to_string(xml)?;
    let document = roxmltree::Document::parse(&text)
        .with_context(|| format!("{} is no XML", xml.display()))?;
    let mut found = Outcomes::new();
    for case in document
        .descendants()
        .filter(|n| n.has_tag_name("testcase"))
    {
        let name = steady(case.attribute("name").unwrap_or_default());
        let outcome = if case.children().any(|n| n.has_tag_name("failure")) {
            "failed"
        } else if case.children().any(|n| n.has_tag_name("error")) {
            "error"
        } else if case.children().any(|n| n.has_tag_name("skipped"))
            || case.attribute("result") == Some("skipped")
        {
            "skipped"
        } else {
            "passed"
        };
        // A second run of a test that failed comes later and counts.
        found.insert(name, outcome);
    }
    Ok(found)
}
