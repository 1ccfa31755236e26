//! A set of connectors and tasks, ordered, with the arithmetic the assignors need (Java: `ConnectorsAndTasks`).

use std::collections::BTreeSet;

use crate::{ConnectorName, TaskId};

/// Connectors and tasks: what one worker runs, what is configured, what was lost. Ordered, so that every
/// computation over it gives the same result on every run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Connector instances.
    pub connectors: BTreeSet<ConnectorName>,
    /// Task instances.
    pub tasks: BTreeSet<TaskId>,
}

impl Work {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is neither a connector nor a task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// How many connectors and tasks together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connectors.len() + self.tasks.len()
    }

    /// Adds everything of `other`.
    pub fn add(&mut self, other: &Self) {
        self.connectors.extend(other.connectors.iter().cloned());
        self.tasks.extend(other.tasks.iter().cloned());
    }

    /// Takes away everything of `other`.
    pub fn remove(&mut self, other: &Self) {
        self.connectors.retain(|c| !other.connectors.contains(c));
        self.tasks.retain(|t| !other.tasks.contains(t));
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = self.clone();
        left.remove(other);
        left
    }

    /// What is here or in `other`.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.add(other);
        all
    }

    /// What is here and in `other`.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            connectors: self
                .connectors
                .intersection(&other.connectors)
                .cloned()
                .collect(),
            tasks: self.tasks.intersection(&other.tasks).cloned().collect(),
        }
    }

    /// Everything of all parts together.
    pub fn union_of<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::new();
        for part in parts {
            all.add(part);
        }
        all
    }

    /// Whether nothing is in both.
    #[must_use]
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.connectors.is_disjoint(&other.connectors) && self.tasks.is_disjoint(&other.tasks)
    }
}
