//! Steps that are skipped when nothing they depend on has changed.
//!
//! Invariant: a stamp exists only while what the step made is whole: it is removed before the
//! step begins and written, in one move, after it ends. It holds facts (content hashes, versions,
//! options), never times.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use fs_err as fs;

use crate::half_made;

/// What a step depends on, by name.
pub type Facts = BTreeMap<&'static str, String>;

pub struct Step {
    stamp: PathBuf,
    facts: Facts,
}

impl Step {
    pub fn new(stamp: PathBuf, facts: Facts) -> Self {
        Step { stamp, facts }
    }

    fn recorded(&self) -> Option<BTreeMap<String, String>> {
        serde_json::from_slice(&fs::read(&self.stamp).ok()?).ok()
    }

    /// The names of the facts that differ from the stamp's; `None` without a stamp.
    pub fn changed(&self) -> Option<Vec<&'static str>> {
        let recorded = self.recorded()?;
        let differs =
            |(name, value): &(&&'static str, &String)| recorded.get(**name) != Some(*value);
        Some(
            self.facts
                .iter()
                .filter(differs)
                .map(|(name, _)| *name)
                .collect(),
        )
    }

    pub fn is_current(&self) -> bool {
        self.changed().is_some_and(|changed| changed.is_empty())
    }

    /// From here on the step's product is in pieces.
    pub fn begin(&self) -> Result<()> {
        match fs::remove_file(&self.stamp) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
            _ => Ok(()),
        }
    }

    pub fn end(&self) -> Result<()> {
        half_made::write(&self.stamp, serde_json::to_vec_pretty(&self.facts)?)
    }

    /// The facts in one word, for a step that depends on this one.
    pub fn key(&self) -> String {
        let mut hasher = crate::hash::Hasher::default();
        for (name, value) in &self.facts {
            hasher.add(name).add(value);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_current_between_its_end_and_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = dir.path().join("stamps/x.json");
        let step = |value: &str| Step::new(stamp.clone(), Facts::from([("a", value.to_owned())]));
        assert!(step("1").changed().is_none());
        step("1").end().unwrap();
        assert!(step("1").is_current());
        assert_eq!(step("2").changed(), Some(vec!["a"]));
        step("1").begin().unwrap();
        assert!(!step("1").is_current());
        step("1").begin().unwrap();
    }
}
