//! The benchmarks work, and their table is what they measured. Nothing is asserted about speed.

mod common;

use std::fs;

use anyhow::{Result, ensure};
use common::{command, python, root, run};
use serde_json::Value;

#[test]
fn a_quick_run_measures_everything_and_reports_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let results = dir.path().join("quick.json");
    let python = python("release")?;
    let script = root().join("benches/bench.py");
    // The interpreter is compared with itself: the unpatched one takes minutes to build.
    let table = run(command(&python)
        .arg(&script)
        .args(["--quick", "--unpatched"])
        .arg(&python)
        .arg("--output")
        .arg(&results))?;
    ensure!(
        table.contains("one key, in a list / get_referrers"),
        "{table}"
    );

    let measured: Value = serde_json::from_str(&fs::read_to_string(&results)?)?;
    let rows = measured["rows"].as_array().expect("a list of rows");
    for part in ["remap", "kinds", "memory", "collect", "loops"] {
        ensure!(
            rows.iter().any(|row| row["part"] == part),
            "nothing was measured of `{part}`:\n{table}"
        );
    }
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        ensure!(
            number("value").is_finite() && number("low") <= number("high"),
            "not a measurement: {row}"
        );
    }

    let docs = dir.path().join("docs");
    let report = |check: &[&str]| {
        run(command(&python)
            .arg(&script)
            .args(["--report", "quick", "--results"])
            .arg(dir.path())
            .arg("--docs")
            .arg(&docs)
            .args(check))
    };
    ensure!(report(&["--check"]).is_err(), "nothing is there to be true");
    report(&[])?;
    report(&["--check"])?;
    let text = fs::read_to_string(docs.join("benchmarks.md"))?;
    ensure!(
        text.contains("| one key, in a list / `collect` |"),
        "{text}"
    );
    Ok(())
}

#[test]
fn the_documented_table_is_the_measured_one() -> Result<()> {
    run(command(python("release")?)
        .arg(root().join("benches/bench.py"))
        .args(["--report", "release", "--check"]))?;
    Ok(())
}
