//! Names of connectors and tasks. Parsed once at the edge; inside the core no plain text stands for either.

use std::{borrow::Borrow, fmt, sync::Arc};

/// The name of a connector, as a client gave it. Cheap to clone; ordered as text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectorName(Arc<str>);

impl ConnectorName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// One of this connector's tasks.
    #[must_use]
    pub fn task(&self, task: u32) -> TaskId {
        TaskId {
            connector: self.clone(),
            task,
        }
    }
}

impl From<&str> for ConnectorName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for ConnectorName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<Arc<str>> for ConnectorName {
    fn from(name: Arc<str>) -> Self {
        Self(name)
    }
}

impl Borrow<str> for ConnectorName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConnectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A task of a connector; printed as Java prints it, `name-0`. Ordered by connector, then number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The connector.
    pub connector: ConnectorName,
    /// The number, from 0. At most 2^31-1, as the group protocol and the topics carry it in 32 bits signed.
    pub task: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}
