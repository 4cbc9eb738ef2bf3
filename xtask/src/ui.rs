//! What the user sees while a step runs: a bar on a terminal, two plain lines elsewhere.

use std::io::{self, IsTerminal, Read};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A step in progress. Dropping it without [`Task::done`] leaves its line as it stands.
pub struct Task {
    name: String,
    bar: ProgressBar,
    start: Instant,
}

impl Task {
    /// A step of which only the passing of time is known.
    pub fn spinner(name: impl Into<String>) -> Self {
        let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg}");
        Self::start(
            name.into(),
            ProgressBar::new_spinner(),
            style.expect("valid"),
        )
    }

    /// A step that counts things.
    pub fn count(name: impl Into<String>, total: u64) -> Self {
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {wide_msg}");
        Self::start(name.into(), ProgressBar::new(total), style.expect("valid"))
    }

    /// A step that moves bytes.
    pub fn bytes(name: impl Into<String>, total: u64) -> Self {
        let style = ProgressStyle::with_template(
            "{prefix} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}",
        );
        Self::start(name.into(), ProgressBar::new(total), style.expect("valid"))
    }

    fn start(name: String, bar: ProgressBar, style: ProgressStyle) -> Self {
        bar.set_style(style);
        bar.set_prefix(name.clone());
        if io::stderr().is_terminal() {
            bar.enable_steady_tick(Duration::from_millis(120));
        } else {
            eprintln!("{name} ...");
        }
        Task {
            name,
            bar,
            start: Instant::now(),
        }
    }

    pub fn position(&self, n: u64) {
        self.bar.set_position(n);
    }

    pub fn message(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// Counts the bytes that pass through `reader`.
    pub fn reads<'a>(&'a self, reader: impl Read + 'a) -> impl Read + 'a {
        self.bar.wrap_read(reader)
    }

    pub fn done(self) {
        self.bar.finish_and_clear();
        eprintln!("{}: {:.1} s", self.name, self.start.elapsed().as_secs_f64());
    }
}

/// Something the user should know, that does not stop the run.
pub fn note(text: impl AsRef<str>) {
    eprintln!("note: {}", text.as_ref());
}
