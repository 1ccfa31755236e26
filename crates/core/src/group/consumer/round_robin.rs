//! The round-robin assignor (Java: `RoundRobinAssignor`): all partitions of all topics, by name, to the members in
//! turn; a member that does not want the topic is passed over.

use super::assignor::{Members, Shares, Topics, partitions_of, sorted};

pub(super) fn assign(topics: &Topics, members: &Members) -> Shares {
    let mut shares: Shares = members.keys().map(|id| (id.clone(), Vec::new())).collect();
    let order = sorted(members);
    let mut turn = order.iter().cycle();
    for (topic, count) in topics {
        for partition in partitions_of(topic, *count) {
            // The callers leave out topics nobody wants, so one full circle finds somebody.
            let next = turn
                .by_ref()
                .take(order.len())
                .find(|(_, member)| member.wants(topic));
            if let Some(share) = next.and_then(|(id, _)| shares.get_mut(*id)) {
                share.push(partition);
            }
        }
    }
    shares
}
