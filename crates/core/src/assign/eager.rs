//! The eager assignor (Java: `EagerAssignor`): everything is stopped, then dealt out anew.
//!
//! It has no memory and never revokes; the group revokes everything before it runs.

use std::collections::{BTreeMap, BTreeSet};

use super::Work;
use crate::group::MemberId;

/// Deals the configured connectors, then the configured tasks, over the members in turn. Members are taken by
/// id; the turn goes on from the connectors to the tasks (spec distributed 2.5).
#[must_use]
pub fn assign_eager(members: &BTreeSet<MemberId>, configured: &Work) -> BTreeMap<MemberId, Work> {
    let mut shares: BTreeMap<MemberId, Work> = members
        .iter()
        .map(|member| (member.clone(), Work::new()))
        .collect();
    let mut turn = members.iter().cycle();
    for connector in &configured.connectors {
        if let Some(share) = turn.next().and_then(|member| shares.get_mut(member)) {
            share.connectors.insert(connector.clone());
        }
    }
    for task in &configured.tasks {
        if let Some(share) = turn.next().and_then(|member| shares.get_mut(member)) {
            share.tasks.insert(task.clone());
        }
    }
    shares
}
