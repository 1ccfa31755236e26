//! What workers tell each other in JoinGroup and SyncGroup (Java: `ConnectProtocol`,
//! `IncrementalCooperativeConnectProtocol`; spec distributed 2.1 to 2.4).

use std::time::Duration;

use indexmap::IndexMap;

use super::{ReadError, Reader, Writer};
use crate::{ConnectorName, TaskId, assign::Work, group::MemberId};

/// The task number that stands for the connector instance itself.
const CONNECTOR_ITSELF: i32 = -1;

/// A version of the protocol. The group speaks the highest one that every member offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectProtocol {
    /// Version 0: everything stops at every rebalance.
    Eager,
    /// Version 1: work moves only when it must (KIP-415).
    Compatible,
    /// Version 2: as version 1, and internal requests are signed (KIP-507).
    Sessioned,
}

impl ConnectProtocol {
    /// All versions, the highest first: the order in which they are offered.
    pub const DESCENDING: [Self; 3] = [Self::Sessioned, Self::Compatible, Self::Eager];

    /// The name under which it is offered in JoinGroup.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eager => "default",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        }
    }

    /// The value of `connect.protocol` that offers it and everything below.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        }
    }

    /// The version number in front of its bytes.
    #[must_use]
    pub const fn version(self) -> i16 {
        match self {
            Self::Eager => 0,
            Self::Compatible => 1,
            Self::Sessioned => 2,
        }
    }

    /// The protocol offered under this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::DESCENDING
            .into_iter()
            .find(|protocol| protocol.name() == name)
    }

    /// The protocol for a value of `connect.protocol`, in any case.
    #[must_use]
    pub fn from_setting(setting: &str) -> Option<Self> {
        Self::DESCENDING
            .into_iter()
            .find(|p| p.setting().eq_ignore_ascii_case(setting))
    }

    /// Whether work moves incrementally.
    #[must_use]
    pub const fn is_cooperative(self) -> bool {
        !matches!(self, Self::Eager)
    }

    /// Whether internal requests must be signed.
    #[must_use]
    pub const fn is_sessioned(self) -> bool {
        matches!(self, Self::Sessioned)
    }
}

/// Why an assignment is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentError {
    /// It is valid.
    None,
    /// The leader had not read the config topic as far as another member: read, then join again.
    ConfigMismatch,
    /// A code this version does not know. Treated as a failure.
    Other(i16),
}

impl AssignmentError {
    const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::ConfigMismatch => 1,
            Self::Other(code) => code,
        }
    }

    const fn from_code(code: i16) -> Self {
        match code {
            0 => Self::None,
            1 => Self::ConfigMismatch,
            other => Self::Other(other),
        }
    }
}

/// What a worker says about itself when it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerMetadata {
    /// The address other workers forward requests to.
    pub url: String,
    /// How far it has read the config topic: the offset after the last record read, -1 if nothing.
    pub config_offset: i64,
    /// What it runs, as the assignment it last received; `None` when it runs nothing of the group.
    pub allocation: Option<ConnectAssignment>,
}

/// What the leader tells a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectAssignment {
    /// Why it is empty.
    pub error: AssignmentError,
    /// The leader's member id.
    pub leader: MemberId,
    /// The leader's address.
    pub leader_url: String,
    /// The offset of the config topic the assignment was computed for.
    pub config_offset: i64,
    /// Eager: everything to run. Otherwise: what to run in addition (as an allocation: everything running).
    pub assigned: Work,
    /// What to stop. Empty when eager.
    pub revoked: Work,
    /// After this time every member joins again; zero: never.
    pub delay: Duration,
}

impl ConnectAssignment {
    /// Whether the leader could not assign.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error != AssignmentError::None
    }
}

/// Encodes metadata as `protocol` wants it. Eager carries no allocation.
#[must_use]
pub fn write_metadata(protocol: ConnectProtocol, metadata: &WorkerMetadata) -> Vec<u8> {
    let mut out = Writer::new();
    out.int16(protocol.version());
    out.string(&metadata.url);
    out.int64(metadata.config_offset);
    if protocol.is_cooperative() {
        let allocation = metadata
            .allocation
            .as_ref()
            .map(|a| write_assignment(protocol, a));
        out.nullable_bytes(allocation.as_deref());
    }
    out.finish()
}

