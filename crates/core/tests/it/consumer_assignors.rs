//! The consumer assignors give what Java's give (`tests/golden/recipe/RecordAssignors.java`).

use std::collections::BTreeMap;

use milena_core::group::{
    MemberId,
    consumer::{Assignor, GroupMember, Members, Topics},
    protocol::consumer::read_subscription,
};
use serde_json::Value;

const RECORDED: &str = include_str!("../golden/consumer-assignors.jsonl");

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect()
}

fn case(line: &str) -> (Assignor, Topics, Members, BTreeMap<MemberId, Vec<String>>) {
    let case: Value = serde_json::from_str(line).unwrap();
    let topics = case["topics"].as_object().unwrap().iter();
    let topics = topics
        .map(|(t, n)| (t.as_str().into(), n.as_i64().unwrap() as i32))
        .collect();
    let members = case["members"].as_object().unwrap().iter();
    let members = members.map(|(id, member)| {
        let subscription = read_subscription(&bytes(member["metadata"].as_str().unwrap())).unwrap();
        let instance = member["instance"].as_str().map(str::to_owned);
        (
            MemberId::from(id.as_str()),
            GroupMember {
                subscription,
                instance,
            },
        )
    });
    let shares = case["shares"].as_object().unwrap().iter();
    let shares = shares.map(|(id, share)| {
        let share = share
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_str().unwrap().to_owned());
        (MemberId::from(id.as_str()), share.collect())
    });
    let assignor = Assignor::from_name(case["assignor"].as_str().unwrap()).unwrap();
    (assignor, topics, members.collect(), shares.collect())
}

#[test]
fn every_recorded_case_has_javas_answer() {
    let mut wrong = BTreeMap::new();
    for (number, line) in RECORDED.lines().enumerate() {
        let (assignor, topics, members, expected) = case(line);
        let ours: BTreeMap<MemberId, Vec<String>> = assignor
            .assign(&topics, &members)
            .into_iter()
            .map(|(id, mut share)| {
                share.sort();
                (id, share.iter().map(ToString::to_string).collect())
            })
            .collect();
        if ours != expected {
            wrong.entry(assignor.name()).or_insert_with(Vec::new).push((
                number + 1,
                ours,
                expected,
            ));
        }
    }
    let (first, counts) = (
        wrong.values().next().map(|cases| &cases[0]),
        wrong.iter().map(|(name, c)| (name, c.len())),
    );
    assert!(
        wrong.is_empty(),
        "{:?} differ; first (line, ours, Java's): {first:?}",
        counts.collect::<Vec<_>>()
    );
}
