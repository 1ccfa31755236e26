//! Kafka's numeric error codes as errors of the ports.
//!
//! Answers to `org.apache.kafka.common.protocol.Errors`: code, exception class, retriable or not.

use kafka_protocol::ResponseError;

use crate::ports::{KafkaError, KafkaErrorKind};

pub(crate) const REQUEST_TIMED_OUT: i16 = 7;
pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
pub(crate) const INVALID_TOPIC: i16 = 17;
pub(crate) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
pub(crate) const NOT_COORDINATOR: i16 = 16;
pub(crate) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
pub(crate) const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
pub(crate) const UNSUPPORTED_VERSION: i16 = 35;
pub(crate) const TOPIC_ALREADY_EXISTS: i16 = 36;
pub(crate) const INVALID_REPLICATION_FACTOR: i16 = 38;
pub(crate) const INVALID_CONFIG: i16 = 40;
pub(crate) const CONCURRENT_TRANSACTIONS: i16 = 51;
pub(crate) const GROUP_ID_NOT_FOUND: i16 = 69;
/// What is said of the member that asks, not of what it asks for: unknown, of no group, not in this epoch.
pub(crate) const OF_MEMBERS: [i16; 3] = [25, GROUP_ID_NOT_FOUND, 113];
pub(crate) const POLICY_VIOLATION: i16 = 44;

/// The class of Java's timeout.
pub(crate) const TIMEOUT_CLASS: &str = "org.apache.kafka.common.errors.TimeoutException";

macro_rules! classes {
    ($($code:pat => $name:literal),* $(,)?) => {
        /// The Java class of a code.
        pub(crate) fn class(code: i16) -> &'static str {
            match code {
                $($code => concat!("org.apache.kafka.common.errors.", $name, "Exception"),)*
                _ => "org.apache.kafka.common.KafkaException",
            }
        }
    };
}

classes! {
    -1 => "UnknownServer",
    1 => "OffsetOutOfRange",
    2 => "CorruptRecord",
    3 => "UnknownTopicOrPartition",
    4 => "InvalidFetchSize",
    5 => "LeaderNotAvailable",
    6 => "NotLeaderOrFollower",
    7 => "Timeout",
    8 => "BrokerNotAvailable",
    9 => "ReplicaNotAvailable",
    10 => "RecordTooLarge",
    11 => "ControllerMoved",
    12 => "OffsetMetadataTooLarge",
    13 => "Network",
    14 => "CoordinatorLoadInProgress",
    15 => "CoordinatorNotAvailable",
    16 => "NotCoordinator",
    17 => "InvalidTopic",
    18 => "RecordBatchTooLarge",
    19 => "NotEnoughReplicas",
    20 => "NotEnoughReplicasAfterAppend",
    21 => "InvalidRequiredAcks",
    22 => "IllegalGeneration",
    23 => "InconsistentGroupProtocol",
    24 => "InvalidGroupId",
    25 => "UnknownMemberId",
    26 => "InvalidSessionTimeout",
    27 => "RebalanceInProgress",
    28 => "InvalidCommitOffsetSize",
    29 => "TopicAuthorization",
    30 => "GroupAuthorization",
    31 => "ClusterAuthorization",
    32 => "InvalidTimestamp",
    33 => "UnsupportedSaslMechanism",
    34 => "IllegalSaslState",
    35 => "UnsupportedVersion",
    36 => "TopicExists",
    37 => "InvalidPartitions",
    38 => "InvalidReplicationFactor",
    39 => "InvalidReplicaAssignment",
    40 => "InvalidConfiguration",
    41 => "NotController",
    42 => "InvalidRequest",
    43 => "UnsupportedForMessageFormat",
    44 => "PolicyViolation",
    45 => "OutOfOrderSequence",
    46 => "DuplicateSequence",
    47 => "InvalidProducerEpoch",
    48 => "InvalidTxnState",
    49 => "InvalidPidMapping",
    50 => "InvalidTxnTimeout",
    51 => "ConcurrentTransactions",
    52 => "TransactionCoordinatorFenced",
    53 => "TransactionalIdAuthorization",
    54 => "SecurityDisabled",
    56 => "KafkaStorage",
    58 => "SaslAuthentication",
    59 => "UnknownProducerId",
    68 => "GroupNotEmpty",
    69 => "GroupIdNotFound",
    72 => "ListenerNotFound",
    73 => "TopicDeletionDisabled",
    74 => "FencedLeaderEpoch",
    75 => "UnknownLeaderEpoch",
    79 => "MemberIdRequired",
    81 => "GroupMaxSizeReached",
    82 => "FencedInstanceId",
    86 => "GroupSubscribedToTopic",
    87 => "InvalidRecord",
    88 => "UnstableOffsetCommit",
    89 => "ThrottlingQuotaExceeded",
    90 => "ProducerFenced",
    100 => "UnknownTopicId",
    105 => "TransactionalIdNotFound",
    110 => "FencedMemberEpoch",
    111 => "UnreleasedInstanceId",
    112 => "UnsupportedAssignor",
    113 => "StaleMemberEpoch",
    120 => "TransactionAbortable",
}

fn kind(code: i16) -> KafkaErrorKind {
    match code {
        90 | 47 => KafkaErrorKind::Fenced,
        29 | 30 | 31 | 53 | 58 | 65 => KafkaErrorKind::Unauthorized,
        // The broker did not finish in time: the request may have had its effect.
        REQUEST_TIMED_OUT => KafkaErrorKind::Unknown,
        // Transient too, although the protocol leaves the decision to the caller.
        CONCURRENT_TRANSACTIONS => KafkaErrorKind::Retriable,
        _ => match ResponseError::try_from_code(code) {
            Some(error) if error.is_retriable() => KafkaErrorKind::Retriable,
            _ => KafkaErrorKind::Fatal,
        },
    }
}

/// The error for a broker's code; `what` names the call and the thing, `said` is the broker's own text.
pub(crate) fn error(code: i16, what: &str, said: Option<&str>) -> KafkaError {
    let name = match ResponseError::try_from_code(code) {
        Some(ResponseError::Unknown(_)) | None => format!("error {code}"),
        Some(known) => format!("{known:?}"),
    };
    let message = match said {
        Some(said) if !said.is_empty() => format!("{what}: {said}"),
        _ => format!("{what}: the broker answered {name} ({code})"),
    };
    KafkaError::new(kind(code), message).class(class(code))
}

/// `Ok` for code 0.
pub(crate) fn check(code: i16, what: &str, said: Option<&str>) -> Result<(), KafkaError> {
    if code == 0 {
        Ok(())
    } else {
        Err(error(code, what, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_java_class_and_kind() {
        let error = error(16, "joinGroup", None);
        assert_eq!(
            error.class,
            "org.apache.kafka.common.errors.NotCoordinatorException"
        );
        assert_eq!(error.kind, KafkaErrorKind::Retriable);
        assert_eq!(super::error(90, "x", None).kind, KafkaErrorKind::Fenced);
        assert_eq!(
            super::error(29, "x", None).kind,
            KafkaErrorKind::Unauthorized
        );
        assert_eq!(super::error(38, "x", None).kind, KafkaErrorKind::Fatal);
        assert_eq!(super::error(38, "x", Some("why")).message, "x: why");
    }
}