/// Decodes metadata of any version.
///
/// # Errors
/// The bytes are short, or a field is out of range.
pub fn read_metadata(bytes: &[u8]) -> Result<WorkerMetadata, ReadError> {
    let mut from = Reader::new(bytes);
    read_version(&mut from)?;
    let url = from.string("url")?.to_owned();
    let config_offset = from.int64("config-offset")?;
    let allocation = match from.is_empty() {
        true => None,
        false => from
            .nullable_bytes("allocation")?
            .map(read_assignment)
            .transpose()?,
    };
    Ok(WorkerMetadata {
        url,
        config_offset,
        allocation,
    })
}

/// Encodes an assignment as `protocol` wants it. Eager carries neither revocations nor a delay.
#[must_use]
pub fn write_assignment(protocol: ConnectProtocol, assignment: &ConnectAssignment) -> Vec<u8> {
    let mut out = Writer::new();
    out.int16(protocol.version());
    out.int16(assignment.error.code());
    out.string(assignment.leader.as_str());
    out.string(&assignment.leader_url);
    out.int64(assignment.config_offset);
    write_work(&mut out, &assignment.assigned);
    if protocol.is_cooperative() {
        write_work(&mut out, &assignment.revoked);
        // Rounded up: a rejoin before the leader's appointment would find nothing to do.
        let millis = assignment.delay.as_micros().div_ceil(1000);
        out.int32(i32::try_from(millis).unwrap_or(i32::MAX));
    }
    out.finish()
}

/// Decodes an assignment of any version.
///
/// # Errors
/// The bytes are short, or a field is out of range.
pub fn read_assignment(bytes: &[u8]) -> Result<ConnectAssignment, ReadError> {
    let mut from = Reader::new(bytes);
    read_version(&mut from)?;
    let error = AssignmentError::from_code(from.int16("error")?);
    let leader = MemberId::from(from.string("leader")?);
    let leader_url = from.string("leader-url")?.to_owned();
    let config_offset = from.int64("config-offset")?;
    let assigned = read_work(&mut from, "assignment")?;
    let revoked = if from.is_empty() {
        Work::new()
    } else {
        read_work(&mut from, "revoked")?
    };
    let delay = if from.is_empty() {
        0
    } else {
        from.int32("delay")?
    };
    Ok(ConnectAssignment {
        error,
        leader,
        leader_url,
        config_offset,
        assigned,
        revoked,
        delay: Duration::from_millis(u64::try_from(delay).unwrap_or(0)),
    })
}

/// The version in front of bytes. A higher one than we know is read as the highest we know.
fn read_version(from: &mut Reader<'_>) -> Result<i16, ReadError> {
    match from.int16("version")? {
        version if version < 0 => Err(ReadError::OutOfRange {
            field: "version",
            value: version.into(),
        }),
        version => Ok(version),
    }
}

fn write_work(out: &mut Writer, work: &Work) {
    let mut by_connector: IndexMap<&ConnectorName, Vec<i32>> = IndexMap::new();
    for connector in &work.connectors {
        by_connector
            .entry(connector)
            .or_default()
            .push(CONNECTOR_ITSELF);
    }
    for task in &work.tasks {
        let number = i32::try_from(task.task).unwrap_or(i32::MAX);
        by_connector
            .entry(&task.connector)
            .or_default()
            .push(number);
    }
    out.count(by_connector.len());
    for (connector, numbers) in by_connector {
        out.string(connector.as_str());
        out.count(numbers.len());
        for number in numbers {
            out.int32(number);
        }
    }
}

fn read_work(from: &mut Reader<'_>, field: &'static str) -> Result<Work, ReadError> {
    let mut work = Work::new();
    for _ in 0..from.count(field)?.unwrap_or(0) {
        let connector = ConnectorName::from(from.string("connector")?);
        for _ in 0..from.count("tasks")?.unwrap_or(0) {
            let number = from.int32("task")?;
            if number == CONNECTOR_ITSELF {
                work.connectors.insert(connector.clone());
                continue;
            }
            let task = u32::try_from(number).map_err(|_| ReadError::OutOfRange {
                field: "task",
                value: number.into(),
            })?;
            work.tasks.insert(TaskId {
                connector: connector.clone(),
                task,
            });
        }
    }
    Ok(work)
}
