//! The range assignor (Java: `RangeAssignor` when no member or broker names a rack): topic by topic, each member
//! gets a run of neighbouring partitions, so that equal topics are split equally.

use super::assignor::{Members, Shares, Topics, partitions_of, sorted};

pub(super) fn assign(topics: &Topics, members: &Members) -> Shares {
    let mut shares: Shares = members.keys().map(|id| (id.clone(), Vec::new())).collect();
    let order = sorted(members);
    for (topic, count) in topics {
        let wanting: Vec<_> = order
            .iter()
            .filter(|(_, member)| member.wants(topic))
            .collect();
        let mut partitions = partitions_of(topic, *count);
        let total = usize::try_from(*count).unwrap_or(0);
        let each = total / wanting.len().max(1);
        let extra = total % wanting.len().max(1);
        for (index, (id, _)) in wanting.iter().enumerate() {
            let take = each + usize::from(index < extra);
            if let Some(share) = shares.get_mut(*id) {
                share.extend(partitions.by_ref().take(take));
            }
        }
    }
    shares
}
