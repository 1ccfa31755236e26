//! Metrics with the groups, names and tags of the Java worker's MBeans (spec `data.md` 6), and their text for
//! Prometheus. What is measured lives with those who measure; here is how it adds up and how it is shown.

mod prometheus;
mod sampled;

pub use prometheus::render;
pub use sampled::{Average, Maximum, Meter, Minimum, Shares, Windows};

/// A group of attributes and what its MBean is named by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// For example `sink-task-metrics`.
    pub name: &'static str,
    /// Tags in the order of the MBean's name.
    pub tags: Vec<(&'static str, String)>,
}

/// What an attribute is worth now.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// All numbers are doubles, as in JMX.
    Number(f64),
    /// A state, a class name, an address.
    Text(String),
}

/// One group with its attributes, as of now.
#[derive(Clone, Debug, PartialEq)]
pub struct Bean {
    /// Which group.
    pub group: Group,
    /// Names and readings in the order in which Java declares them.
    pub attributes: Vec<(&'static str, Reading)>,
}

/// One attribute of a Kafka client that the worker uses, as of now.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientAttribute {
    /// `kafka.producer`, `kafka.consumer`, `kafka.admin.client` or `kafka.connect`.
    pub domain: &'static str,
    /// For example `producer-topic-metrics`.
    pub group: String,
    /// Tags of the MBean.
    pub tags: Vec<(String, String)>,
    /// The attribute.
    pub name: String,
    /// Its reading.
    pub reading: Reading,
}

impl Bean {
    /// A group without attributes yet.
    #[must_use]
    pub fn new(name: &'static str, tags: Vec<(&'static str, String)>) -> Self {
        Self {
            group: Group { name, tags },
            attributes: Vec::new(),
        }
    }

    /// Adds a number.
    pub fn number(&mut self, name: &'static str, value: f64) {
        self.attributes.push((name, Reading::Number(value)));
    }

    /// Adds a count.
    #[expect(clippy::cast_precision_loss, reason = "JMX shows doubles")]
    pub fn count(&mut self, name: &'static str, value: u64) {
        self.number(name, value as f64);
    }

    /// Adds a text.
    pub fn text(&mut self, name: &'static str, value: impl Into<String>) {
        self.attributes.push((name, Reading::Text(value.into())));
    }
}
