//! What the clients measure of themselves, under Java's names (`kafka.producer`, `kafka.consumer`).

/// What an attribute of a client is worth now.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientReading {
    /// A number.
    Number(f64),
    /// A version, a commit.
    Text(String),
}

/// One attribute of one client, as of now.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientMetric {
    /// The domain of its MBean: `kafka.producer`, `kafka.consumer`, `kafka.admin.client` or `kafka.connect`.
    pub domain: &'static str,
    /// Its group, for example `producer-topic-metrics`.
    pub group: String,
    /// The tags of the MBean.
    pub tags: Vec<(String, String)>,
    /// The attribute.
    pub name: String,
    /// What it is worth.
    pub reading: ClientReading,
}
