//! The names of metrics.

use anyhow::Context;
use milena_telemetry::mbean_name;

use crate::{
    check::{Outcome, same},
    vector::Vector,
};

/// The MBean name of a group with tags.
pub(super) fn mbean(vector: &Vector) -> Outcome {
    let group = vector.input_text("group").context("no group")?;
    let tags: Vec<(&str, &str)> = vector
        .input("tags")
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tag| Some((tag.get(0)?.as_str()?, tag.get(1)?.as_str()?)))
        .collect();
    let found = mbean_name(group, &tags);
    let expected = vector
        .expected("mbean")
        .as_str()
        .map(str::to_owned)
        .unwrap_or_default();
    Ok(same(&expected, &found, String::clone))
}
