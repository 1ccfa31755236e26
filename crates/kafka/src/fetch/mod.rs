//! Our own fetcher: reads assigned partitions over the wire client.
//!
//! A keeper ([`keeper`]) finds leaders and start positions; a task per broker ([`broker`]) has one fetch under way, on a
//! connection of its own; both work on shared state ([`state`], [`partition`]) and never decode a record: that is done by
//! the caller of `poll` ([`fetcher`]), for as many as it is given. Whatever was asked for before a seek or a change of the
//! assignment is ignored when it is answered. Nothing is lost, repeated or reordered, and memory is bounded, whatever
//! brokers do and however long nobody polls. Answers to Java's `Fetcher`, `FetchCollector`, `OffsetFetcher` and
//! `SubscriptionState`.

mod answer;
mod broker;
mod errors;
mod fetcher;
mod keeper;
mod leaders;
mod metrics;
mod offsets;
mod partition;
mod settings;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use fetcher::NativeFetcher;
