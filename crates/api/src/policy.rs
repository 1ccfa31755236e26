//! Policies for client overrides in connector configurations (KIP-458).

use milena_config::Props;

/// Which client a connector's override is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// `producer.override.`
    Producer,
    /// `consumer.override.`
    Consumer,
    /// `admin.override.`
    Admin,
}

/// The overrides of one client in one connector configuration.
#[derive(Clone, Debug)]
pub struct OverrideRequest<'a> {
    /// The client.
    pub client: ClientKind,
    /// The overrides without their prefix.
    pub overrides: &'a Props,
    /// The connector's name.
    pub connector: &'a str,
}

/// Decides which overrides a connector may set.
pub trait OverridePolicy: Send + Sync {
    /// Takes the worker's configuration.
    ///
    /// # Errors
    /// The keys of the policy do not fit; the worker does not start.
    fn configure(&mut self, _worker: &Props) -> Result<(), crate::ConnectError> {
        Ok(())
    }

    /// One (key, message) pair per override that is not allowed.
    fn refused(&self, request: &OverrideRequest<'_>) -> Vec<(String, String)>;
}
