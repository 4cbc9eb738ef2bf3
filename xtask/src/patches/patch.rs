//! One patch file: a header that says why, an empty line, a diff.
//!
//! Invariant: the same commit always gives the same bytes. Nothing in the file depends on who
//! wrote it, when, or on which objects: no hashes, dates, names or signature.

use anyhow::{Result, bail, ensure};

const DIFF: &[u8] = b"diff --git ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Subject, empty line, body; ends with one line feed.
    pub header: String,
    pub diff: Vec<u8>,
}

impl Patch {
    /// Makes a patch from a commit message and the diff that git wrote.
    pub fn new(message: &str, diff: Vec<u8>) -> Result<Self> {
        let header = format!("{}\n", tidy(message));
        let mut kept = Vec::with_capacity(diff.len());
        for line in diff.split_inclusive(|&b| b == b'\n') {
            if line.starts_with(b"Binary files ") {
                bail!(
                    "\"{}\" changes a binary file; patches hold text only",
                    subject(&header)
                );
            }
            // Lines of content begin with ' ', '+', '-' or '\': this one is a header line.
            if !line.starts_with(b"index ") {
                kept.extend_from_slice(line);
            }
        }
        ensure!(
            !kept.is_empty(),
            "the commit \"{}\" changes nothing",
            subject(&header)
        );
        Ok(Patch { header, diff: kept })
    }

    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let start = (0..bytes.len())
            .find(|&i| (i == 0 || bytes[i - 1] == b'\n') && bytes[i..].starts_with(DIFF));
        let Some(start) = start else {
            bail!("holds no diff (no line begins with `diff --git`)");
        };
        let Ok(header) = std::str::from_utf8(&bytes[..start]) else {
            bail!("its header is not UTF-8");
        };
        Ok(Patch {
            header: format!("{}\n", header.trim_end()),
            diff: bytes[start..].to_vec(),
        })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.clone().into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.diff);
        bytes
    }

    pub fn subject(&self) -> &str {
        subject(&self.header)
    }

    /// What is wrong with the header, if anything is.
    pub fn header_problem(&self) -> Option<&'static str> {
        let mut lines = self.header.lines();
        let subject = lines.next().unwrap_or_default();
        if subject.is_empty() {
            return Some("has no header: write a subject, an empty line, and why the patch exists");
        }
        if subject.len() > 100 {
            return Some("has a subject of more than 100 characters");
        }
        if lines.next().is_some_and(|line| !line.is_empty()) {
            return Some("lacks the empty line after its subject");
        }
        if lines.all(|line| line.trim().is_empty()) {
            return Some("has a subject only: add a paragraph that says why the patch exists");
        }
        let ambiguous = |line: &str| {
            ["--- ", "+++ ", "@@ ", "diff ", "Index: "]
                .iter()
                .any(|mark| line.starts_with(mark))
                || line == "---"
        };
        if self.header.lines().any(ambiguous) {
            return Some("has a header line that reads like a diff");
        }
        None
    }
}

fn subject(header: &str) -> &str {
    header.lines().next().unwrap_or_default()
}

/// A message as git would clean it: no spaces at line ends, no double empty lines.
fn tidy(message: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in message.trim().lines() {
        let line = line.trim_end();
        if !(line.is_empty() && lines.last().is_some_and(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// A file name for a subject.
pub fn slug(subject: &str) -> String {
    let mut slug = String::new();
    for c in subject.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 60 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "patch".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &[u8] = b"diff --git a/x b/x\nindex 1234567..89abcde 100644\n--- a/x\n+++ b/x\n\
                          @@ -1 +1 @@\n-index of\n+index to\n";

    #[test]
    fn round_trip_without_hashes() {
        let patch = Patch::new("Subject \n\n\n\nwhy\n\n", DIFF.to_vec()).unwrap();
        assert_eq!(patch.header, "Subject\n\nwhy\n");
        let bytes = patch.to_bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(!text.contains("1234567"));
        assert!(text.contains("-index of\n+index to\n"));
        assert_eq!(Patch::parse(&bytes).unwrap(), patch);
        assert_eq!(Patch::parse(&bytes).unwrap().to_bytes(), bytes);
        assert_eq!(patch.header_problem(), None);
    }

    #[test]
    fn headers_must_say_why() {
        let problem = |message| Patch::new(message, DIFF.to_vec()).unwrap().header_problem();
        assert!(problem("").unwrap().contains("no header"));
        assert!(problem("Subject").unwrap().contains("says why"));
        assert!(problem("Subject\nbody").unwrap().contains("empty line"));
        assert!(
            problem("Subject\n\n--- a/x")
                .unwrap()
                .contains("reads like a diff")
        );
        assert!(problem(&"x".repeat(101)).unwrap().contains("100"));
    }

    #[test]
    fn what_is_no_text_patch_is_refused() {
        assert!(Patch::parse(b"words only\n").is_err());
        assert!(Patch::parse(b"\xff\ndiff --git a/x b/x\n").is_err());
        assert!(Patch::new("s", b"Binary files a/x and b/x differ\n".to_vec()).is_err());
        assert!(Patch::new("s", Vec::new()).is_err());
    }

    #[test]
    fn slugs() {
        assert_eq!(
            slug("Objects: add tp_traverse_change (slot)"),
            "objects-add-tp_traverse_change-slot"
        );
        assert_eq!(slug("…"), "patch");
    }
}
