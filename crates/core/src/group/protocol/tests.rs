use std::time::Duration;

use super::{connect::*, consumer};
use crate::{
    ConnectorName, TaskId,
    assign::Work,
    group::{GenerationId, consumer::TopicPartition},
};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

fn work(connectors: &[&str], tasks: &[(&str, u32)]) -> Work {
    Work {
        connectors: connectors.iter().map(|c| ConnectorName::from(*c)).collect(),
        tasks: tasks
            .iter()
            .map(|(c, t)| TaskId {
                connector: (*c).into(),
                task: *t,
            })
            .collect(),
    }
}

fn assignment(assigned: Work, revoked: Work, delay: u64) -> ConnectAssignment {
    ConnectAssignment {
        error: AssignmentError::None,
        leader: "m1".into(),
        leader_url: "http://h:8083/".into(),
        config_offset: 7,
        assigned,
        revoked,
        delay: Duration::from_millis(delay),
    }
}

fn metadata(allocation: Option<ConnectAssignment>) -> WorkerMetadata {
    WorkerMetadata {
        url: "http://h:8083/".into(),
        config_offset: 7,
        allocation,
    }
}

#[test]
fn metadata_has_the_bytes_java_writes() {
    let held = assignment(work(&[], &[("c", 0)]), Work::new(), 0);
    for (protocol, value, bytes) in [
        (
            ConnectProtocol::Eager,
            metadata(None),
            "0000000e687474703a2f2f683a383038332f0000000000000007",
        ),
        (
            ConnectProtocol::Sessioned,
            metadata(None),
            "0002000e687474703a2f2f683a383038332f0000000000000007ffffffff",
        ),
        (
            ConnectProtocol::Sessioned,
            metadata(Some(held)),
            "0002000e687474703a2f2f683a383038332f0000000000000007000000370002000000026d31000e687474703a2f2f683a383038332f00000000000000070000000100016300000001000000000000000000000000",
        ),
    ] {
        assert_eq!(write_metadata(protocol, &value), hex(bytes));
        assert_eq!(read_metadata(&hex(bytes)).unwrap(), value);
    }
}

#[test]
fn assignments_have_the_bytes_java_writes() {
    let mismatch = ConnectAssignment {
        error: AssignmentError::ConfigMismatch,
        ..assignment(Work::new(), Work::new(), 0)
    };
    for (protocol, value, bytes) in [
        (
            ConnectProtocol::Eager,
            assignment(work(&["c"], &[("c", 0), ("c", 1)]), Work::new(), 0),
            "0000000000026d31000e687474703a2f2f683a383038332f00000000000000070000000100016300000003ffffffff0000000000000001",
        ),
        (
            ConnectProtocol::Sessioned,
            assignment(work(&["c"], &[("c", 0)]), work(&[], &[("d", 2)]), 300_000),
            "0002000000026d31000e687474703a2f2f683a383038332f00000000000000070000000100016300000002ffffffff00000000000000010001640000000100000002000493e0",
        ),
        (
            ConnectProtocol::Compatible,
            mismatch,
            "0001000100026d31000e687474703a2f2f683a383038332f0000000000000007000000000000000000000000",
        ),
    ] {
        assert_eq!(write_assignment(protocol, &value), hex(bytes));
        assert_eq!(read_assignment(&hex(bytes)).unwrap(), value);
    }
}

#[test]
fn a_later_version_is_read_with_the_known_layout_and_a_negative_one_is_refused() {
    let mut bytes = write_metadata(ConnectProtocol::Sessioned, &metadata(None));
    bytes[1] = 9;
    bytes.extend_from_slice(b"future");
    assert_eq!(read_metadata(&bytes).unwrap(), metadata(None));
    bytes[0] = 0xff;
    assert!(read_metadata(&bytes).is_err());
}

#[test]
fn short_and_lying_bytes_are_refused_without_allocating() {
    let full = write_assignment(
        ConnectProtocol::Sessioned,
        &assignment(work(&["c"], &[("c", 0)]), work(&[], &[("d", 2)]), 5),
    );
    // 43 = the end of the V0 part, 55 = the end of revoked: there the bytes may end.
    let accepted: Vec<usize> = (0..full.len())
        .filter(|end| read_assignment(&full[..*end]).is_ok())
        .collect();
    assert_eq!(accepted.len(), 2, "cuts accepted at {accepted:?}");
    let mut lying = hex("0000000000026d310000000000000000000700");
    lying.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    assert!(read_assignment(&lying).is_err());
}

#[test]
fn subscriptions_of_all_versions_are_read() {
    let value = consumer::Subscription {
        topics: vec!["a".into(), "b".into()],
        user_data: None,
        owned: vec![TopicPartition::new("a", 0), TopicPartition::new("a", 2)],
        generation: Some(GenerationId(4)),
        rack: Some("r".into()),
    };
    let bytes = consumer::write_subscription(&value);
    assert_eq!(
        bytes,
        hex(
            "0003000000020001610001 62ffffffff0000000100016100000002000000000000000200000004000172"
                .replace(' ', "")
                .as_str()
        )
    );
    assert_eq!(consumer::read_subscription(&bytes).unwrap(), value);
    let v0 = consumer::read_subscription(&hex("000000000001000161ffffffff")).unwrap();
    assert_eq!(
        (v0.topics, v0.owned, v0.generation),
        (vec!["a".to_owned()], vec![], None)
    );
}

#[test]
fn an_assignment_of_no_bytes_is_empty() {
    assert_eq!(
        consumer::read_assignment(&[]).unwrap(),
        consumer::ConsumerAssignment::default()
    );
    let value = consumer::ConsumerAssignment {
        partitions: vec![TopicPartition::new("t", 1)],
        user_data: Some(vec![1]),
    };
    assert_eq!(
        consumer::read_assignment(&consumer::write_assignment(&value)).unwrap(),
        value
    );
}
