//! `patches check --prefixes`.
use crate::patches::series::Series;
use crate::project::Project;
use crate::source_tree::{Applied, SourceTree};
use anyhow::Result;
pub fn build(
    _: &Project,
    _: &SourceTree,
    _: &Series,
    _: &[Applied],
    _: Option<usize>,
) -> Result<()> {
    Ok(())
}
